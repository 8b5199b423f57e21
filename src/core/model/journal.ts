import { z } from 'zod';

/** First line of a run's journal. Times are those of the control host; only the journal's reader ever sees them. */
const head = z.object({
  event: z.literal('run'),
  format: z.literal(1),
  run: z.string(),
  verb: z.string(),
  /** Arguments after `deploy`; values that are secret are left out, and `repeatable` says so. */
  argv: z.array(z.string()),
  repeatable: z.boolean(),
  user: z.string(),
  from: z.string(),
  pid: z.number(),
  site: z.string(),
  startedAt: z.string(),
  hosts: z.array(z.string()),
  steps: z.number(),
  /** Selected hosts that did not answer and were left out. */
  skipped: z.array(z.object({ host: z.string(), why: z.string() })).optional(),
});

const stepped = { id: z.string(), host: z.string(), service: z.string(), kind: z.string(), text: z.string() };
const at = { /** Milliseconds since the run began. */ at: z.number() };

const problem = z.object({ message: z.string(), host: z.string().optional(), hint: z.string().optional() });

const entry = z.discriminatedUnion('event', [
  head,
  z.object({ event: z.literal('started'), ...stepped, ...at, reason: z.string() }),
  z.object({ event: z.literal('done'), id: z.string(), ...at, ms: z.number(), note: z.string().optional() }),
  z.object({ event: z.literal('failed'), id: z.string(), ...at, problems: z.array(problem) }),
  z.object({ event: z.literal('skipped'), ...stepped, ...at, because: z.string() }),
  z.object({ event: z.literal('note'), ...at, text: z.string() }),
  z.object({
    event: z.literal('end'),
    ...at,
    exit: z.number(),
    done: z.number(),
    failed: z.number(),
    left: z.number(),
    /** Hosts that failed, when they were more than may fail. */
    tooManyFailed: z.array(z.string()).optional(),
  }),
]);

export type JournalHead = z.infer<typeof head>;
export type JournalEntry = z.infer<typeof entry>;
export type JournalEnd = Extract<JournalEntry, { event: 'end' }>;

/** What a journal says; without `end` the run was killed, or still goes on. */
export interface Journal {
  readonly head: JournalHead;
  readonly entries: readonly JournalEntry[];
  readonly end?: JournalEnd | undefined;
}

/**
 * Reads a journal's text. The last line may have been cut off by a death in the middle of writing and is left out
 * then; undefined when the file is not a journal of ours, or of a later form.
 */
export function parseJournal(text: string): Journal | undefined {
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  const parsed = lines.map((line) => entry.safeParse(jsonOf(line)));
  if (parsed.slice(0, -1).some((one) => !one.success)) return undefined;
  const [first, ...rest] = parsed.flatMap((one) => (one.success ? [one.data] : []));
  if (first?.event !== 'run') return undefined;
  return { head: first, entries: rest, end: rest.find((one): one is JournalEnd => one.event === 'end') };
}

function jsonOf(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
