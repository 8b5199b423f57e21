import PQueue from 'p-queue';
import { DeployError, type Diagnostic, error } from '../core/model/diagnostic.ts';
import type { HostName } from '../core/model/node.ts';
import { failedHosts } from '../core/plan/max-fail.ts';
import type { Plan, Step, StepId, WayBack } from '../core/plan/steps.ts';
import { execute } from './executors.ts';
import { Interruption, type Unfinished } from './interruption.ts';
import type { RunPorts } from './step-context.ts';
import { type Failure, goBack, isNodeFault, lostHosts, notBlamed, type Outcome, Rollout } from './way-back.ts';

export type RunEvent =
  | { readonly event: 'started'; readonly step: Step }
  | { readonly event: 'progress'; readonly step: Step; readonly line: string }
  | { readonly event: 'done'; readonly step: Step; readonly note?: string | undefined; readonly ms: number }
  | { readonly event: 'failed'; readonly step: Step; readonly diagnostics: readonly Diagnostic[] }
  | { readonly event: 'skipped'; readonly step: Step; readonly because: StepId }
  /** `step` is the one that failed. */
  | { readonly event: 'reverting' | 'reverted' | 'revert-failed'; readonly step: Step; readonly way: WayBack };

export interface RunOptions {
  readonly runId: string;
  /** Steps at once, over all hosts. */
  readonly forks: number;
  /** Steps at once on one host. */
  readonly perHost: number;
  /**
   * Once aborted, only steps that bring back what was taken away are started; running ones end by themselves, except
   * tasks, which are ended.
   */
  readonly signal: AbortSignal;
  /** Once more hosts than this have failed, no further step is started either. No limit without it. */
  readonly maxFailed?: number | undefined;
  /** Told once the signal is aborted. */
  readonly onInterrupt?: ((unfinished: Unfinished) => void) | undefined;
  /** Throws from `started` when that cannot be noted: then the run stops as if interrupted. */
  onEvent(event: RunEvent): void;
  /** Called around each step; a test fails there. */
  readonly failpoint?: ((step: Step, when: 'before' | 'after') => Promise<void>) | undefined;
}

export interface RunResult {
  readonly done: number;
  readonly failed: readonly Failure[];
  /** What did not serve and was put back: the nodes are there as they were before. */
  readonly reverted: readonly Outcome[];
  /** What did not serve and could not be put back, or has no way back. */
  readonly notReverted: readonly Outcome[];
  /** Steps not carried out because something they need failed, or the run was stopped. */
  readonly left: readonly Step[];
  /** The hosts that failed, when they were more than may fail and the run was stopped because of them. */
  readonly tooManyFailed?: readonly HostName[] | undefined;
  /** Why nothing more was begun: it could not be noted. */
  readonly refused?: readonly Diagnostic[] | undefined;
}

/** Walks the step graph: a step starts as soon as everything it needs is done; a failure stops what depends on it. */
export async function runPlan(plan: Plan, ports: RunPorts, options: RunOptions): Promise<RunResult> {
  const walk = new Walk(plan, ports, options);
  await walk.finished();
  return walk.result();
}

class Walk {
  readonly #waiting = new Map<StepId, Step>();
  readonly #done = new Set<StepId>();
  readonly #failed: Failure[] = [];
  readonly #lost = new Set<HostName>();
  readonly #reverted: Outcome[] = [];
  readonly #notReverted: Outcome[] = [];
  readonly #rollouts = new Map<StepId, Rollout>();
  /** Ways back wait for nobody: the old version is missed while they do. */
  readonly #backs = new PQueue();
  readonly #left: Step[] = [];
  readonly #queue: PQueue;
  readonly #hosts = new Map<HostName, PQueue>();
  readonly #ports: RunPorts;
  readonly #options: RunOptions;
  readonly #interruption: Interruption;

  constructor(plan: Plan, ports: RunPorts, options: RunOptions) {
    const { steps, waysBack } = plan;
    this.#ports = ports;
    this.#options = options;
    this.#interruption = new Interruption(plan, options.signal, options.onInterrupt);
    this.#queue = new PQueue({ concurrency: options.forks });
    for (const step of steps) this.#waiting.set(step.id, step);
    const hosts = new Map(steps.map((step) => [step.id, step.host]));
    for (const way of waysBack) {
      const rollout = new Rollout(way, new Set(way.triggers.flatMap((id) => hosts.get(id) ?? [])));
      for (const id of way.triggers) this.#rollouts.set(id, rollout);
    }
  }

  async finished(): Promise<void> {
    this.#startReady();
    // A host's queue hands its steps to the common one: idle means both are.
    const queues = () => [this.#queue, this.#backs, ...this.#hosts.values()];
    while (queues().some((queue) => queue.size + queue.pending > 0)) {
      await Promise.all(queues().map((queue) => queue.onIdle()));
    }
    this.#left.push(...this.#waiting.values());
  }

  result(): RunResult {
    return {
      done: this.#done.size,
      failed: this.#failed,
      reverted: this.#reverted,
      notReverted: this.#notReverted,
      left: this.#left,
      tooManyFailed: this.#tooManyFailed(),
      refused: this.#interruption.refused,
    };
  }

  #tooManyFailed(): readonly HostName[] | undefined {
    const { maxFailed } = this.#options;
    if (maxFailed === undefined || this.#failed.length <= maxFailed) return undefined;
    const hosts = failedHosts(this.#failed);
    return hosts.length > maxFailed ? hosts : undefined;
  }

  #startReady(): void {
    for (const step of [...this.#waiting.values()]) {
      if (!step.needs.every((id) => this.#done.has(id)) || !this.#interruption.allows(step)) continue;
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
    const rollout = this.#rollouts.get(step.id);
    if (!this.#interruption.allows(step) || rollout?.because || !this.#begin(step)) {
      this.#left.push(step);
      if (rollout?.because) this.#skip([step], rollout.because.step.id);
      return;
    }
    rollout?.begin(step);
    const failure = await this.#attempt(step, rollout);
    if (failure === undefined) {
      this.#done.add(step.id);
      this.#startReady();
    } else this.#fail(failure, rollout);
    rollout?.end(step);
    if (rollout?.because) this.#goBackOnceIdle(rollout);
  }

  /** Whoever listens may refuse: nothing is done that could not be noted first, except to bring something back. */
  #begin(step: Step): boolean {
    try {
      this.#options.onEvent({ event: 'started', step });
    } catch (cause) {
      if (!this.#interruption.refuse(step, diagnosticsOf(cause, step))) return false;
    }
    this.#interruption.begin(step);
    return true;
  }

  /** Runs one step of the plan or of a way back and tells how it went. */
  async #attempt(step: Step, rollout?: Rollout): Promise<(Failure & { readonly cause: unknown }) | undefined> {
    const { clock, nodes } = this.#ports;
    const { onEvent, runId, failpoint, signal } = this.#options;
    const started = clock.now();
    try {
      const progress = (line: string) => onEvent({ event: 'progress', step, line });
      await failpoint?.(step, 'before');
      const note = await execute(step, {
        ...this.#ports,
        runId,
        givenUp: rollout?.givenUp.signal,
        interrupted: signal,
        progress,
        // A step on the control host needs no node: only who asks for one must have it.
        get node() {
          const node = nodes.get(step.host);
          if (node === undefined) throw new Error(`${step.host} is not connected`);
          return node;
        },
      });
      await failpoint?.(step, 'after');
      onEvent({ event: 'done', step, note, ms: clock.now() - started });
      return undefined;
    } catch (cause) {
      const diagnostics = [...diagnosticsOf(cause, step), ...this.#excuse(step, cause, rollout)];
      // One that was given up is not what went wrong.
      if (!rollout?.because) onEvent({ event: 'failed', step, diagnostics });
      return { step, diagnostics, cause };
    } finally {
      this.#interruption.end(step);
    }
  }

  /** Hosts of its replicas that were lost in this run. */
  #lostOf({ hosts }: Rollout): readonly HostName[] {
    return [...this.#lost].filter((host) => hosts.has(host));
  }

  #excuse(step: Step, cause: unknown, rollout: Rollout | undefined): readonly Diagnostic[] {
    if (isNodeFault(cause)) {
      for (const host of lostHosts(diagnosticsOf(cause, step), step.host)) this.#lost.add(host);
      return [];
    }
    if (rollout === undefined) return [];
    const lost = this.#lostOf(rollout);
    return lost.length > 0 ? [notBlamed(step, lost)] : [];
  }

  #fail({ step, diagnostics, cause }: Failure & { readonly cause: unknown }, rollout?: Rollout): void {
    if (rollout?.because) {
      this.#left.push(step);
      this.#skip([step], rollout.because.step.id);
      return;
    }
    const failure = { step, diagnostics };
    this.#failed.push(failure);
    if (this.#tooManyFailed()) this.#interruption.stop();
    if (rollout === undefined || isNodeFault(cause) || this.#lostOf(rollout).length > 0) {
      this.#skip([], step.id);
      return;
    }
    this.#giveUp(rollout, failure);
    for (const follower of this.#followers(rollout)) if (!follower.because) this.#giveUp(follower, failure);
  }

  /** Rollouts that have run ahead of this one. */
  #followers({ way }: Rollout): Rollout[] {
    return [...new Set(this.#rollouts.values())].filter((other) => other.way.follows === way.rollout);
  }

  /**
   * Goes back once none of its steps is under way. What ran ahead of it goes first, one replica after the other, as it
   * must not call what it has been replaced for.
   */
  #goBackOnceIdle(rollout: Rollout): void {
    const leader = [...this.#rollouts.values()].find((other) => other.way.rollout === rollout.way.follows);
    const last = leader?.because ? leader : rollout;
    const all = [...this.#followers(last).filter(({ begun }) => begun), last];
    if (all.some(({ running }) => running)) return;
    void this.#backs.add(async () => {
      for (const one of all) await one.back(() => this.#goBack(one));
    });
  }

  /** Its steps that wait are not carried out; it goes back once those under way have ended. */
  #giveUp(rollout: Rollout, failure: Failure): void {
    rollout.giveUp(failure);
    const rest = rollout.way.triggers.flatMap((id) => this.#waiting.get(id) ?? []);
    for (const waiting of rest) this.#waiting.delete(waiting.id);
    this.#left.push(...rest);
    this.#skip(rest, failure.step.id);
  }

  /** Tells of steps that are not carried out, and drops all that needs them or the one that failed. */
  #skip(first: readonly Step[], because: StepId): void {
    const { onEvent } = this.#options;
    for (const step of first) onEvent({ event: 'skipped', step, because });
    const lost = new Set([because, ...first.map((step) => step.id)]);
    for (const waiting of [...this.#waiting.values()]) {
      if (!waiting.needs.some((id) => lost.has(id))) continue;
      lost.add(waiting.id);
      this.#waiting.delete(waiting.id);
      this.#left.push(waiting);
      onEvent({ event: 'skipped', step: waiting, because });
    }
  }

  async #goBack({ way, because }: Rollout): Promise<void> {
    if (because === undefined) return;
    const { step } = because;
    const tell = (event: 'reverting' | 'reverted' | 'revert-failed') => this.#options.onEvent({ event, step, way });
    if (way.impossible !== undefined) {
      this.#notReverted.push({ way, because, failed: [] });
      tell('revert-failed');
      return;
    }
    tell('reverting');
    const failed = await goBack(way, (one) => {
      this.#begin(one);
      return this.#attempt(one);
    });
    (failed.length > 0 ? this.#notReverted : this.#reverted).push({ way, because, failed });
    tell(failed.length > 0 ? 'revert-failed' : 'reverted');
  }
}

function diagnosticsOf(cause: unknown, { host }: Step): readonly Diagnostic[] {
  if (cause instanceof DeployError) return cause.diagnostics;
  return [error('internal', cause instanceof Error ? cause.message : String(cause), { host })];
}
