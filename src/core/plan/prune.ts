import { containerKey } from '../desired/input.ts';
import type { Desired } from '../desired/model.ts';
import { sha256 } from '../hash.ts';
import type { HostName, ObservedFile } from '../model/node.ts';
import { applyFragments } from './fragments.ts';
import { leave, leavingMembers } from './galera-leave.ts';
import { findLeftovers, type Leftover, type LeftoverInput } from './leftovers.ts';
import type { Observed } from './policy.ts';
import type { PlanBuilder, Step, StepId } from './steps.ts';

/**
 * Removes what is left over, after all else in the plan is done (so that nothing which still uses it is in the way):
 * load balancer entries first, then each container with its grace, one host after another, then its files and markers.
 * Volumes always stay.
 */
export function planPrune(plan: PlanBuilder, desired: Desired, observed: Observed, input: LeftoverInput): void {
  const leftovers = findLeftovers(desired, input);
  if (leftovers.length === 0) return;
  const before = ends(plan.steps);
  const balanced = removeEntries(plan, desired, observed, leftovers, before);
  const last = new Map<string, StepId[]>();
  for (const leftover of leftovers) {
    const needs = [...before, ...balanced, ...(last.get(leftover.container) ?? [])];
    const done = removeOne(plan, desired, input, leftover, needs);
    if (done.length > 0) last.set(leftover.container, done);
  }
}

/** Steps that no other step waits for. */
function ends(steps: readonly Step[]): StepId[] {
  const awaited = new Set(steps.flatMap((step) => step.needs));
  return steps.map((step) => step.id).filter((id) => !awaited.has(id));
}

function removeOne(
  plan: PlanBuilder,
  desired: Desired,
  input: LeftoverInput,
  leftover: Leftover,
  needs: readonly StepId[],
): StepId[] {
  const { host, service, container, why: reason, containers, files, markers } = leftover;
  const elsewhere = (desired.wanted().get(container)?.size ?? 0) > 0;
  const graceSeconds = input.known.get(container)?.graceSeconds ?? 60;
  const isMember = leavingMembers(desired, input).some((one) => one.host === host && one.container === container);
  const left = isMember ? leave(plan, desired, input, leftover, needs) : [];
  const removed = containers.map(({ name, state }) => {
    if (isMember && name === container)
      return plan.add(
        { service, host, reason, needs: [...needs, ...left], impact: 'none' },
        { kind: 'remove', container: name },
        name,
      );
    const base = { service, host, reason };
    const stopped =
      state === 'running' || state === 'paused' || state === 'restarting'
        ? [
            plan.add(
              { ...base, needs, impact: elsewhere ? 'replica' : 'service' },
              { kind: 'stop', container: name, graceSeconds },
              name,
            ),
          ]
        : [];
    const after = stopped.length > 0 ? stopped : needs;
    return plan.add({ ...base, needs: after, impact: 'none' }, { kind: 'remove', container: name }, name);
  });
  if (files.length + markers.length === 0) return removed;
  const base = { service, host, needs: removed.length > 0 ? removed : needs, reason, impact: 'none' } as const;
  return [plan.add(base, { kind: 'wipe', volumes: [], paths: files, markers }, container)];
}

/** Entries in load balancers that stay and were looked at. A selected one has got rid of them already. */
function removeEntries(
  plan: PlanBuilder,
  desired: Desired,
  observed: Observed,
  leftovers: readonly Leftover[],
  needs: readonly StepId[],
): StepId[] {
  const { receiver } = desired;
  if (receiver === undefined) return [];
  const names = new Map(leftovers.map(({ container, service }) => [container, service]));
  return desired.balancers.flatMap(({ host, container }) => {
    const node = observed.get(host);
    if (node === undefined) return [];
    const present = filesAfter(plan.steps, host, container, node.files);
    const wanted = desired.fragmentPaths.get(host) ?? new Set();
    const stale = [...names].flatMap(([name, service]) => {
      const path = `${receiver.fragments}${containerKey(name)}.cfg`;
      return present.some((f) => f.path === path) && !wanted.has(path) ? [{ path, service }] : [];
    });
    const [first] = stale;
    if (first === undefined) return [];
    const remove = stale.map(({ path }) => path);
    const staying = present.filter((f) => f.path.startsWith(receiver.directory) && !remove.includes(f.path));
    return applyFragments(
      plan,
      desired.site,
      node,
      { host, container, directory: receiver.directory, reload: receiver.reload },
      {
        service: first.service,
        reason: 'its service goes away',
        files: [],
        remove,
        staying,
        directory: receiver.directory,
        needs,
      },
    );
  });
}

/** The files of one container's directory as the plan so far leaves them. */
function filesAfter(
  steps: readonly Step[],
  host: HostName,
  container: string,
  files: readonly ObservedFile[],
): ObservedFile[] {
  const after = new Map(files.map((file) => [file.path, file]));
  for (const step of steps) {
    if (step.kind !== 'write' || step.host !== host || step.container !== container) continue;
    for (const { path, content, mode } of step.files) after.set(path, { path, mode, sha256: sha256(content) });
    for (const path of step.remove) after.delete(path);
  }
  return [...after.values()];
}
