import { DeployError, exitCode } from '../core/model/diagnostic.ts';
import type { StepOf } from '../core/plan/steps.ts';
import type { ContainerInspection } from './ports.ts';
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
/** A check that hangs says the same as one that fails, and the old container waits to serve again. */
const probeTimeoutMs = 10_000;
const logEveryMs = 3_000;
const lastWords = 50;

/**
 * Returns once the container has passed its own health check twice in a row, run by `exec` as the engine would.
 * Fails with the container's last log lines when it keeps crashing, makes no progress for as long as the step has
 * patience, or the deadline passes.
 */
export async function waitUntilHealthy(step: StepOf<'healthy'>, context: StepContext): Promise<string | undefined> {
  const { node, clock } = context;
  const started = clock.now();
  const progress = new Progress(step, context);
  let passes = 0;
  let restarts = 0;
  let last = 'no answer yet';
  let exitCode = 0;
  for (;;) {
    const state = await node.inspect(step.container);
    if (state === undefined) throw failed(step, `${step.container} has gone`);
    // While it runs once more the engine shows no trace of how it ended before.
    exitCode = state.exitCode || exitCode;
    if (
      state.restartCount >= restartsTolerated ||
      (!state.running && state.restartCount === 0 && state.exitCode !== 0)
    ) {
      throw await crashed(step, context, `${step.container} does not stay up (exit code ${exitCode})`);
    }
    if (state.restartCount !== restarts) passes = 0;
    restarts = state.restartCount;
    if (state.running) {
      const times = { runningMs: clock.now() - started, patienceMs: progress.patienceMs };
      const probe = await probeOnce(step, context, state, times);
      passes = probe.pass ? passes + 1 : 0;
      last = probe.message;
      if (passes >= (probe.checked ? passesNeeded : 1)) return undefined;
    } else passes = 0;
    if (context.givenUp?.aborted) throw failed(step, `${step.container} was given up, as another replica failed`);
    const why = await progress.missing(`${state.running} ${state.restartCount}`, last);
    if (why !== undefined)
      throw await crashed(step, context, `${step.container} did not become healthy ${why}: ${last}`);
    await clock.sleep(clock.now() - started < early.forMs ? early.probeEveryMs : probeEveryMs);
  }
}

/** Whether a starting container still gets anywhere, as far as can be seen from outside. */
class Progress {
  readonly #step: StepOf<'healthy'>;
  readonly #context: StepContext;
  readonly #seen = new Set<string>();
  readonly #started: number;
  #latest: number;
  #logged: number;

  constructor(step: StepOf<'healthy'>, context: StepContext) {
    this.#step = step;
    this.#context = context;
    this.#started = context.clock.now();
    this.#latest = this.#started;
    this.#logged = this.#started;
  }

  /** What is left of it. */
  get patienceMs(): number {
    return this.#latest + this.#step.patienceSeconds * 1000 - this.#context.clock.now();
  }

  /** Undefined while there is hope, else for how long there was none. */
  async missing(state: string, answer: string): Promise<string | undefined> {
    const { clock, node } = this.#context;
    const { patienceSeconds, deadlineSeconds, container } = this.#step;
    this.#note(`state ${state}`);
    this.#note(`answer ${answer}`);
    if (clock.now() - this.#logged >= logEveryMs) {
      this.#logged = clock.now();
      for (const line of (await node.logs(container, 5)).split('\n')) this.#note(`log ${line}`);
    }
    if (clock.now() - this.#started > deadlineSeconds * 1000) return `in ${deadlineSeconds} s`;
    if (this.patienceMs < 0) return `and made no progress for ${patienceSeconds} s`;
    return undefined;
  }

  /** A line that differs from an earlier one only in a time, an attempt or a process is no news. */
  #note(fact: string): void {
    const shape = fact.replace(/\b[0-9a-f-]{8,}\b|\d+(?:\.\d+)*/gi, '#');
    if (this.#seen.has(shape)) return;
    this.#seen.add(shape);
    this.#latest = this.#context.clock.now();
  }
}

async function probeOnce(
  step: StepOf<'healthy'>,
  { node }: StepContext,
  state: ContainerInspection,
  { runningMs, patienceMs }: { readonly runningMs: number; readonly patienceMs: number },
): Promise<{ pass: boolean; checked: boolean; message: string }> {
  const test = step.ownCheck ? state.check : step.healthcheck?.test;
  if (test === undefined) return { pass: runningMs >= stableMs, checked: false, message: 'not yet stable' };
  const timeoutMs = Math.min((step.healthcheck?.timeout ?? 30) * 1000, probeTimeoutMs, Math.max(patienceMs, 1_000));
  try {
    const result = await node.exec(step.container, ['/bin/sh', '-c', test], { timeoutMs });
    const said = `${result.stdout} ${result.stderr}`.trim().split('\n').pop() ?? '';
    const message = `health check ended with ${result.code} ${said}`.trim();
    return { pass: result.code === 0, checked: true, message };
  } catch (cause) {
    if (!aboutContainer(cause)) throw cause;
    const [problem] = cause.diagnostics;
    const said = problem?.code === 'timeout' ? 'did not end in time' : `could not be run: ${problem?.message ?? ''}`;
    return { pass: false, checked: true, message: `health check ${said}` };
  }
}

/** A check that hangs, or cannot be run as the container just ended. Anything else is about the node. */
function aboutContainer(cause: unknown): cause is DeployError {
  if (!(cause instanceof DeployError)) return false;
  return cause.exit === exitCode.failed || cause.diagnostics.every((d) => d.code === 'timeout');
}

async function crashed(step: StepOf<'healthy'>, { node }: StepContext, message: string) {
  const logs = await node.logs(step.container, lastWords);
  return failed(step, `${message}; it logged last:\n${indent(logs)}`);
}
