import type { Desired, DesiredContainer, DesiredService } from '../desired/model.ts';
import { generationMarkerKey } from '../model/generation.ts';
import { isOurs, loadedMarkerKey, madeMarkerKey } from './compare.ts';
import { planFragmentRemoval } from './fragments.ts';
import { pendingMarker } from './galera-members.ts';
import { oneShotMarkerKey } from './one-shot.ts';
import type { Observed } from './policy.ts';
import { ownVolumes } from './replace.ts';
import { galeraFormedMarker } from './rollout.ts';
import { type Plan, PlanBuilder, type StepId } from './steps.ts';

/** Stops what is selected, in the reverse order of its deployment: what needs others goes first. */
export function planStop(desired: Desired, observed: Observed): Plan {
  const plan = new PlanBuilder();
  let before: readonly StepId[] = [];
  for (const service of [...desired.services].reverse()) {
    const stopped = service.containers.flatMap((container) => stopStep(plan, container, observed, before));
    if (stopped.length > 0) before = stopped;
  }
  return planOf('stop', desired, plan);
}

/** What is taken away has no causes in the configuration, no files to compare and no way back. */
function planOf(verb: 'stop' | 'destroy', { site }: Desired, { steps, notices }: PlanBuilder): Plan {
  return { verb, site, steps, notices, causes: [], drift: [], diffs: [], waysBack: [] };
}

/** A service that loses its registrations and migrations when another one's data goes. */
export interface Dependent {
  readonly service: string;
  readonly oneShots: readonly string[];
}

/**
 * Stops and removes what is selected, with its configuration, its load balancer entries, and unless volumes are kept
 * its data and the markers that say what had been done in it. `dependents` name those whose records are lost with it.
 */
export function planDestroy(
  desired: Desired,
  observed: Observed,
  dependents: (service: string) => readonly Dependent[],
  options: { readonly keepVolumes: boolean },
): Plan {
  const plan = new PlanBuilder();
  let before: readonly StepId[] = planFragmentRemoval(plan, desired, observed).done;
  for (const service of [...desired.services].reverse()) {
    const removed = service.containers.flatMap((container) => {
      const stopped = stopStep(plan, container, observed, before);
      return removeSteps(plan, container, observed, [...before, ...stopped]);
    });
    const gone = [...removed, ...removeOneShots(plan, service, observed, before)];
    const needs = gone.length > 0 ? gone : before;
    const markers = markersOf(service, dependents(service.name), options.keepVolumes);
    const wiped = wipeSteps(plan, service.name, service.containers, observed, markers, needs, options);
    before = wiped.length > 0 ? wiped : needs;
  }
  return planOf('destroy', desired, plan);
}

/** What is no longer true afterwards. Data that is kept keeps its markers: a cluster in it must not be formed anew. */
function markersOf(service: DesiredService, dependents: readonly Dependent[], keepVolumes: boolean): string[] {
  const keys = [loadedMarkerKey, madeMarkerKey, generationMarkerKey];
  const loaded = service.containers.flatMap(({ name }) => keys.map((key) => key(name)));
  if (keepVolumes) return [...new Set(loaded)];
  const all = [{ service: service.name, oneShots: [...service.oneShots.keys()] }, ...dependents];
  const records = all.flatMap(({ service: name, oneShots }) => [
    `databases.${name}`,
    `identity.${name}`,
    `messaging.${name}`,
    ...oneShots.map(oneShotMarkerKey),
  ]);
  const formed = service.containers.some((c) => c.rollout.strategy === 'galera')
    ? [galeraFormedMarker.key, pendingMarker.key]
    : [];
  return [...new Set([...loaded, ...service.containers.map(({ name }) => `keys.${name}`), ...formed, ...records])];
}

function seenOn(container: DesiredContainer, observed: Observed) {
  return observed
    .get(container.host)
    ?.containers.filter((c) => isOurs(c) && (c.name === container.name || c.name.startsWith(`${container.name}__`)));
}

function stopStep(
  plan: PlanBuilder,
  container: DesiredContainer,
  observed: Observed,
  needs: readonly StepId[],
): StepId[] {
  const running = seenOn(container, observed)?.some((c) => c.name === container.name && c.state === 'running');
  if (!running) return [];
  return [
    plan.add(
      { service: container.service, host: container.host, needs, reason: 'asked for', impact: 'service' },
      { kind: 'stop', container: container.name, graceSeconds: container.rollout.stop_grace },
      container.name,
    ),
  ];
}

function removeSteps(
  plan: PlanBuilder,
  container: DesiredContainer,
  observed: Observed,
  needs: readonly StepId[],
): StepId[] {
  return (seenOn(container, observed) ?? []).map(({ name }) =>
    plan.add(
      { service: container.service, host: container.host, needs, reason: 'asked for', impact: 'service' },
      { kind: 'remove', container: name },
      name,
    ),
  );
}

/** Short-lived containers that failed are kept for their logs; they hold on to volumes. */
function removeOneShots(
  plan: PlanBuilder,
  service: DesiredService,
  observed: Observed,
  needs: readonly StepId[],
): StepId[] {
  const upgrades = [...(service.memberUpgrades?.values() ?? [])].map(({ name }) => name);
  const names = new Set([...service.oneShots.keys(), ...upgrades]);
  return [...observed].flatMap(([host, node]) =>
    node.containers
      .filter((c) => isOurs(c) && names.has(c.name))
      .map(({ name }) =>
        plan.add(
          { service: service.name, host, needs, reason: 'asked for', impact: 'none' },
          { kind: 'remove', container: name },
          name,
        ),
      ),
  );
}

function wipeSteps(
  plan: PlanBuilder,
  service: string,
  containers: readonly DesiredContainer[],
  observed: Observed,
  markers: readonly string[],
  needs: readonly StepId[],
  options: { readonly keepVolumes: boolean },
): StepId[] {
  const hosts = [...new Set(containers.map((c) => c.host))];
  return hosts.flatMap((host) => {
    const here = containers.filter((c) => c.host === host);
    const node = observed.get(host);
    const volumes = options.keepVolumes
      ? []
      : [...new Set(here.flatMap(ownVolumes))].filter((v) => node?.volumes.includes(v));
    const paths = (node?.files ?? [])
      .map((f) => f.path)
      .filter((path) => here.some((c) => path.startsWith(c.directory)));
    const known = markers.filter((key) => node?.markers[key] !== undefined);
    if (volumes.length + paths.length + known.length === 0) return [];
    return [
      plan.add(
        { service, host, needs, reason: 'asked for', impact: 'none' },
        { kind: 'wipe', volumes: volumes.sort(), paths, markers: known },
        service,
      ),
    ];
  });
}
