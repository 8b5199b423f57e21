import type { Journal } from '../../../src/core/model/journal.ts';
import { sleep } from '../command.ts';
import type { Lab } from '../raise.ts';
import type { EngineEvent } from './engine-events.ts';
import { type Ended, Running } from './running.ts';

/** Two operators who give a command each, the second one some milliseconds after the first. */
export interface Race {
  readonly offsetMs: number;
  readonly runs: readonly [Raced, Raced];
}

export interface Raced {
  readonly command: string;
  readonly ended: Ended;
  readonly journal: Journal | undefined;
}

export async function race(
  lab: Lab,
  first: readonly string[],
  second: readonly string[],
  offsetMs: number,
): Promise<Race> {
  const one = new Running(lab, first);
  await sleep(offsetMs);
  const two = new Running(lab, second);
  const raced = async (run: Running): Promise<Raced> => ({
    ended: await run.ended,
    command: run.command,
    journal: run.journal(),
  });
  return { offsetMs, runs: [await raced(one), await raced(two)] };
}

/** From the first step a run begun to its last word, by this machine's clock. */
interface Window {
  readonly run: string;
  readonly from: number;
  readonly to: number;
  readonly steps: readonly { readonly host: string; readonly from: number; readonly to: number }[];
}

export function windowOf({ head, entries, end }: Journal): Window {
  const zero = Date.parse(head.startedAt);
  const over = new Map(
    entries.flatMap((one) => (one.event === 'done' || one.event === 'failed' ? [[one.id, one.at]] : [])),
  );
  const steps = entries.flatMap((one) => {
    if (one.event !== 'started') return [];
    const to = over.get(one.id) ?? end?.at ?? Number.POSITIVE_INFINITY;
    return [{ host: one.host, from: zero + one.at, to: zero + to }];
  });
  return {
    run: head.run,
    from: Math.min(...steps.map(({ from }) => from)),
    to: Math.max(...steps.map(({ to }) => to)),
    steps,
  };
}

/** Clocks are read at either end of a call; the start of a journal is written in whole milliseconds. */
const toleranceMs = 25;

/**
 * What the engines' record and the journals say against each other: work of two runs at once, a change outside of
 * every step, a container made by another run than the one at work.
 */
export function contradictions(journals: readonly Journal[], events: readonly EngineEvent[]): readonly string[] {
  const windows = journals.map(windowOf).sort((a, b) => a.from - b.from);
  const overlaps = windows.flatMap((one, i) => {
    const next = windows[i + 1];
    return next !== undefined && next.from < one.to ? [`${one.run} and ${next.run} worked at once`] : [];
  });
  const strays = events.flatMap((event) => {
    const owners = windows.filter(({ steps }) =>
      steps.some(
        ({ host, from, to }) => host === event.node && event.at >= from - toleranceMs && event.at <= to + toleranceMs,
      ),
    );
    const what = `${event.action} of ${event.container} on ${event.node}`;
    if (owners.length !== 1) return [`${what} belongs to ${owners.length} runs`];
    const [owner] = owners;
    return event.action === 'create' && event.run !== owner?.run
      ? [`${what} is of ${event.run}, not ${owner?.run}`]
      : [];
  });
  return [...overlaps, ...strays];
}
