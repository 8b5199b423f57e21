import type { StepOf } from '../core/plan/steps.ts';
import { failed, indent, type StepContext } from './step-context.ts';

/** The engine's own checks come every 30 s; a rollout cannot wait for them and asks itself. */
const probeEveryMs = 400;
/** Most services are up within two seconds, and a rollout waits for one after the other. */
const early = { forMs: 4_000, probeEveryMs: 150 };
/** One pass may be luck between two crashes: both must be of the same start of the container. */
const passesNeeded = 2;
/** Without a health check a container counts as well once it has run this long without a restart. */
const stableMs = 2_000;
const restartsTolerated = 3;

/**
 * Returns once the container has passed its own health check twice in a row, run by `exec` as the engine would.
 * Fails with the container's last log lines when it keeps crashing or the deadline passes.
 */
export async function waitUntilHealthy(step: StepOf<'healthy'>, context: StepContext): Promise<string | undefined> {
  const { node, clock } = context;
  const started = clock.now();
  let passes = 0;
  let restarts = 0;
  let last = 'no answer yet';
  for (;;) {
    const state = await node.inspect(step.container);
    if (state === undefined) throw failed(step, `${step.container} has gone`);
    if (
      state.restartCount >= restartsTolerated ||
      (!state.running && state.restartCount === 0 && state.exitCode !== 0)
    ) {
      throw await crashed(step, context, `${step.container} does not stay up (exit code ${state.exitCode})`);
    }
    if (state.restartCount !== restarts) passes = 0;
    restarts = state.restartCount;
    if (state.running) {
      const probe = await probeOnce(step, context, clock.now() - started);
      passes = probe.pass ? passes + 1 : 0;
      last = probe.message;
      if (passes >= (step.healthcheck ? passesNeeded : 1)) return undefined;
    } else passes = 0;
    if (clock.now() - started > step.deadlineSeconds * 1000) {
      throw await crashed(
        step,
        context,
        `${step.container} did not become healthy in ${step.deadlineSeconds} s: ${last}`,
      );
    }
    await clock.sleep(clock.now() - started < early.forMs ? early.probeEveryMs : probeEveryMs);
  }
}

async function probeOnce(
  step: StepOf<'healthy'>,
  { node }: StepContext,
  runningMs: number,
): Promise<{ pass: boolean; message: string }> {
  if (step.healthcheck === undefined) return { pass: runningMs >= stableMs, message: 'not yet stable' };
  const timeoutMs = step.healthcheck.timeout * 1000;
  const result = await node.exec(step.container, ['/bin/sh', '-c', step.healthcheck.test], { timeoutMs });
  const said = `${result.stdout} ${result.stderr}`.trim().split('\n').pop() ?? '';
  return { pass: result.code === 0, message: `health check ended with ${result.code} ${said}`.trim() };
}

async function crashed(step: StepOf<'healthy'>, { node }: StepContext, message: string) {
  const logs = await node.logs(step.container, 20);
  return failed(step, `${message}; it logged last:\n${indent(logs)}`);
}
