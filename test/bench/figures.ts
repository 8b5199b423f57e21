import { loadavg } from 'node:os';

export interface Spread {
  readonly runs: number;
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

export function spread(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (index: number): number => sorted[index] ?? Number.NaN;
  const half = sorted.length / 2;
  const median = Number.isInteger(half) ? (at(half - 1) + at(half)) / 2 : at(Math.floor(half));
  return { runs: sorted.length, median, min: at(0), max: at(sorted.length - 1) };
}

/** One line: what was measured in seconds, and how far the runs lie apart. */
export function secondsLine(what: string, values: readonly number[]): string {
  const { runs, median, min, max } = spread(values);
  const [middle, low, high] = [median, min, max].map((value) => `${value.toFixed(2)} s`);
  return `  ${what.padEnd(44)} median ${middle}   min ${low}   max ${high}   (${runs} runs)`;
}

export function loadLine(): string {
  return `  load average ${loadavg()
    .map((load) => load.toFixed(2))
    .join(' ')}`;
}

/** Seconds `work` takes. */
export async function timed(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return (performance.now() - started) / 1000;
}
