import { randomBytes } from 'node:crypto';
import { createInterface } from 'node:readline/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { DeployError, type ExitCode, error, exitCode } from '../core/model/diagnostic.ts';
import type { Plan } from '../core/plan/steps.ts';
import { outcomeText } from '../report/outcome-text.ts';
import { planJson, planText } from '../report/plan-text.ts';
import { createProgress } from '../report/progress.ts';
import type { RunResult } from '../run/run.ts';
import { createClients } from './clients.ts';
import type { ChangeOptions } from './options.ts';
import type { Output } from './output.ts';
import type { Survey } from './survey.ts';

/** Steps at once on one host: starting services compete for its processors. */
const stepsPerHost = 4;

export function showPlan(plan: Plan, output: Output): void {
  if (output.json) output.data(planJson(plan));
  else output.line(planText(plan));
}

/** Asks before the first change, unless told not to; without a terminal nothing is changed unasked. */
export async function confirmed(options: ChangeOptions, question: string): Promise<boolean> {
  if (options.yes) return true;
  if (!process.stdin.isTTY || !process.stdout.isTTY) {
    throw new DeployError(
      [error('needs-confirmation', 'there is no terminal to ask on', { hint: 'add --yes to carry the plan out' })],
      exitCode.badInput,
    );
  }
  const prompt = createInterface({ input: process.stdin, output: process.stdout });
  try {
    return ['y', 'yes'].includes((await prompt.question(`${question} [y/N] `)).trim().toLowerCase());
  } finally {
    prompt.close();
  }
}

/** Carries a confirmed plan out and reports; the exit code says how it went. */
export async function carryOut(plan: Plan, survey: Survey, options: ChangeOptions, output: Output): Promise<ExitCode> {
  const { runPlan } = await import('../run/run.ts');
  const stop = new AbortController();
  let interruptedBy: ExitCode | undefined;
  const onSignal = (signal: NodeJS.Signals) => {
    if (interruptedBy !== undefined) process.exit(interruptedBy);
    interruptedBy = signal === 'SIGINT' ? exitCode.interrupted : exitCode.terminated;
    stop.abort();
    output.note('finishing the running steps; once more stops at once');
  };
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
  const progress = createProgress(output, () => performance.now());
  try {
    const result = await runPlan(
      plan,
      {
        nodes: survey.nodes,
        clients: createClients(),
        clock: { now: () => performance.now(), sleep: (ms) => sleep(ms) },
        randomBytes,
      },
      {
        runId: `${new Date().toISOString().replace(/[-:]/g, '').slice(0, 15)}-${randomBytes(3).toString('hex')}`,
        forks: options.forks,
        perHost: stepsPerHost,
        signal: stop.signal,
        onEvent: progress.event,
      },
    );
    progress.summary(result);
    const outcome = outcomeText(plan, result);
    if (outcome !== undefined && !output.json) output.line(outcome);
    if (interruptedBy !== undefined) return interruptedBy;
    return exitOf(result);
  } finally {
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
  }
}

/** What could not be put back is worst; put back is only what nothing else failed beside. */
function exitOf({ failed, reverted, notReverted }: RunResult): ExitCode {
  if (notReverted.length > 0) return exitCode.notReverted;
  if (failed.length === 0) return exitCode.ok;
  return reverted.length === failed.length ? exitCode.reverted : exitCode.failed;
}

export function describeLeft(plan: Plan): DeployError {
  const what = plan.steps.slice(0, 5).map((step) => `${step.host} ${step.kind} (${step.reason})`);
  const message = `after the run the nodes still differ from what is wanted: ${what.join('; ')}`;
  return new DeployError([error('not-converged', message, { hint: 'run the same command again' })], exitCode.failed);
}
