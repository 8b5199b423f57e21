import type { Diagnostic } from '../core/model/diagnostic.ts';
import type { Plan, Step, StepId } from '../core/plan/steps.ts';
import { underWay } from '../core/plan/under-way.ts';

/** What an interrupted run does before it ends. */
export interface Unfinished {
  readonly running: readonly Step[];
  /** Begun all the same, as a replica that was taken away would stay away without them. */
  readonly still: readonly Step[];
}

/**
 * Decides what may still begin. Nothing once the run was interrupted or too much has failed, or a step could not be noted, except
 * steps that bring back what has been taken away.
 */
export class Interruption {
  readonly #plan: Plan;
  readonly #signal: AbortSignal;
  readonly #begun = new Set<StepId>();
  readonly #running = new Map<StepId, Step>();
  #still: ReadonlySet<StepId> | undefined;
  #refused: readonly Diagnostic[] | undefined;
  #stopped = false;

  constructor(plan: Plan, signal: AbortSignal, tell: (unfinished: Unfinished) => void = () => undefined) {
    this.#plan = plan;
    this.#signal = signal;
    if (signal.aborted) return;
    signal.addEventListener('abort', () => tell(this.#unfinished()), { once: true });
  }

  /** Why a step could not be noted. */
  get refused(): readonly Diagnostic[] | undefined {
    return this.#refused;
  }

  /** Nothing is begun any more, as if it had been interrupted. */
  stop(): void {
    this.#stopped = true;
  }

  allows(step: Step): boolean {
    const stopped = this.#stopped || this.#signal.aborted || this.#refused !== undefined;
    return !stopped || this.#needed().has(step.id);
  }

  begin(step: Step): void {
    this.#begun.add(step.id);
    this.#running.set(step.id, step);
  }

  end(step: Step): void {
    this.#running.delete(step.id);
  }

  /** A step that is about to begin cannot be noted; true when it must be carried out all the same. */
  refuse(step: Step, why: readonly Diagnostic[]): boolean {
    this.#refused ??= why;
    const ofWayBack = !this.#plan.steps.some(({ id }) => id === step.id);
    return ofWayBack || this.#needed().has(step.id);
  }

  #needed(): ReadonlySet<StepId> {
    this.#still ??= underWay(this.#plan, this.#begun);
    return this.#still;
  }

  #unfinished(): Unfinished {
    const needed = this.#needed();
    return { running: [...this.#running.values()], still: this.#plan.steps.filter(({ id }) => needed.has(id)) };
  }
}
