import { DeployError, exitCode } from '../core/model/diagnostic.ts';
import type { StepOf } from '../core/plan/steps.ts';
import type { ContainerInspection } from './ports.ts';
import { failed, indent, type StepContext } from './step-context.ts';

/** Between two looks at the container; between two checks `askingWell` waits itself. */
const lookEveryMs = 100;
/** Without a health check a container counts as well once it has run this long without a restart. */
const stableMs = 2_000;
const restartsTolerated = 3;
/** A check that hangs says the same as one that fails, and the old container waits to serve again. */
const checkTimeoutMs = 10_000;
/** `askingWell` takes about so long when each check fails at once. */
const askingMs = 2_500;
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
  let last = 'no answer yet';
  let heard = last;
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
    if (state.running) {
      const times = { runningMs: clock.now() - started, patienceMs: progress.patienceMs };
      const probe = await ask(step, context, state, times);
      if (probe.pass) return undefined;
      last = probe.message;
      if (!probe.hangs) heard = last;
    }
    if (context.givenUp?.aborted) throw failed(step, `${step.container} was given up, as another replica failed`);
    const why = await progress.missing(`${state.running} ${state.restartCount}`, heard);
    if (why !== undefined)
      throw await crashed(step, context, `${step.container} did not become healthy ${why}: ${last}`);
    await clock.sleep(lookEveryMs);
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

/**
 * For a shell in the container: runs the check `$1` again and again for one or two seconds, and ends with 0 once it has
 * passed twice in a row, else as the check ended last, with what that one said. One pass may be luck between two
 * crashes; both are of the same start of the container, as a command in it ends with it. Each `exec` costs the node
 * nearly a tenth of a second of processor time, which a starting service needs itself: so one asks several times.
 */
export const askingWell = `
passed=0 end=$(($(date +%s) + 2))
while :; do
  said=$(/bin/sh -c "$1" 2>&1) && code=0 || code=$?
  if [ $code -ne 0 ]; then passed=0; elif [ $passed -eq 1 ]; then exit 0; else passed=1; fi
  if [ $passed -eq 0 ] && [ "$(date +%s)" -ge $end ]; then printf '%s\\n' "$said"; exit $code; fi
  sleep 0.15
done`;

async function ask(
  step: StepOf<'healthy'>,
  { node }: StepContext,
  state: ContainerInspection,
  { runningMs, patienceMs }: { readonly runningMs: number; readonly patienceMs: number },
): Promise<{ pass: boolean; hangs?: boolean; message: string }> {
  const test = step.ownCheck ? state.check : step.healthcheck?.test;
  if (test === undefined) return { pass: runningMs >= stableMs, message: 'not yet stable' };
  const checkMs = Math.min((step.healthcheck?.timeout ?? 30) * 1000, checkTimeoutMs);
  const timeoutMs = Math.min(askingMs + checkMs, Math.max(patienceMs, askingMs));
  try {
    const argv = ['/bin/sh', '-c', askingWell, 'health', test];
    const result = await node.exec(step.container, argv, { timeoutMs });
    const said = `${result.stdout} ${result.stderr}`.trim().split('\n').pop() ?? '';
    const message = `health check ended with ${result.code} ${said}`.trim();
    return { pass: result.code === 0, message };
  } catch (cause) {
    if (!aboutContainer(cause)) throw cause;
    const [problem] = cause.diagnostics;
    const said = problem?.code === 'timeout' ? 'did not end in time' : `could not be run: ${problem?.message ?? ''}`;
    return { pass: false, hangs: problem?.code === 'timeout', message: `health check ${said}` };
  }
}

/** A command in a container hangs, or cannot be run as the container just ended. Anything else is about the node. */
export function aboutContainer(cause: unknown): cause is DeployError {
  if (!(cause instanceof DeployError)) return false;
  return cause.exit === exitCode.failed || cause.diagnostics.every((d) => d.code === 'timeout');
}

async function crashed(step: StepOf<'healthy'>, { node }: StepContext, message: string) {
  const logs = await node.logs(step.container, lastWords);
  return failed(step, `${message}; it logged last:\n${indent(logs)}`);
}
