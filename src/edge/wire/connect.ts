import type { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { DeployError } from '../../core/model/diagnostic.ts';
import { hostAndPort, isTransient, isWayGone, reasonOf, WireError } from './failure.ts';

/** Opens a TCP connection as seen from a node. The protocol clients know no other way to reach a server. */
export type Connect = (address: string, port: number) => Promise<Duplex>;

/** How long a server that is not ready yet is waited for, in milliseconds. `forMs: 0` means one attempt. */
export interface Patience {
  readonly forMs: number;
  /** Pause between two attempts; default 1000. */
  readonly everyMs?: number;
}

export interface Clock {
  now(): number;
  sleep(ms: number): Promise<void>;
}

const monotonic: Clock = {
  now: () => performance.now(),
  sleep: async (ms) => {
    await sleep(ms);
  },
};

/** A promise with a deadline. What arrives late is handed to `discard`. */
export async function within<T>(
  ms: number,
  promise: Promise<T>,
  onTimeout: () => Error,
  discard: (late: T) => void = () => undefined,
): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  let late = false;
  const timeout = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      late = true;
      reject(onTimeout());
    }, ms);
  });
  promise.then(
    (value) => {
      if (late) discard(value);
    },
    () => undefined,
  );
  try {
    return await Promise.race([promise, timeout]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Connects, or says in plain words why not: `MariaDB at 10.0.0.1:3306: connection refused`.
 * A failed connection counts as transient: servers that start are refused for a while.
 */
export async function dial(
  connect: Connect,
  server: { readonly service: string; readonly address: string; readonly port: number; readonly timeoutMs: number },
): Promise<Duplex> {
  const where = `${server.service} at ${hostAndPort(server.address, server.port)}`;
  const hint = `see whether ${server.service} is running and listening there: deploy status`;
  const tooLate = () =>
    new WireError('timed-out', `${where}: no connection within ${server.timeoutMs / 1000} s`, {
      hint,
      transient: true,
    });
  try {
    const attempt = connect(server.address, server.port);
    const stream = await within(server.timeoutMs, attempt, tooLate, (late) => late.destroy());
    // A connection that breaks while nobody is asking must not end the process.
    stream.on('error', () => undefined);
    return stream;
  } catch (failure) {
    if (failure instanceof WireError || isWayGone(failure)) throw failure;
    const reason = reasonOf(failure);
    const refused = /refused/i.test(reason);
    const text = refused ? `${where}: connection refused` : `${where}: cannot connect: ${reason}`;
    throw new WireError(refused ? 'connection-refused' : 'cannot-connect', text, { hint, transient: true });
  }
}

/** Repeats an idempotent attempt while it fails for a transient reason and time is left. */
export async function patiently<T>(
  patience: Patience,
  attempt: () => Promise<T>,
  clock: Clock = monotonic,
): Promise<T> {
  const pause = patience.everyMs ?? 1000;
  const end = clock.now() + patience.forMs;
  for (;;) {
    try {
      return await attempt();
    } catch (failure) {
      if (!isTransient(failure)) throw failure;
      if (clock.now() + pause > end) throw givenUp(failure, patience.forMs);
    }
    await clock.sleep(pause);
  }
}

function givenUp(failure: unknown, forMs: number): unknown {
  if (forMs === 0 || !(failure instanceof WireError)) return failure;
  const [first] = failure.diagnostics;
  if (!first) return failure;
  const message = `${first.message} (tried for ${Math.round(forMs / 1000)} s)`;
  return new DeployError([{ ...first, message }], failure.exit);
}
