import { randomBytes } from 'node:crypto';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { DeployError, type ExitCode, error, exitCode } from '../core/model/diagnostic.ts';
import type { DiffMode } from '../core/plan/file-diff.ts';
import { hostsThatMayFail, maxFailText } from '../core/plan/max-fail.ts';
import type { Plan } from '../core/plan/steps.ts';
import { stoppedText } from '../report/failure-text.ts';
import { outcomeText } from '../report/outcome-text.ts';
import { planJson, planText } from '../report/plan-text.ts';
import { createProgress } from '../report/progress.ts';
import type { RunEvent, RunResult } from '../run/run.ts';
import { createClients } from './clients.ts';
import { failpointOf } from './failpoint.ts';
import { beginJournal } from './journal.ts';
import { newRunId } from './lock.ts';
import type { ChangeOptions } from './options.ts';
import type { Output } from './output.ts';
import { skippedWarnings } from './reach.ts';
import { amidHooks, type HookSettings, hooksPort } from './run-hooks.ts';
import type { Survey } from './survey.ts';

/** Steps at once on one host: starting services compete for its processors. */
const stepsPerHost = 4;

export function showPlan(plan: Plan, output: Output, diff?: DiffMode): void {
  if (output.json) output.data(planJson(plan));
  else output.line(planText(plan, diff));
}

/** Asks before the first change, unless told not to; without a terminal nothing is changed unasked. */
export async function confirmed(options: ChangeOptions, question: string): Promise<boolean> {
  if (options.confirm !== undefined) return options.confirm(question);
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

/**
 * Carries a confirmed plan out between the operator's hooks and reports; the exit code says how it went.
 * `lookAgain` is called once all steps are done, and throws when they were not enough.
 */
export async function carryOut(
  plan: Plan,
  survey: Survey,
  options: ChangeOptions,
  output: Output,
  lookAgain: () => Promise<void> = async () => undefined,
): Promise<ExitCode> {
  const runId = survey.holder?.run ?? newRunId();
  const { hooks, hookTimeout: timeout } = survey;
  const settings = { hooks, timeout, runId, configdir: resolve(options.configdir), tags: options.tags };
  const interrupts = listenForInterrupts(output);
  try {
    return await amidHooks(plan, settings, output, async () => {
      const result = await carryOutSteps(plan, survey, options, output, { settings, interrupts });
      const failedSteps = result.failed.map(({ step }) => step.id);
      const exit = interrupts.by() ?? exitOf(result);
      if (exit === exitCode.interrupted || exit === exitCode.terminated) output.note('to go on: deploy resume');
      if (exit === exitCode.ok) await lookAgain();
      return { exit, failedSteps };
    });
  } finally {
    interrupts.end();
    output.diagnostics(skippedWarnings(survey.skipped ?? []));
  }
}

/** The first SIGINT or SIGTERM lets running steps and hooks finish and begins nothing more; the second ends it all. */
function listenForInterrupts(output: Output) {
  const stop = new AbortController();
  let interruptedBy: ExitCode | undefined;
  const onSignal = (signal: NodeJS.Signals) => {
    if (interruptedBy !== undefined) process.exit(interruptedBy);
    interruptedBy = signal === 'SIGINT' ? exitCode.interrupted : exitCode.terminated;
    stop.abort();
    output.note('finishing the running steps; once more stops at once');
  };
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
  return {
    signal: stop.signal,
    by: () => interruptedBy,
    end: () => void process.off('SIGINT', onSignal).off('SIGTERM', onSignal),
  };
}

type Interrupts = ReturnType<typeof listenForInterrupts>;

async function carryOutSteps(
  plan: Plan,
  survey: Survey,
  options: ChangeOptions,
  output: Output,
  { settings, interrupts }: { readonly settings: HookSettings; readonly interrupts: Interrupts },
): Promise<RunResult> {
  const { runPlan } = await import('../run/run.ts');
  const failpoint = failpointOf(process.env);
  const progress = createProgress(output, () => performance.now());
  const journal = survey.holder && beginJournal(plan, survey, survey.holder, options);
  const onEvent = (event: RunEvent) => {
    progress.event(event);
    journal?.event(event);
  };
  const result = await runPlan(
    plan,
    {
      nodes: survey.nodes,
      clients: createClients(),
      clock: { now: () => performance.now(), sleep: (ms) => sleep(ms) },
      hooks: hooksPort(plan, settings),
      randomBytes,
    },
    {
      runId: settings.runId,
      forks: options.forks,
      perHost: stepsPerHost,
      signal: interrupts.signal,
      maxFailed: options.maxFail && hostsThatMayFail(options.maxFail, plan.steps),
      onEvent,
      failpoint,
    },
  );
  progress.summary(result);
  journal?.end(result, interrupts.by() ?? exitOf(result));
  const outcome = outcomeText(plan, result);
  if (outcome !== undefined && !output.json) output.line(outcome);
  const stopped = options.maxFail ? stoppedText(plan, result, maxFailText(options.maxFail)) : [];
  if (stopped.length > 0 && !output.json) output.line(stopped.join('\n'));
  return result;
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
