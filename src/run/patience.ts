import type { StepOf } from '../core/plan/steps.ts';

/** The engine starts one that crashed anew within moments, unless it was told to end it. */
const looksGone = 5;
/** One that is Synced sees others come into its view, or drop out of it, within this time. */
const viewSeconds = 60;

/** What one look at a member that is waited for has found. */
export interface Look {
  readonly running: boolean;
  readonly exitCode: number;
  readonly words: string;
  /** Synced in a Primary component, of whatever size. */
  readonly synced: boolean;
}

/** How long a member is waited for. Times in milliseconds. */
export class Patience {
  readonly #step: StepOf<'galera-synced'>;
  readonly #started: number;
  #latest: number;
  #outside: number;
  #told = '';
  #gone = 0;

  constructor(step: StepOf<'galera-synced'>, now: number) {
    this.#step = step;
    this.#started = now;
    this.#latest = now;
    this.#outside = now;
  }

  /** What is new to tell, if anything, and why it is waited for no longer, if so. */
  look({ running, exitCode, words, synced }: Look, now: number): { tell?: string; giveUp?: string } {
    const { patienceSeconds: patience, deadlineSeconds: deadline } = this.#step;
    const isNew = words !== this.#told;
    if (isNew) this.#latest = now;
    this.#told = words;
    this.#gone = running ? 0 : this.#gone + 1;
    // Its position goes on meanwhile, which is no progress of those that are missing.
    if (!synced) this.#outside = now;
    const giveUp =
      this.#gone > looksGone
        ? `ended with ${exitCode} and is not started again`
        : now - this.#outside > Math.min(viewSeconds, patience) * 1000
          ? `is Synced, but not all others are with it: ${words}`
          : now - this.#latest > patience * 1000
            ? `is not Synced and made no progress for ${patience} s: ${words}`
            : now - this.#started > deadline * 1000
              ? `is not Synced after ${deadline} s: ${words}`
              : undefined;
    const tell = isNew ? `${words}, after ${Math.round((now - this.#started) / 1000)} s` : undefined;
    return { ...(tell && { tell }), ...(giveUp && { giveUp }) };
  }
}
