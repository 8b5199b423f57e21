import { randomBytes } from 'node:crypto';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { DeployError, type ExitCode, error, exitCode } from '../core/model/diagnostic.ts';
import type { DiffMode } from '../core/plan/file-diff.ts';
import { hostsThatMayFail, maxFailText } from '../core/plan/max-fail.ts';
import type { Plan } from '../core/plan/steps.ts';
import { stoppedText } from '../report/failure-text.ts';
import { unfinishedText } from '../report/interrupt-text.ts';
import { outcomeText } from '../report/outcome-text.ts';
import { planJson, planText } from '../report/plan-text.ts';
import { createProgress } from '../report/progress.ts';
import type { RunResult } from '../run/run.ts';
import { createClients } from './clients.ts';
import { failpointOf } from './failpoint.ts';
import { type Interrupts, listenForInterrupts } from './interrupts.ts';
import { newRunId } from './lock.ts';
import type { ChangeOptions } from './options.ts';
import type { Output } from './output.ts';
import { skippedWarnings } from './reach.ts';
import { amidHooks, type HookSettings, hooksPort } from './run-hooks.ts';
import { beginRecord, type RunRecord } from './run-record.ts';
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
  return ask(`${question} [y/N] `);
}

/** The end of the input is a no. Throws DeployError (exit 130) for Ctrl-C. */
async function ask(question: string): Promise<boolean> {
  const prompt = createInterface({ input: process.stdin, output: process.stdout });
  const ended = new AbortController();
  let interrupted = false;
  prompt.once('SIGINT', () => {
    interrupted = true;
    prompt.close();
  });
  prompt.once('close', () => ended.abort());
  const answer = await prompt.question(question, { signal: ended.signal }).catch((cause: unknown) => {
    if (!ended.signal.aborted) throw cause;
    return '';
  });
  prompt.close();
  if (interrupted) throw new DeployError([error('interrupted', 'nothing was changed')], exitCode.interrupted);
  return ['y', 'yes'].includes(answer.trim().toLowerCase());
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
  const record = beginRecord(plan, survey, options, output);
  const told = 'told to stop: nothing new is begun';
  const interrupts = listenForInterrupts(() => {
    record.note(told);
    output.note(`${told}; SIGINT or SIGTERM once more stops at once`);
  });
  const run = { settings, interrupts, record };
  let exit: ExitCode = exitCode.failed;
  try {
    exit = await amidHooks(plan, settings, output, async () => {
      const result = await carryOutSteps(plan, survey, options, output, run);
      const failedSteps = result.failed.map(({ step }) => step.id);
      const by = interrupts.by();
      if (by !== undefined) output.note(`to go on: ${record.again}`);
      const ended = by ?? exitOf(result);
      if (ended === exitCode.ok) await lookAgain();
      return { exit: ended, failedSteps };
    });
    return exit;
  } catch (cause) {
    if (!(cause instanceof DeployError)) throw cause;
    exit = cause.exit;
    for (const { message } of cause.diagnostics) record.note(message);
    throw cause;
  } finally {
    await record.end(exit);
    interrupts.end();
    output.diagnostics(skippedWarnings(survey.skipped ?? []));
  }
}

interface Run {
  readonly settings: HookSettings;
  readonly interrupts: Interrupts;
  readonly record: RunRecord;
}

async function carryOutSteps(
  plan: Plan,
  survey: Survey,
  options: ChangeOptions,
  output: Output,
  { settings, interrupts, record }: Run,
): Promise<RunResult> {
  const { runPlan } = await import('../run/run.ts');
  const failpoint = failpointOf(process.env, (text) => output.note(text));
  const progress = createProgress(output, () => performance.now());
  await record.onNodes();
  const result = await runPlan(
    plan,
    {
      nodes: survey.nodes,
      clients: createClients(),
      clock: { now: () => performance.now(), sleep: (ms) => sleep(ms) },
      hooks: hooksPort(plan, settings),
      randomBytes,
      onPosition: options.onPosition,
    },
    {
      runId: settings.runId,
      forks: options.forks,
      perHost: stepsPerHost,
      signal: interrupts.signal,
      maxFailed: options.maxFail && hostsThatMayFail(options.maxFail, plan.steps),
      onInterrupt: (unfinished) => output.note(unfinishedText(unfinished)),
      onEvent: (event) => {
        // First the journal: a step that is not begun is not told of.
        record.event(event);
        progress.event(event);
        options.onEvent?.(event);
      },
      failpoint,
    },
  );
  progress.summary(result);
  output.diagnostics(result.refused ?? []);
  if (result.tooManyFailed) record.tooManyFailed(result.tooManyFailed);
  const outcome = outcomeText(plan, result);
  if (outcome !== undefined && !output.json) output.line(outcome);
  const stopped = options.maxFail ? stoppedText(plan, result, maxFailText(options.maxFail)) : [];
  if (stopped.length > 0 && !output.json) output.line(stopped.join('\n'));
  return result;
}

/** What could not be put back is worst; put back is only what nothing else failed beside. */
function exitOf({ done, failed, reverted, notReverted, refused }: RunResult): ExitCode {
  if (notReverted.length > 0) return exitCode.notReverted;
  if (refused !== undefined) return done === 0 ? exitCode.nodeNotUsable : exitCode.failed;
  if (failed.length === 0) return exitCode.ok;
  return reverted.length === failed.length ? exitCode.reverted : exitCode.failed;
}

export function describeLeft(plan: Plan): DeployError {
  const what = plan.steps.slice(0, 5).map((step) => `${step.host} ${step.kind} (${step.reason})`);
  const message = `after the run the nodes still differ from what is wanted: ${what.join('; ')}`;
  return new DeployError([error('not-converged', message, { hint: 'run the same command again' })], exitCode.failed);
}
