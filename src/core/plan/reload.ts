import { configSeen, filesRecorded, record } from './generations.ts';
import { type Change, rolloutOf, seen, writeFiles } from './replace.ts';
import type { PlanBuilder, StepId } from './steps.ts';
import { wayBackOfReload } from './ways-back.ts';

/** New files for a container that takes them while it runs, and how they are taken back. */
export function planReload(plan: PlanBuilder, change: Change, needs: readonly StepId[]): StepId[] {
  const { container, files } = change;
  const reason = 'reason' in change.verdict ? change.verdict.reason : '';
  const written = writeFiles(plan, change, needs, reason);
  const { service, host, name, directory } = container;
  const action = {
    kind: 'reload',
    container: name,
    exec: container.reload?.exec ?? [],
    signal: container.reload?.signal,
  } as const;
  const reloaded = plan.add(
    { service, host, rollout: rolloutOf(container), needs: [...needs, ...written], reason, impact: 'none' },
    { ...action, configHash: files.configHash },
    name,
  );
  record(plan, change, [reloaded], 'it serves');
  const running = seen(change);
  const before = running && configSeen(change, running);
  if (running !== undefined && before !== undefined && filesRecorded(change, running)) {
    wayBackOfReload(plan, { service, host, directory, triggers: [reloaded] }, { ...action, configHash: before });
  }
  return [reloaded];
}
