import type { Step } from '../core/plan/steps.ts';
import { stepText } from './step-text.ts';

/** Steps named at most; an upgrade of hundreds of nodes has more under way than anybody reads. */
const shown = 10;

/** What a run that was told to stop still waits for, and why. */
export function unfinishedText(unfinished: {
  readonly running: readonly Step[];
  readonly still: readonly Step[];
}): string {
  const { running, still } = unfinished;
  if (running.length + still.length === 0) return 'nothing is running';
  return [
    ...(running.length > 0 ? ['waiting for what is running:', ...list(running)] : []),
    ...(still.length > 0 ? ['and then, so that nothing stays away that was taken away:', ...list(still)] : []),
  ].join('\n');
}

function list(steps: readonly Step[]): string[] {
  const lines = steps.slice(0, shown).map((step) => `  ${step.host}  ${stepText(step)}${limit(step)}`);
  return steps.length > shown ? [...lines, `  and ${steps.length - shown} more`] : lines;
}

function limit(step: Step): string {
  if (step.kind === 'task') return ' (is ended now)';
  if (step.kind === 'healthy') return ` (at most ${step.deadlineSeconds} s)`;
  return step.kind === 'one-shot' ? ` (at most ${step.timeoutSeconds} s)` : '';
}
