import type { Desired, DesiredContainer, DesiredService } from '../desired/model.ts';
import { isOurs, loadedMarkerKey } from './compare.ts';
import { oneShotMarkerKey } from './one-shot.ts';
import type { Observed } from './policy.ts';
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
  return { verb: 'stop', site: desired.site, steps: plan.steps, notices: plan.notices };
}

/**
 * Stops and removes what is selected, with its configuration, its named volumes and the markers that say what had
 * been done. `dependents` name, for each service, those whose registrations are lost with it.
 */
export function planDestroy(
  desired: Desired,
  observed: Observed,
  dependents: (service: string) => readonly string[],
  options: { readonly keepVolumes: boolean },
): Plan {
  const plan = new PlanBuilder();
  let before: readonly StepId[] = [];
  for (const service of [...desired.services].reverse()) {
    const markers = new Set(markersOf(service.name, [...service.oneShots.keys()], dependents(service.name)));
    for (const container of service.containers) {
      markers.add(loadedMarkerKey(container.name)).add(`keys.${container.name}`);
      if (container.rollout.strategy === 'galera') markers.add(galeraFormedMarker.key);
    }
    const removed = service.containers.flatMap((container) => {
      const stopped = stopStep(plan, container, observed, before);
      return removeSteps(plan, container, observed, [...before, ...stopped]);
    });
    const gone = [...removed, ...removeOneShots(plan, service, observed, before)];
    const needs = gone.length > 0 ? gone : before;
    const wiped = wipeSteps(plan, service.name, service.containers, observed, [...markers], needs, options);
    before = wiped.length > 0 ? wiped : needs;
  }
  return { verb: 'destroy', site: desired.site, steps: plan.steps, notices: plan.notices };
}

function markersOf(service: string, oneShots: readonly string[], dependents: readonly string[]): string[] {
  const registrations = [service, ...dependents].flatMap((name) => [
    `databases.${name}`,
    `identity.${name}`,
    `messaging.${name}`,
  ]);
  return [...registrations, ...oneShots.map(oneShotMarkerKey)];
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
  return [...observed].flatMap(([host, node]) =>
    node.containers
      .filter((c) => isOurs(c) && service.oneShots.has(c.name))
      .map(({ name }) =>
        plan.add(
          { service: service.name, host, needs, reason: 'asked for', impact: 'none' },
          { kind: 'remove', container: name },
          name,
        ),
      ),
  );
}

/** Volumes named in a bind (`mariadb:/var/lib/mysql`), those shared by all containers left out. */
export function ownVolumes(container: DesiredContainer): string[] {
  return container.spec.volumes
    .map((bind) => bind.split(':')[0] ?? '')
    .filter((source) => source !== '' && !source.startsWith('/') && source !== 'kolla_logs');
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
