import type { Sample } from './request.ts';

export interface Outcome {
  readonly name: string;
  readonly requests: number;
  readonly failed: number;
  /** Milliseconds; of all requests, failed ones too. */
  readonly median: number;
  readonly p95: number;
  readonly slowest: number;
  /** Longest time between two good answers one after the other, milliseconds. */
  readonly gap: number;
}

/** Requests of one window, summed up. Windows of several runs are summed up apart and joined by `joined`. */
export function outcome(name: string, samples: readonly Sample[]): Outcome {
  const times = samples.map((s) => s.endedAt - s.startedAt).sort((a, b) => a - b);
  const at = (share: number): number => times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? 0;
  return {
    name,
    requests: samples.length,
    failed: samples.filter((s) => s.failure !== undefined).length,
    median: at(0.5),
    p95: at(0.95),
    slowest: times.at(-1) ?? 0,
    gap: longestGap(samples),
  };
}

/** From the first start over all good answers in the order they came; what stays unanswered makes no gap shorter. */
export function longestGap(samples: readonly Sample[]): number {
  if (samples.length === 0) return 0;
  const first = Math.min(...samples.map((s) => s.startedAt));
  const good = samples.filter((s) => s.failure === undefined).map((s) => s.endedAt);
  const last = Math.max(...samples.map((s) => s.startedAt));
  const marks = [first, ...good, ...(good.length === 0 || Math.max(...good) < last ? [last] : [])].sort(
    (a, b) => a - b,
  );
  return marks.reduce((gap, mark, i) => Math.max(gap, mark - (marks[i - 1] ?? mark)), 0);
}

/** One line for each kind, and one for each half of the load. `runs` are windows: no gap is counted between them. */
export function outcomes(runs: readonly (readonly Sample[])[]): readonly Outcome[] {
  const all = runs.flat();
  const names = [...new Set(all.map((s) => s.kind.name))].sort();
  const of = (name: string, keep: (sample: Sample) => boolean): Outcome => ({
    ...outcome(name, all.filter(keep)),
    gap: Math.max(0, ...runs.map((run) => longestGap(run.filter(keep)))),
  });
  return [
    ...names.map((name) => of(name, (s) => s.kind.name === name)),
    of('authenticated', (s) => s.kind.authenticated),
    of('version pages', (s) => !s.kind.authenticated),
  ];
}

/** Different failures with how often each was seen, most frequent first. */
export function failures(samples: readonly Sample[]): readonly string[] {
  const counts = new Map<string, number>();
  for (const { kind, keptAlive, failure } of samples) {
    if (failure === undefined) continue;
    const text = `${kind.name} (${keptAlive ? 'kept connection' : 'new connection'}): ${failure.replaceAll(/\s+/g, ' ')}`;
    counts.set(text, (counts.get(text) ?? 0) + 1);
  }
  return [...counts].sort(([, a], [, b]) => b - a).map(([text, count]) => `${count} × ${text}`);
}

export function table(rows: readonly Outcome[]): readonly string[] {
  const header = ['', 'requests', 'failed', 'median', '95 %', 'slowest', 'longest gap'];
  const ms = (value: number): string => `${Math.round(value)} ms`;
  const cells = rows.map((o) => [
    o.name,
    String(o.requests),
    String(o.failed),
    ms(o.median),
    ms(o.p95),
    ms(o.slowest),
    ms(o.gap),
  ]);
  return [header, ...cells].map(([name = '', ...rest]) => {
    return `    ${name.padEnd(28)}${rest.map((cell) => cell.padStart(12)).join('')}`;
  });
}
