import type { Desired, DesiredFragment } from '../desired/model.ts';
import { type FileContent, label, type ObservedFile, type ObservedNode } from '../model/node.ts';
import { configHashOf, loadedConfigHash } from './compare.ts';
import { formRecorded, recordFiles } from './generations.ts';
import type { Observed } from './policy.ts';
import type { PlanBuilder, StepId } from './steps.ts';
import { wayBackOfReload } from './ways-back.ts';

/**
 * Load balancer fragments of selected services whose load balancer itself is not selected: written beside the files
 * that are there, then one reload per host. (A selected load balancer carries them in its own files.)
 */
export function planFragments(plan: PlanBuilder, desired: Desired, observed: Observed): { done: readonly StepId[] } {
  return { done: perReceiver(desired).flatMap((fragments) => writeAll(plan, desired, observed, fragments)) };
}

/** Takes the fragments of services that go away out of load balancers that stay. */
export function planFragmentRemoval(
  plan: PlanBuilder,
  desired: Desired,
  observed: Observed,
): { done: readonly StepId[] } {
  const done = perReceiver(desired).flatMap((fragments) => {
    const [first] = fragments;
    const node = first && observed.get(first.host);
    if (first === undefined || node === undefined) return [];
    const paths = new Set(fragments.map(({ file }) => file.path));
    const remove = node.files.map((f) => f.path).filter((path) => paths.has(path));
    if (remove.length === 0) return [];
    const staying = node.files.filter((f) => f.path.startsWith(first.directory) && !paths.has(f.path));
    return applyFragments(plan, desired.site, node, first, {
      service: first.file.service,
      reason: 'its service goes away',
      files: [],
      remove,
      staying,
      directory: first.directory,
    });
  });
  return { done };
}

function perReceiver(desired: Desired): DesiredFragment[][] {
  const groups = new Map<string, DesiredFragment[]>();
  for (const fragment of desired.services.flatMap((service) => service.fragments)) {
    const key = `${fragment.host} ${fragment.container}`;
    groups.set(key, [...(groups.get(key) ?? []), fragment]);
  }
  return [...groups.values()];
}

function writeAll(
  plan: PlanBuilder,
  desired: Desired,
  observed: Observed,
  fragments: readonly DesiredFragment[],
): StepId[] {
  const [first] = fragments;
  const node = first && observed.get(first.host);
  if (first === undefined || node === undefined) return [];
  const changed = fragments.filter(
    ({ file }) => !node.files.some((f) => f.path === file.path && f.sha256 === file.sha256 && f.mode === file.mode),
  );
  const { directory } = first;
  const paths = new Set(fragments.map(({ file }) => file.path));
  const staying = node.files.filter((f) => f.path.startsWith(directory) && !paths.has(f.path));
  const names = changed.map(({ file }) => file.path.slice(directory.length)).join(', ');
  return applyFragments(plan, desired.site, node, first, {
    service: (changed[0] ?? first).file.service,
    reason: names === '' ? 'running with an older configuration' : `load balancer entry changed: ${names}`,
    files: changed.map(({ file: { path, content, mode } }) => ({ path, content, mode })),
    remove: [],
    staying: [...staying, ...fragments.map(({ file }) => file)],
    directory,
  });
}

export interface FragmentChange {
  readonly service: string;
  readonly reason: string;
  readonly files: readonly FileContent[];
  readonly remove: readonly string[];
  /** Everything in the receiver's directory afterwards. */
  readonly staying: readonly Pick<ObservedFile, 'path' | 'sha256' | 'mode'>[];
  readonly directory: string;
  readonly needs?: readonly StepId[] | undefined;
}

/** Files into the directory of a load balancer and out of it, and one reload if it runs with something else then. */
export function applyFragments(
  plan: PlanBuilder,
  site: string,
  node: ObservedNode,
  { host, container, directory, reload }: Pick<DesiredFragment, 'host' | 'container' | 'directory' | 'reload'>,
  change: FragmentChange,
): StepId[] {
  const { service, reason, files, remove, needs = [] } = change;
  const configHash = configHashOf(change.directory, change.staying);
  const receiver = node.containers.find((c) => c.name === container);
  if (receiver !== undefined && receiver.labels[label.site] !== site) {
    plan.notices.push(
      `${container} on ${host} is not of this site: the load balancer entries of ${service} were left out`,
    );
    return [];
  }
  const base = { service, host, reason, impact: 'none' } as const;
  const written =
    files.length + remove.length === 0
      ? []
      : [plan.add({ ...base, needs }, { kind: 'write', container, files, remove }, container)];
  // An interrupted run may have written the files and not reloaded.
  if (receiver?.state !== 'running') return written;
  const at = { seen: receiver, node, directory };
  if (loadedConfigHash(receiver, node) === configHash) {
    recordFiles(plan, { service, host, needs: written }, at, configHash);
    return written;
  }
  const { exec = [], signal } = reload ?? {};
  const action = { kind: 'reload', container, exec, signal } as const;
  const reloaded = plan.add({ ...base, needs: written }, { ...action, configHash }, container);
  recordFiles(plan, { service, host, needs: [reloaded] }, at, configHash);
  const before = loadedConfigHash(receiver, node);
  if (before !== undefined && formRecorded(node, receiver)) {
    const way = { service, host, directory, triggers: [reloaded] };
    wayBackOfReload(plan, way, { ...action, configHash: before });
  }
  return [reloaded];
}
