import type { Desired } from '../desired/model.ts';
import { type Diagnostic, error } from '../model/diagnostic.ts';
import type { ContainerName, HostName, ObservedNode } from '../model/node.ts';
import { checkSeconds } from './galera-members.ts';
import { findLeftovers, type Leftover, type LeftoverInput } from './leftovers.ts';
import type { Observed } from './policy.ts';
import { ownVolumes } from './replace.ts';
import { galeraFormedMarker } from './rollout.ts';
import type { Plan, PlanBuilder, StepId } from './steps.ts';

/** Those that stay see at once that a member has left; a view that changes meanwhile takes some seconds. */
const settleSeconds = 60;

/** Members of a Galera cluster that are on a host no longer in their group, and run there. */
export function leavingMembers(desired: Desired, input: LeftoverInput | undefined): Leftover[] {
  if (input === undefined) return [];
  return findLeftovers(desired, input).filter(
    ({ container, containers }) =>
      input.known.get(container)?.strategy === 'galera' &&
      (desired.wanted().get(container)?.size ?? 0) > 0 &&
      containers.some(({ name, state }) => name === container && state === 'running'),
  );
}

/**
 * A member leaves its cluster: only while all that stay are Synced in one Primary component, by a clean end, which the
 * others need no quorum for; then those that stay are seen to go on. Returns the last steps; the same member leaves
 * once in a plan.
 */
export function leave(
  plan: PlanBuilder,
  desired: Desired,
  input: LeftoverInput,
  leftover: Leftover,
  needs: readonly StepId[],
): readonly StepId[] {
  const { service, container, host, why } = leftover;
  const staying = [...(desired.wanted().get(container) ?? [])];
  const members = staying.length;
  const rest = (others: readonly StepId[], reason: string) =>
    ({ service, needs: others, reason, impact: 'none' }) as const;
  let last: readonly StepId[] = [];
  plan.once(`leaves ${host} ${container}`, () => {
    const servers = desired.services.find((one) => one.name === service)?.galera ?? [];
    const checked = staying
      .slice(0, 1)
      .map((one) =>
        plan.add(
          { ...rest(needs, `a member of ${host} leaves only a cluster that is whole without it`), host: one },
          { kind: 'galera-check', container, members, servers, patienceSeconds: checkSeconds },
          container,
        ),
      );
    const graceSeconds = input.known.get(container)?.graceSeconds ?? 60;
    const stopped = plan.add(
      { service, host, needs: [...needs, ...checked], reason: why, impact: 'replica' },
      { kind: 'stop', container, graceSeconds },
      container,
    );
    last = staying.map((one) =>
      plan.add(
        { ...rest([stopped], `goes on without the member of ${host}`), host: one },
        { kind: 'galera-synced', container, members, patienceSeconds: settleSeconds, deadlineSeconds: settleSeconds },
        container,
      ),
    );
    return stopped;
  });
  return last;
}

/** Why a member must not be taken out now: those that stay have not been looked at. */
export function leavingProblems(desired: Desired, observed: Observed, leaving: readonly Leftover[]): Diagnostic[] {
  return leaving.flatMap(({ container, host }) => {
    const unseen = [...(desired.wanted().get(container) ?? [])].filter((one) => !observed.has(one));
    if (unseen.length === 0) return [];
    const hint = 'run without --limit, once they can be reached';
    const message = `${container} is not taken out of its cluster: ${unseen.join(', ')}, which stay, were not looked at`;
    return [error('galera-incomplete', message, { host, hint })];
  });
}

/** A cluster of one names nobody: restarted beside members that live on it would be, or try to be, another one. */
export function aloneProblems(container: ContainerName, host: HostName, leaving: readonly Leftover[]): Diagnostic[] {
  const others = leaving.filter((one) => one.container === container).map((one) => one.host);
  if (others.length === 0) return [];
  const message = `${container} runs on ${others.join(', ')} too, which ${others.length > 1 ? 'are' : 'is'} no longer in its group: alone, this member would start as a cluster of its own beside it`;
  return [error('galera-two-clusters', message, { host, hint: '--prune takes them out of the cluster first' })];
}

/**
 * Where a member is, or its data, although the host is not in the group of the cluster that the plan forms: it would be
 * formed beside it. Undefined when the plan forms none.
 */
export function newClusterProblems(
  { steps }: Pick<Plan, 'steps'>,
  desired: Desired,
  nodes: readonly ObservedNode[] = [],
): Diagnostic[] | undefined {
  const forming = steps.find((step) => step.kind === 'create' && 'BOOTSTRAP_ARGS' in step.spec.environment);
  if (forming?.kind !== 'create') return undefined;
  const { container } = forming;
  const group = desired.wanted().get(container) ?? new Set();
  const volumes = new Set(
    desired.services
      .flatMap((service) => service.containers)
      .filter(({ name }) => name === container)
      .flatMap(ownVolumes),
  );
  return nodes.flatMap((node) => {
    if (group.has(node.host)) return [];
    const runs = node.containers.some(({ name, state }) => name === container && state !== 'created');
    const formed = node.markers[galeraFormedMarker.key] !== undefined;
    if (!runs && !formed && !node.volumes.some((volume) => volumes.has(volume))) return [];
    const what = runs ? `${container} is there` : 'there is data of a cluster';
    const message = `${what}, and the host is not in its group: a new cluster would be formed beside it, without its data`;
    const hint =
      'put the host back into the group, so that the others join it; if its data is not wanted, remove it there';
    return [error('galera-elsewhere', message, { host: node.host, hint })];
  });
}
