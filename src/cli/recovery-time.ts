import type { StepKind } from '../core/plan/steps.ts';
import type { RunEvent } from '../run/run.ts';

/** Steps that last as long as a server needs: to end, to repair its data, to start, to get what it lacks. */
const servers: ReadonlySet<StepKind> = new Set([
  'stop',
  'start',
  'healthy',
  'galera-position',
  'galera-primary',
  'galera-synced',
]);

/** How long bringing a cluster back takes, and how much of that is waiting for its servers. */
export class RecoveryTime {
  readonly #now: () => number;
  readonly #begun: number;
  /** Milliseconds in which the operator was asked. */
  #asked = 0;
  #steps = 0;
  #waiting = 0;
  #since = 0;
  readonly #under = new Set<string>();

  /** Starts to count. `now` is in milliseconds. */
  constructor(now: () => number) {
    this.#now = now;
    this.#begun = now();
  }

  event(event: RunEvent): void {
    if (event.event === 'started') {
      this.#steps += 1;
      if (!servers.has(event.step.kind)) return;
      if (this.#under.size === 0) this.#since = this.#now();
      this.#under.add(event.step.id);
    } else if ((event.event === 'done' || event.event === 'failed') && this.#under.delete(event.step.id)) {
      if (this.#under.size === 0) this.#waiting += this.#now() - this.#since;
    }
  }

  /** What the operator thinks about is not counted. */
  async without<T>(work: () => Promise<T>): Promise<T> {
    const from = this.#now();
    const result = await work();
    this.#asked += this.#now() - from;
    return result;
  }

  /** Undefined when nothing was done. */
  text(): string | undefined {
    if (this.#steps === 0) return undefined;
    const all = this.#now() - this.#begun - this.#asked;
    return `all Synced after ${seconds(all)} s, ${seconds(this.#waiting)} s of them the servers' own (to end, start and get what they lack)`;
  }
}

function seconds(ms: number): string {
  return (ms / 1000).toFixed(1);
}
