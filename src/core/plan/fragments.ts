import type { Desired, DesiredFragment } from '../desired/model.ts';
import { configHashOf, loadedConfigHash } from './compare.ts';
import type { Observed } from './policy.ts';
import type { PlanBuilder, StepId } from './steps.ts';

/**
 * Load balancer fragments of selected services whose load balancer itself is not selected: written beside the files
 * that are there, then one reload per host. (A selected load balancer carries them in its own files.)
 */
export function planFragments(plan: PlanBuilder, desired: Desired, observed: Observed): { done: readonly StepId[] } {
  const perContainer = new Map<string, DesiredFragment[]>();
  for (const fragment of desired.services.flatMap((service) => service.fragments)) {
    const key = `${fragment.host} ${fragment.container}`;
    perContainer.set(key, [...(perContainer.get(key) ?? []), fragment]);
  }
  const done = [...perContainer.values()].flatMap((fragments) => planOne(plan, observed, fragments));
  return { done };
}

function planOne(plan: PlanBuilder, observed: Observed, fragments: readonly DesiredFragment[]): StepId[] {
  const [first] = fragments;
  const node = first && observed.get(first.host);
  if (first === undefined || node === undefined) return [];
  const changed = fragments.filter(
    ({ file }) => !node.files.some((f) => f.path === file.path && f.sha256 === file.sha256 && f.mode === file.mode),
  );
  const { directory } = first;
  const paths = new Set(fragments.map(({ file }) => file.path));
  const staying = node.files.filter((f) => f.path.startsWith(directory) && !paths.has(f.path));
  const configHash = configHashOf(directory, [...staying, ...fragments.map(({ file }) => file)]);
  const names = changed.map(({ file }) => file.path.slice(directory.length)).join(', ');
  const base = {
    service: (changed[0] ?? first).file.service,
    host: first.host,
    reason: names === '' ? 'running with an older configuration' : `load balancer entry changed: ${names}`,
    impact: 'none',
  } as const;
  const files = changed.map(({ file: { path, content, mode } }) => ({ path, content, mode }));
  const written =
    files.length === 0
      ? []
      : [
          plan.add(
            { ...base, needs: [] },
            { kind: 'write', container: first.container, files, remove: [] },
            first.container,
          ),
        ];
  const receiver = node.containers.find((c) => c.name === first.container);
  // An interrupted run may have written the files and not reloaded.
  if (receiver?.state !== 'running' || loadedConfigHash(receiver, node) === configHash) return written;
  const { exec = [], signal } = first.reload ?? {};
  return [
    plan.add(
      { ...base, needs: written },
      { kind: 'reload', container: first.container, exec, signal, configHash },
      first.container,
    ),
  ];
}
