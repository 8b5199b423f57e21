import type { Desired, DesiredFragment } from '../desired/model.ts';
import { configHashOf } from './compare.ts';
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
  const [lead] = changed;
  const receiver = node.containers.find((c) => c.name === first.container);
  if (lead === undefined) return [];
  const { directory } = first;
  const paths = new Set(fragments.map(({ file }) => file.path));
  const staying = node.files.filter((f) => f.path.startsWith(directory) && !paths.has(f.path));
  const configHash = configHashOf(directory, [...staying, ...fragments.map(({ file }) => file)]);
  const names = changed.map(({ file }) => file.path.slice(directory.length)).join(', ');
  const base = {
    service: lead.file.service,
    host: first.host,
    reason: `load balancer entry changed: ${names}`,
  } as const;
  const written = plan.add(
    { ...base, needs: [], impact: 'none' },
    {
      kind: 'write',
      container: first.container,
      files: changed.map(({ file: { path, content, mode } }) => ({ path, content, mode })),
      remove: [],
    },
    first.container,
  );
  if (receiver?.state !== 'running') return [written];
  return [
    plan.add(
      { ...base, needs: [written], impact: 'none' },
      {
        kind: 'reload',
        container: first.container,
        exec: first.reload?.exec ?? [],
        signal: first.reload?.signal,
        configHash,
      },
      first.container,
    ),
  ];
}
