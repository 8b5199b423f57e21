import { uptime } from 'node:os';
import { z } from 'zod';
import { DeployError, error, exitCode } from '../../core/model/diagnostic.ts';
import type { LockHolder, LockTaken } from '../../core/model/lock.ts';
import type { SshConnection, SshSession } from '../ssh/connection.ts';
import { nodeError } from '../ssh/failures.ts';
import { quote } from '../ssh/quote.ts';
import { breakScript, lockScript, statusScript } from './lock-scripts.ts';
import { type Loggable, lineFor } from './run-log.ts';

/** On a filesystem in memory: a node that restarts has no lock. */
export const lockDirectory = '/run/deploy';

/** Heartbeats per lease; some may be late without harm. */
const beatsPerLease = 6;

export interface LockOptions {
  readonly directory?: string | undefined;
  /** Seconds without a heartbeat after which the node frees the lock by its own clock. Default 30. */
  readonly leaseSeconds?: number | undefined;
  /** `sudo -n --` for users other than root. */
  readonly prefix?: readonly string[] | undefined;
  /** The node's own log of runs, absolute. */
  readonly log?: string | undefined;
}

/** An answer that takes longer is not waited for: the log is a record, and no reason to hold a run up. */
const logTimeoutMs = 10_000;

/** A lock that is held. */
export interface Lease {
  /** Throws DeployError when the node may have given the lock to somebody else meanwhile. */
  assertHeld(): void;
  /** Appends to the node's log of runs; false when it cannot be written, or the lock is lost. */
  log(entry: Loggable): Promise<boolean>;
  release(): Promise<void>;
}

export type LockAnswer =
  | {
      readonly taken: true;
      readonly lease: Lease;
      /** The run before did not let go of the lock itself: it was killed, or the network was silent. */
      readonly abandoned?: LockHolder | undefined;
    }
  | { readonly taken: false; readonly by: LockTaken };

/**
 * Takes a node's lock or says who has it; does not wait. The lock is held by a session of this connection: it is free
 * as soon as this process, or the connection, is gone, and after `leaseSeconds` when the network is silent.
 */
export async function takeLock(
  connection: SshConnection,
  holder: LockHolder,
  options: LockOptions = {},
): Promise<LockAnswer> {
  const { directory = lockDirectory, leaseSeconds = 30, prefix = [], log = '' } = options;
  const argv = [...prefix, 'sh', '-c', lockScript, 'sh', directory, String(leaseSeconds), holder.run, log];
  const session = await connection.open(quote(argv));
  const lines = lineReader(session);
  session.stream.write(`${JSON.stringify(holder)}\n`);
  const first = await connection.guard('taking the lock', 20_000, lines.next(), () => session.close());
  if (first?.startsWith('taken ') === true) {
    const abandoned = parseHolder(first.slice('taken '.length));
    return { taken: true, lease: hold(connection, session, lines, leaseSeconds), abandoned };
  }
  session.close();
  const [word = '', age = '', ...rest] = (first ?? '').split(' ');
  if (word === 'held' || word === 'busy') {
    const seconds = Number.isInteger(Number(age)) ? Number(age) : undefined;
    return { taken: false, by: { holder: parseHolder(rest.join(' ')), seconds, orphan: word === 'busy' } };
  }
  const hint =
    first === 'missing'
      ? 'the node needs the commands flock (util-linux) and timeout (coreutils)'
      : `${directory} must be writable there`;
  throw nodeError(connection.host, 'lock-failed', 'its lock cannot be taken', hint);
}

const holderSchema = z.object({
  run: z.string(),
  verb: z.string(),
  command: z.string(),
  user: z.string(),
  from: z.string(),
  pid: z.number(),
});

/** Undefined when it was not written by us, or not yet. */
export function parseHolder(text: string): LockHolder | undefined {
  try {
    const parsed = holderSchema.safeParse(JSON.parse(text));
    return parsed.success ? parsed.data : undefined;
  } catch {
    return undefined;
  }
}

interface Lines {
  /** The next line; undefined at the end. */
  next(): Promise<string | undefined>;
}

function lineReader(session: SshSession): Lines {
  const ready: string[] = [];
  const waiting: ((line: string | undefined) => void)[] = [];
  let rest = '';
  let ended = false;
  const end = (): void => {
    ended = true;
    for (const give of waiting.splice(0)) give(undefined);
  };
  session.stream.on('data', (chunk: Buffer) => {
    const parts = `${rest}${chunk.toString('utf8')}`.split('\n');
    rest = parts.pop() ?? '';
    for (const line of parts) {
      const give = waiting.shift();
      if (give) give(line);
      else ready.push(line);
    }
  });
  session.stream.on('close', end);
  session.exit.then(end, end);
  session.stderr.resume();
  return {
    next: () =>
      new Promise((resolve) => {
        const line = ready.shift();
        if (line !== undefined || ended) resolve(line);
        else waiting.push(resolve);
      }),
  };
}

/** Nobody sets this clock, and it goes on while this process is stopped and while this machine sleeps. Milliseconds. */
function now(): number {
  return uptime() * 1000;
}

/** Beats until released. What comes back says when the node certainly still held the lock. */
function hold(connection: SshConnection, session: SshSession, lines: Lines, leaseSeconds: number): Lease {
  let sent = now();
  let confirmed = sent;
  let gone = false;
  let releasing = false;
  const logging = logQueue(session);
  const beat = (): void => {
    if (gone) return;
    sent = now();
    session.stream.write('beat\n');
  };
  const timer = setInterval(beat, (leaseSeconds * 1000) / beatsPerLease).unref();
  const read = async (): Promise<void> => {
    let asked = sent;
    for (let line = await lines.next(); line !== undefined; line = await lines.next()) {
      if (logging.answer(line)) continue;
      // The answer may be to an earlier beat than the last one: only what was certain when it was asked counts.
      confirmed = asked;
      asked = sent;
    }
    gone = true;
    clearInterval(timer);
    logging.end();
  };
  const reading = read();
  return {
    assertHeld() {
      if (!gone && !releasing && now() - confirmed < (leaseSeconds * 1000) / 2) return;
      throw lockLost(connection.host);
    },
    log: async (entry) => !gone && !releasing && logging.add(entry),
    async release() {
      releasing = true;
      clearInterval(timer);
      session.stream.end('release\n');
      await Promise.race([reading, new Promise<void>((resolve) => setTimeout(resolve, 2_000).unref())]);
      session.close();
    },
  };
}

/** Lines on their way into the node's log of runs; the session answers them in their order. */
function logQueue(session: SshSession) {
  const waiting: ((written: boolean) => void)[] = [];
  return {
    add(entry: Loggable): Promise<boolean> {
      session.stream.write(`log ${lineFor(entry)}\n`);
      const answered = new Promise<boolean>((resolve) => waiting.push(resolve));
      const late = new Promise<boolean>((resolve) => setTimeout(() => resolve(false), logTimeoutMs).unref());
      return Promise.race([answered, late]);
    },
    /** Whether this line is one of its answers. */
    answer(line: string): boolean {
      if (line !== 'logged' && line !== 'unlogged') return false;
      waiting.shift()?.(line === 'logged');
      return true;
    },
    end(): void {
      for (const answer of waiting.splice(0)) answer(false);
    },
  };
}

/** What is thrown when a run that lost its lock is about to change a node. */
export function lockLost(host: string): DeployError {
  return new DeployError(
    [
      error('lock-lost', 'the lock was lost: this process or the network stood still for too long', {
        host,
        hint: 'nothing more is changed there by this run; run the same command again',
      }),
    ],
    // Like a node that is lost: whatever step it stops, the new version is not to blame.
    exitCode.nodeNotUsable,
  );
}

/**
 * A command that runs only while its run holds the lock, and that keeps `busy` until it has ended, also when nobody
 * waits for it any more. Exit status 77: another run, or none, holds the lock.
 */
export function fenced(argv: readonly string[], run: string, directory: string = lockDirectory): readonly string[] {
  const script =
    'exec 7<>"$1/busy" && flock -s 7 && [ "$(cat "$1/run" 2>/dev/null)" = "$2" ] || exit 77; shift 2; exec "$@"';
  return ['sh', '-c', script, 'sh', directory, run, ...argv];
}

/** Exit status of a fenced command whose run does not hold the lock. */
export const fencedOff = 77;

/** Who holds the lock now; undefined when it is free. */
export async function lockState(connection: SshConnection, options: LockOptions = {}): Promise<LockTaken | undefined> {
  const { directory = lockDirectory, prefix = [] } = options;
  const result = await connection.exec(quote([...prefix, 'sh', '-c', statusScript, 'sh', directory]));
  const [word = '', age = '', ...rest] = result.stdout.toString('utf8').trim().split(' ');
  if (word === 'free') return undefined;
  if (word !== 'held') throw nodeError(connection.host, 'lock-failed', 'its lock cannot be looked at');
  return { holder: parseHolder(rest.join(' ')), seconds: Number(age), orphan: false };
}

/** `unlogged`: broken, but the node's log of runs cannot be written. */
export type Broken = 'broken' | 'unlogged' | 'not held';

/** Ends the session that holds the lock for this run, and writes so into the node's log of runs. */
export async function breakLock(
  connection: SshConnection,
  run: string,
  entry: Loggable,
  options: LockOptions = {},
): Promise<Broken> {
  const { directory = lockDirectory, prefix = [], log = '' } = options;
  const argv = [...prefix, 'sh', '-c', breakScript, 'sh', directory, run, log, lineFor(entry)];
  const result = await connection.exec(quote(argv));
  if (result.code === 0) return 'broken';
  if (result.code === 3) return 'not held';
  if (result.code === 5) return 'unlogged';
  throw nodeError(connection.host, 'lock-failed', `the lock of run ${run} cannot be broken`);
}
