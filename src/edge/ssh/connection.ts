import os from 'node:os';
import type { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import PQueue from 'p-queue';
import type { Client, ClientChannel } from 'ssh2';
import { DeployError } from '../../core/model/diagnostic.ts';
import type { HostName } from '../../core/model/node.ts';
import { nodeError, reasonText } from './failures.ts';
import { quote } from './quote.ts';
import type { SshCounters } from './target.ts';
import type { WireCount } from './wire-count.ts';

export interface SshExecResult {
  /** Exit status; 128 + signal number for a command that a signal ended. */
  readonly code: number;
  readonly stdout: Buffer;
  readonly stderr: string;
}

export interface SshExecOptions {
  readonly stdin?: string | Uint8Array | undefined;
  /** Default 120 000. The channel is closed then; the command may go on, as it does when a connection is lost. */
  readonly timeoutMs?: number | undefined;
}

/** A running command with its streams; the reader must consume stdout. */
export interface SshSession {
  /** Writes go to the command's stdin, reads come from its stdout. */
  readonly stream: Duplex;
  readonly stderr: NodeJS.ReadableStream;
  /** The exit status once both ends are closed; rejects when the connection is lost. */
  readonly exit: Promise<number>;
  close(): void;
}

/** Why sshd did not open a channel (RFC 4254, 5.1). */
export type ChannelRefusal = 'prohibited' | 'connect-failed' | 'other';

export class ChannelError extends Error {
  readonly refusal: ChannelRefusal;

  constructor(problem: Error) {
    super(reasonText(problem));
    const reason = 'reason' in problem ? problem.reason : undefined;
    this.refusal = reason === 1 ? 'prohibited' : reason === 2 ? 'connect-failed' : 'other';
  }
}

/** sshd allows 10 sessions per connection unless told otherwise; the lock holds one, commands share four. */
const sessionLimit = 4;

/** One authenticated connection to a node. Once it is lost, everything pending and everything new is rejected. */
export class SshConnection {
  readonly host: HostName;
  readonly #client: Client;
  readonly #wire: () => WireCount;
  readonly #queue = new PQueue({ concurrency: sessionLimit });
  readonly #pending = new Set<(lost: DeployError) => void>();
  readonly #count = { connections: 0, sessions: 0, forwards: 0 };
  readonly #closed: Promise<void>;
  /** One promise per open session, resolved at its end. */
  readonly #open = new Set<Promise<void>>();
  #lost: DeployError | undefined;

  constructor(host: HostName, client: Client, connections: number, wire: () => WireCount) {
    this.host = host;
    this.#client = client;
    this.#wire = wire;
    this.#count.connections = connections;
    client.on('error', (problem) => this.#lose(reasonText(problem)));
    this.#closed = new Promise((resolve) => {
      client.on('close', () => {
        this.#lose('the host closed it');
        resolve();
      });
    });
  }

  get counters(): SshCounters {
    return { ...this.#count, ...this.#wire() };
  }

  /** The error everything pending was rejected with, once the connection is gone. */
  get lost(): DeployError | undefined {
    return this.#lost;
  }

  #lose(reason: string): void {
    if (this.#lost) return;
    this.#lost = nodeError(
      this.host,
      'connection-lost',
      `the SSH connection was lost: ${reason}`,
      'what was running there may have finished; the next run looks again before it changes anything',
    );
    for (const reject of this.#pending) reject(this.#lost);
    this.#pending.clear();
  }

  /**
   * Settles with `work`, or rejects when the connection is lost or `timeoutMs` (0: no limit) have passed, so that
   * nothing that depends on a dead peer can hang. `abandon` frees what the work holds in the latter cases.
   */
  async guard<T>(what: string, timeoutMs: number, work: Promise<T>, abandon: () => void = () => {}): Promise<T> {
    if (this.#lost) {
      work.catch(() => {});
      abandon();
      throw this.#lost;
    }
    return new Promise<T>((resolve, reject) => {
      const give = (problem: DeployError): void => {
        settle();
        reject(problem);
        abandon();
      };
      const seconds = Math.round(timeoutMs / 100) / 10;
      const late = (): void => give(nodeError(this.host, 'timeout', `${what} did not finish within ${seconds} s`));
      const timer = timeoutMs > 0 ? setTimeout(late, timeoutMs) : undefined;
      const settle = (): void => {
        clearTimeout(timer);
        this.#pending.delete(give);
      };
      this.#pending.add(give);
      work.then(resolve, reject).finally(settle);
    });
  }

  /** Starts a command and hands over its streams. A string is a command line, argv is quoted. */
  async open(command: string | readonly string[]): Promise<SshSession> {
    let finish: (() => void) | undefined;
    const over = new Promise<void>((resolve) => {
      finish = resolve;
    });
    const end = (): void => {
      this.#open.delete(over);
      finish?.();
    };
    this.#open.add(over);
    try {
      const session = await this.#start(typeof command === 'string' ? command : quote(command));
      session.exit.then(end, end);
      return session;
    } catch (problem) {
      end();
      throw problem instanceof ChannelError ? this.#noSession(problem) : problem;
    }
  }

  async #start(line: string): Promise<SshSession> {
    this.#count.sessions += 1;
    let status: number | undefined;
    // The exit status may come in the same segment as the confirmation: its listener must be there at once.
    const begin = (done: Done<ClientChannel>): void => {
      this.#client.exec(line, (problem, channel) => {
        channel?.on('exit', (code: number | null, signal?: string) => {
          status = code ?? 128 + ((signal && os.constants.signals[signal as NodeJS.Signals]) || 0);
        });
        done(problem, channel);
      });
    };
    const channel = await this.guard('opening a session', 30_000, this.#openChannel(begin));
    // Without a listener a write to a closed channel would end the process.
    channel.on('error', () => {});
    const ended = new Promise<number>((resolve) => channel.once('close', () => resolve(status ?? -1)));
    const exit = this.guard('a session', 0, ended).then((code) => {
      if (code >= 0) return code;
      throw this.#lost ?? nodeError(this.host, 'session-ended', 'a command ended without an exit status');
    });
    return { stream: channel, stderr: channel.stderr, exit, close: () => channel.close() };
  }

  /**
   * An sshd with a small MaxSessions refuses a session while others are open: waits for one of them to end. sshd
   * counts a session a moment longer than it seems from here, hence the further attempts.
   */
  async #openPatiently(command: string | readonly string[]): Promise<SshSession> {
    for (let alone = 0; ; ) {
      try {
        return await this.open(command);
      } catch (problem) {
        const refused = problem instanceof DeployError && problem.diagnostics[0]?.code === 'session-refused';
        if (!refused || alone >= 5) throw problem;
        if (this.#open.size === 0) alone += 1;
        const free = this.#open.size === 0 ? delay(100) : Promise.race(this.#open);
        await this.guard('waiting for a free session', 60_000, free).catch(() => {
          throw this.#lost ?? problem;
        });
      }
    }
  }

  #noSession(problem: ChannelError): DeployError {
    return nodeError(
      this.host,
      'session-refused',
      `sshd opens no session for a command: ${problem.message}`,
      'look at MaxSessions and ForceCommand in its sshd_config; up to 5 sessions are open at a time',
    );
  }

  /** Runs a command to its end; at most four at a time, further ones wait. Any exit status is a result. */
  async exec(command: string | readonly string[], options: SshExecOptions = {}): Promise<SshExecResult> {
    return this.#queue.add(async () => {
      const session = await this.#openPatiently(command);
      const stdout: Buffer[] = [];
      const stderr: Buffer[] = [];
      session.stream.on('data', (chunk: Buffer) => stdout.push(chunk));
      session.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
      session.stream.end(options.stdin);
      const code = await this.guard('a command', options.timeoutMs ?? 120_000, session.exit, session.close);
      return { code, stdout: Buffer.concat(stdout), stderr: Buffer.concat(stderr).toString('utf8') };
    });
  }

  /** Runs a POSIX script, which is sent on stdin: it shows up in no process list. `args` become `$1`, `$2`, … */
  async script(
    text: string,
    args: readonly string[] = [],
    options: { timeoutMs?: number } = {},
  ): Promise<SshExecResult> {
    return this.exec(['sh', '-s', '--', ...args], { stdin: text, ...options });
  }

  /**
   * A connection to a unix socket on the node. Rejects with a ChannelError when sshd refuses it.
   *
   * A session always comes first on a connection: sshd sets TCP_NODELAY only when a command starts, and until
   * then each answer of more than one segment waits 40 ms for a delayed acknowledgement. It is enough that the
   * session was asked for earlier, because channels are confirmed and served in order.
   */
  async forwardSocket(path: string): Promise<Duplex> {
    this.#sessionFirst();
    return this.#forward(`connecting to ${path}`, (done) => this.#client.openssh_forwardOutStreamLocal(path, done));
  }

  /** A TCP connection made from the node. */
  async forwardTcp(address: string, port: number): Promise<Duplex> {
    this.#sessionFirst();
    return this.#forward(`connecting to ${address}:${port}`, (done) =>
      this.#client.forwardOut('127.0.0.1', 0, address, port, done),
    ).catch((problem: unknown) => {
      if (!(problem instanceof ChannelError)) throw problem;
      const hint = problem.refusal === 'prohibited' ? 'AllowTcpForwarding is off in its sshd_config' : undefined;
      const message = `no connection from there to ${address}:${port}: ${problem.message}`;
      throw nodeError(this.host, 'forward-refused', message, hint);
    });
  }

  #sessionFirst(): void {
    if (this.#count.sessions === 0) this.exec(['true']).catch(() => {});
  }

  async #forward(what: string, start: (done: Done<ClientChannel>) => void): Promise<Duplex> {
    this.#count.forwards += 1;
    const channel = await this.guard(what, 30_000, this.#openChannel(start));
    channel.on('error', () => {});
    return channel;
  }

  /** One channel; a connection that is already gone makes ssh2 throw instead of calling back. */
  async #openChannel<T extends Duplex>(start: (done: Done<T>) => void): Promise<T> {
    return new Promise((resolve, reject) => {
      try {
        start((problem, channel) => (problem ? reject(this.#lost ?? new ChannelError(problem)) : resolve(channel)));
      } catch (problem) {
        this.#lose(reasonText(problem));
        reject(this.#lost);
      }
    });
  }

  /** Calls `listener` once the connection is gone, for whatever reason. */
  onClose(listener: () => void): void {
    this.#closed.then(listener);
  }

  /** Ends the connection; pending work is rejected. */
  async close(): Promise<void> {
    this.#client.end();
    const timer = setTimeout(() => this.#client.destroy(), 2_000);
    this.#lose('it was closed here');
    await this.#closed;
    clearTimeout(timer);
  }
}

type Done<T> = (problem: Error | undefined, channel: T) => void;
