import { DeployError, type Diagnostic, exitCode } from '../core/model/diagnostic.ts';
import type { Step, StepId, WayBack } from '../core/plan/steps.ts';

export interface Failure {
  readonly step: Step;
  readonly diagnostics: readonly Diagnostic[];
}

/** What became of a new form that did not serve. */
export interface Outcome {
  readonly way: WayBack;
  /** The step that led there. */
  readonly because: Failure;
  /** Steps of the way back that failed; none when there was no way. */
  readonly failed: readonly Failure[];
}

/** A fault of a node or a registry says nothing about the new version. */
export function isNodeFault(cause: unknown): boolean {
  return cause instanceof DeployError && cause.exit === exitCode.nodeNotUsable;
}

/** One rollout while it is carried out: which of its steps are under way, and what made it go back. */
export class Rollout {
  readonly way: WayBack;
  readonly givenUp = new AbortController();
  readonly #running = new Set<StepId>();
  #begun = false;
  #because: Failure | undefined;
  #back: Promise<void> | undefined;

  constructor(way: WayBack) {
    this.way = way;
  }

  get because(): Failure | undefined {
    return this.#because;
  }

  /** There is something to take back. */
  get begun(): boolean {
    return this.#begun;
  }

  get running(): boolean {
    return this.#running.size > 0;
  }

  /** Carries the way back out, once, however often it is asked for. */
  back(carryOut: () => Promise<void>): Promise<void> {
    this.#back ??= carryOut();
    return this.#back;
  }

  begin(step: Step): void {
    this.#begun = true;
    this.#running.add(step.id);
  }

  end(step: Step): void {
    this.#running.delete(step.id);
  }

  /** Its other steps are not worth waiting for. */
  giveUp(because: Failure): void {
    this.#because = because;
    this.givenUp.abort();
  }
}

/** Carries out the steps of a way back as their needs allow; one that fails stops only what needs it. */
export async function goBack(
  way: WayBack,
  carryOut: (step: Step) => Promise<Failure | undefined>,
): Promise<readonly Failure[]> {
  const failures: Failure[] = [];
  const done = new Set<StepId>();
  let waiting = way.steps;
  for (;;) {
    const ready = waiting.filter((step) => step.needs.every((id) => done.has(id)));
    if (ready.length === 0) return failures;
    waiting = waiting.filter((step) => !ready.includes(step));
    const results = await Promise.all(ready.map(async (step) => ({ step, failure: await carryOut(step) })));
    for (const { step, failure } of results) {
      if (failure === undefined) done.add(step.id);
      else failures.push(failure);
    }
  }
}
