import { z } from 'zod';

const run = z.string();
/** By the node's own clock. */
const at = z.string();

const line = z.discriminatedUnion('event', [
  z.object({
    at,
    event: z.literal('start'),
    run,
    verb: z.string(),
    /** As it was typed, without secrets. */
    command: z.string(),
    user: z.string(),
    /** Control host. */
    from: z.string(),
    pid: z.number(),
    /** Of this tool. */
    version: z.string(),
  }),
  z.object({ at, event: z.literal('end'), run, outcome: z.string(), exit: z.number() }),
  /** The lock of `run` was broken. */
  z.object({ at, event: z.literal('lock-broken'), run, user: z.string(), from: z.string(), version: z.string() }),
]);

/** One line of what a node itself remembers of the runs that changed it. */
export type RunLogLine = z.infer<typeof line>;
export type RunStart = Extract<RunLogLine, { event: 'start' }>;
export type RunEnd = Extract<RunLogLine, { event: 'end' }>;
export type LockBroken = Extract<RunLogLine, { event: 'lock-broken' }>;
/** A line before the node has put its time to it. */
export type RunLogEntry = Omit<RunStart, 'at'> | Omit<RunEnd, 'at'> | Omit<LockBroken, 'at'>;

/** One run as a node saw it; of the oldest the beginning may have been dropped. */
export interface NodeRun {
  readonly run: string;
  readonly start?: RunStart | undefined;
  readonly end?: RunEnd | undefined;
  readonly broken?: LockBroken | undefined;
}

/** Lines that cannot be understood are left out: a later form of this tool may have written them. */
export function parseRunLog(text: string): RunLogLine[] {
  return text.split('\n').flatMap((one) => {
    const parsed = line.safeParse(jsonOf(one));
    return parsed.success ? [parsed.data] : [];
  });
}

/** What the lines of a node tell, the latest run first. */
export function runsOf(lines: readonly RunLogLine[]): NodeRun[] {
  const runs = new Map<string, NodeRun>();
  for (const one of lines) {
    const known = runs.get(one.run) ?? { run: one.run };
    if (one.event === 'start') runs.set(one.run, { ...known, start: one });
    else if (one.event === 'end') runs.set(one.run, { ...known, end: one });
    else runs.set(one.run, { ...known, broken: one });
  }
  return [...runs.values()].reverse();
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
