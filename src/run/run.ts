import PQueue from 'p-queue';
import { DeployError, type Diagnostic, error } from '../core/model/diagnostic.ts';
import type { HostName } from '../core/model/node.ts';
import type { Plan, Step, StepId } from '../core/plan/steps.ts';
import { execute } from './executors.ts';
import type { RunPorts } from './step-context.ts';

export type RunEvent =
  | { readonly event: 'started'; readonly step: Step }
  | { readonly event: 'progress'; readonly step: Step; readonly line: string }
  | { readonly event: 'done'; readonly step: Step; readonly note?: string | undefined; readonly ms: number }
  | { readonly event: 'failed'; readonly step: Step; readonly diagnostics: readonly Diagnostic[] }
  | { readonly event: 'skipped'; readonly step: Step; readonly because: StepId };

export interface RunOptions {
  readonly runId: string;
  /** Steps at once, over all hosts. */
  readonly forks: number;
  /** Steps at once on one host. */
  readonly perHost: number;
  /** Once aborted, no further step is started; running ones end by themselves. */
  readonly signal: AbortSignal;
  onEvent(event: RunEvent): void;
}

export interface RunResult {
  readonly done: number;
  readonly failed: readonly { readonly step: Step; readonly diagnostics: readonly Diagnostic[] }[];
  /** Steps not carried out because something they need failed, or the run was stopped. */
  readonly left: readonly Step[];
}

/** Walks the step graph: a step starts as soon as everything it needs is done; a failure stops what depends on it. */
export async function runPlan(plan: Plan, ports: RunPorts, options: RunOptions): Promise<RunResult> {
  const walk = new Walk(plan.steps, ports, options);
  await walk.finished();
  return walk.result();
}

class Walk {
  readonly #waiting = new Map<StepId, Step>();
  readonly #done = new Set<StepId>();
  readonly #failed: { step: Step; diagnostics: readonly Diagnostic[] }[] = [];
  readonly #left: Step[] = [];
  readonly #queue: PQueue;
  readonly #hosts = new Map<HostName, PQueue>();
  readonly #ports: RunPorts;
  readonly #options: RunOptions;

  constructor(steps: readonly Step[], ports: RunPorts, options: RunOptions) {
    this.#ports = ports;
    this.#options = options;
    this.#queue = new PQueue({ concurrency: options.forks });
    for (const step of steps) this.#waiting.set(step.id, step);
  }

  async finished(): Promise<void> {
    this.#startReady();
    // A host's queue hands its steps to the common one: idle means both are.
    while (
      this.#queue.size + this.#queue.pending > 0 ||
      [...this.#hosts.values()].some((q) => q.size + q.pending > 0)
    ) {
      await Promise.all([this.#queue.onIdle(), ...[...this.#hosts.values()].map((q) => q.onIdle())]);
    }
    this.#left.push(...this.#waiting.values());
  }

  result(): RunResult {
    return { done: this.#done.size, failed: this.#failed, left: this.#left };
  }

  #startReady(): void {
    if (this.#options.signal.aborted) return;
    for (const step of [...this.#waiting.values()]) {
      if (!step.needs.every((id) => this.#done.has(id))) continue;
      this.#waiting.delete(step.id);
      void this.#hostQueue(step.host).add(() => this.#queue.add(() => this.#carryOut(step)));
    }
  }

  #hostQueue(host: HostName): PQueue {
    const existing = this.#hosts.get(host);
    if (existing) return existing;
    const queue = new PQueue({ concurrency: this.#options.perHost });
    this.#hosts.set(host, queue);
    return queue;
  }

  async #carryOut(step: Step): Promise<void> {
    if (this.#options.signal.aborted) {
      this.#left.push(step);
      return;
    }
    const { clock, nodes } = this.#ports;
    const started = clock.now();
    this.#options.onEvent({ event: 'started', step });
    try {
      const progress = (line: string) => this.#options.onEvent({ event: 'progress', step, line });
      const note = await execute(step, {
        ...this.#ports,
        runId: this.#options.runId,
        progress,
        // A step on the control host needs no node: only who asks for one must have it.
        get node() {
          const node = nodes.get(step.host);
          if (node === undefined) throw new Error(`${step.host} is not connected`);
          return node;
        },
      });
      this.#done.add(step.id);
      this.#options.onEvent({ event: 'done', step, note, ms: clock.now() - started });
      this.#startReady();
    } catch (cause) {
      this.#fail(step, cause);
    }
  }

  #fail(step: Step, cause: unknown): void {
    const diagnostics =
      cause instanceof DeployError ? cause.diagnostics : [error('internal', describe(cause), { host: step.host })];
    this.#failed.push({ step, diagnostics });
    this.#options.onEvent({ event: 'failed', step, diagnostics });
    const lost = new Set([step.id]);
    for (const waiting of [...this.#waiting.values()]) {
      if (!waiting.needs.some((id) => lost.has(id))) continue;
      lost.add(waiting.id);
      this.#waiting.delete(waiting.id);
      this.#left.push(waiting);
      this.#options.onEvent({ event: 'skipped', step: waiting, because: step.id });
    }
  }
}

function describe(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
