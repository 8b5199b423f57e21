import http from 'node:http';
import type { Duplex } from 'node:stream';
import { setTimeout } from 'node:timers/promises';
import type Docker from 'dockerode';
import { DeployError, error, exitCode } from '../../core/model/diagnostic.ts';
import type { HostName } from '../../core/model/node.ts';
import { ChannelError, type SshConnection } from '../ssh/connection.ts';
import { codeOf, nodeError, reasonText } from '../ssh/failures.ts';
import { engineWords, getJson, isEngineFailure } from './http.ts';

export interface EngineOptions {
  /** Path of the engine's socket on the node. Default `/var/run/docker.sock`. */
  readonly socketPath?: string | undefined;
  /** Connections to the engine at a time. Default 8. */
  readonly maxSockets?: number | undefined;
  /** Default limit of one call. Default 60 000. */
  readonly timeoutMs?: number | undefined;
}

/** A channel carries HTTP but is no net.Socket: what http.Agent asks of sockets beyond a stream does nothing here. */
function asSocket(channel: Duplex): Duplex {
  const nothing = (): Duplex => channel;
  // A closed engine ends only its half of a channel. The other half follows, and then the agent
  // forgets it: of idle sockets it forgets only what cannot be written to any more.
  channel.once('end', () => {
    channel.destroy();
    channel.emit('agentRemove');
  });
  return Object.assign(channel, {
    setNoDelay: nothing,
    setKeepAlive: nothing,
    setTimeout: nothing,
    ref: nothing,
    unref: nothing,
    destroySoon: () => channel.destroy(),
  });
}

const dialStatus = { missing: 81, denied: 82, noCommand: 83 } as const;

/** `$1` is the engine's socket. Finds out why it cannot be forwarded, else connects stdin and stdout to it. */
const dialScript = `[ -S "$1" ] || exit ${dialStatus.missing}
[ -w "$1" ] || exit ${dialStatus.denied}
command -v docker >/dev/null || exit ${dialStatus.noCommand}
exec docker -H "unix://$1" system dial-stdio`;

type SocketMaker = (done: (problem: Error | null, socket: Duplex) => void) => void;

/** An agent whose connections are channels of the SSH connection, kept for the next call. */
function channelAgent(make: SocketMaker, maxSockets: number): http.Agent {
  const agent = new http.Agent({ keepAlive: true, maxSockets, maxFreeSockets: maxSockets });
  // An idle channel that nobody reads would never tell that the engine has closed it, and be used again.
  agent.on('free', (channel: Duplex) => channel.resume());
  return Object.assign(agent, {
    createConnection: (_options: unknown, done: (problem: Error | null, socket: Duplex) => void): void => make(done),
  });
}

/** What the engine objects to may lie in what was asked of it; a full disk never does. */
function engineRefused(host: HostName, what: string, words: string): DeployError {
  if (!/no space left|disk quota exceeded/i.test(words)) {
    return new DeployError([error('engine', `cannot ${what}: ${words}`, { host })], exitCode.failed);
  }
  const hint = 'make room there, for example by removing old images, then run the same command again';
  return nodeError(host, 'no-space', `cannot ${what}: no space left on the engine’s disk (${words})`, hint);
}

/** The Docker Engine of one node, over the node's SSH connection. */
export class Engine {
  readonly host: HostName;
  readonly socketPath: string;
  readonly #connection: SshConnection;
  readonly #agent: http.Agent;
  readonly #timeoutMs: number;
  readonly #maxSockets: number;
  #docker: Promise<Docker> | undefined;
  #calls = 0;
  /** How the latest docker command ended, which is known a moment after its output ends. */
  #stdio: Promise<DeployError | undefined> | undefined;
  /** Set only while a call is being started, which dockerode does synchronously. */
  #signal: AbortSignal | undefined;

  constructor(connection: SshConnection, options: EngineOptions = {}) {
    this.host = connection.host;
    this.socketPath = options.socketPath ?? '/var/run/docker.sock';
    this.#connection = connection;
    this.#timeoutMs = options.timeoutMs ?? 60_000;
    this.#maxSockets = options.maxSockets ?? 8;
    this.#agent = this.#newAgent();
  }

  #newAgent(): http.Agent {
    return channelAgent((done) => {
      this.#connect().then(
        (channel) => done(null, asSocket(channel)),
        (problem: Error) => done(problem, undefined as never),
      );
    }, this.#maxSockets);
  }

  /** API calls made so far. */
  get calls(): number {
    return this.#calls;
  }

  async #connect(): Promise<Duplex> {
    try {
      const channel = await this.#connection.forwardSocket(this.socketPath);
      this.#agent.maxSockets = this.#maxSockets;
      this.#stdio = undefined;
      return channel;
    } catch (problem) {
      if (!(problem instanceof ChannelError)) throw problem;
      // sshd gives the same answer for a socket it may not forward and for one that does not answer, so this is
      // tried anew for each connection. By the command each is a session, and of those sshd allows ten.
      this.#agent.maxSockets = 2;
      return this.#dialStdio();
    }
  }

  #noEngine(reason: string): DeployError {
    return nodeError(
      this.host,
      'no-engine',
      `no Docker Engine answers at ${this.socketPath}: ${reason}`,
      'is the engine installed and running there, and may this user open its socket (group docker)?',
    );
  }

  /** For an sshd that forwards no sockets: the docker command line tool on the node carries the bytes. */
  async #dialStdio(): Promise<Duplex> {
    const session = await this.#connection.open(['sh', '-c', dialScript, 'sh', this.socketPath]);
    let words = '';
    session.stderr.on('data', (chunk: Buffer) => {
      words = `${words}${chunk.toString('utf8')}`.slice(0, 500);
    });
    this.#stdio = session.exit.then(
      (code) => {
        session.close();
        return code === 0 ? undefined : this.#stdioError(code, words);
      },
      () => undefined,
    );
    return session.stream;
  }

  #stdioError(code: number, words: string): DeployError {
    if (code === dialStatus.missing) return this.#noEngine('there is no such socket');
    if (code === dialStatus.denied) return this.#noEngine('this user may not open it');
    if (code !== dialStatus.noCommand) return this.#noEngine(reasonText(words));
    return nodeError(
      this.host,
      'no-engine',
      `${this.socketPath} cannot be reached: either no Docker Engine listens there or sshd forwards no unix sockets`,
      'start the engine; else allow AllowStreamLocalForwarding in its sshd_config or install the docker command there',
    );
  }

  async #load(): Promise<Docker> {
    const { default: Dockerode } = await import('dockerode');
    // The types lack `agent`, which docker-modem hands on to http.request.
    const options = { agent: this.#agent, host: 'engine.invalid', port: 80, protocol: 'http' as const };
    const docker = new Dockerode(options);
    const modem = docker.modem as unknown as { dial: (options: { abortSignal?: AbortSignal }, done: unknown) => void };
    const dial = modem.dial.bind(modem);
    modem.dial = (options, done) => {
      this.#calls += 1;
      dial(this.#signal ? { ...options, abortSignal: this.#signal } : options, done);
    };
    return docker;
  }

  /**
   * The engine's answer to one GET. What only looks needs nothing else, and so a run that finds nothing to change
   * never loads dockerode, which takes 121 ms. Failures as with `call`.
   */
  async get(what: string, path: string): Promise<unknown> {
    this.#calls += 1;
    const abort = new AbortController();
    const answer = getJson({ agent: this.#agent, path, signal: abort.signal });
    try {
      return await this.#connection.guard(what, this.#timeoutMs, answer, () => abort.abort());
    } catch (problem) {
      throw await this.#explain(what, problem);
    }
  }

  /**
   * One call (or a few in a row that belong together). A failure that `work` does not handle becomes a
   * DeployError that begins with `what`, as in `cannot ${what}: …`. `timeoutMs` 0 means no limit.
   */
  async call<T>(what: string, work: (docker: Docker) => Promise<T>, timeoutMs = this.#timeoutMs): Promise<T> {
    this.#docker ??= this.#load();
    const docker = await this.#docker;
    const abort = new AbortController();
    this.#signal = abort.signal;
    let running: Promise<T>;
    try {
      running = work(docker);
    } finally {
      this.#signal = undefined;
    }
    try {
      return await this.#connection.guard(what, timeoutMs, running, () => abort.abort());
    } catch (problem) {
      throw await this.#explain(what, problem);
    }
  }

  /**
   * Throws (exit 4) unless the engine takes a new connection. One that is being stopped takes none, but goes on to
   * answer on the old ones while it stops all containers: what they come to then is no fault of theirs.
   */
  async mustServe(): Promise<void> {
    const agent = this.#newAgent();
    const abort = new AbortController();
    const answer = getJson({ agent, path: '/version', signal: abort.signal });
    try {
      await this.#connection.guard('a new connection to the engine', this.#timeoutMs, answer, () => abort.abort());
    } catch (problem) {
      if (isEngineFailure(problem)) return;
      throw await this.#explain('connect to it anew', problem);
    } finally {
      agent.destroy();
    }
  }

  async #explain(what: string, problem: unknown): Promise<unknown> {
    if (problem instanceof DeployError) return problem;
    if (this.#connection.lost) return this.#connection.lost;
    if (isEngineFailure(problem)) {
      const ending = await this.mustServe().catch((reason: unknown) => reason);
      return ending ?? engineRefused(this.host, what, engineWords(problem));
    }
    if (codeOf(problem) === 'ECONNRESET' || codeOf(problem) === 'EPIPE' || /parse error/i.test(reasonText(problem))) {
      const refused = await Promise.race([this.#stdio, setTimeout(1_000)]);
      if (refused) return refused;
      return this.#noEngine(`it closed the connection while this was asked of it: ${what}`);
    }
    return problem;
  }

  close(): void {
    this.#agent.destroy();
  }
}
