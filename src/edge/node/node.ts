import type { LockHolder, LockTaken } from '../../core/model/lock.ts';
import type { ObservedNode } from '../../core/model/node.ts';
import type { RunLogEntry, RunLogLine } from '../../core/model/run-log.ts';
import type { NodePort } from '../../run/ports.ts';
import { Engine } from '../docker/client.ts';
import { connectSsh } from '../ssh/connect.ts';
import type { SshConnection, SshSession } from '../ssh/connection.ts';
import { mergeErrors, nodeError } from '../ssh/failures.ts';
import { quote } from '../ssh/quote.ts';
import type { SshCounters, SshOptions, SshTarget } from '../ssh/target.ts';
import { getFiles, putFiles } from './archive.ts';
import * as containers from './containers.ts';
import { dropMarkers, markerAge, type RunOnNode, sendFiles, sendMarker } from './files.ts';
import * as generations from './generations.ts';
import { pullImage, type RegistryAuth } from './images.ts';
import {
  type Broken,
  breakLock,
  fenced,
  fencedOff,
  type Lease,
  type LockAnswer,
  type LockOptions,
  lockLost,
  lockState,
  takeLock,
} from './lock.ts';
import { type Look, lookScript, parseLook } from './look.ts';
import { readTexts } from './read.ts';
import { readRunLog, runLogName } from './run-log.ts';
import { openSocket } from './sockets.ts';
import { emptyVolume, fillVolume, madeVolume, measureVolume, readVolume, volumeWrittenSince } from './volume.ts';

export interface NodeOptions extends SshOptions {
  /** Directory of the containers' configuration, absolute. Default `/etc/kolla`. */
  readonly configRoot?: string | undefined;
  /** Default `/var/run/docker.sock`. */
  readonly dockerSocket?: string | undefined;
  /** Runs commands (not engine calls) by `sudo -n`, for users other than root. */
  readonly become?: boolean | undefined;
  readonly registryAuth?: RegistryAuth | undefined;
  /** Waits before further attempts of a pull, where the registry may be well again in a moment. Default 2, 5 and 10 s. */
  readonly pullDelaysMs?: readonly number[] | undefined;
  /** Limit of one engine call. Default 60 000. */
  readonly engineTimeoutMs?: number | undefined;
  /** Limit of one command on the node. Default 120 000. */
  readonly commandTimeoutMs?: number | undefined;
  readonly lock?: Omit<LockOptions, 'prefix'> | undefined;
}

export interface NodeCounters extends SshCounters {
  readonly engineCalls: number;
}

/** A node over a connection. */
export interface OpenNode extends NodePort {
  readonly counters: NodeCounters;
  readonly connection: SshConnection;
  /** Takes the node's lock, or says who has it. From then on commands that change the node run only under it. */
  lock(holder: LockHolder): Promise<LockAnswer>;
  lockState(): Promise<LockTaken | undefined>;
  /** A command whose output or input is too much to be held here. */
  stream(argv: readonly string[]): Promise<SshSession>;
  /** Where a volume lies; it is made if there is none. */
  makeVolume(name: string): Promise<string>;
  /** Ends the session that holds the lock for this run, and writes `entry` into the node's log of runs. */
  breakLock(run: string, entry: RunLogEntry): Promise<Broken>;
  /** Appends to the node's log of runs, under the lock; false when it cannot be written, or the lock is lost. */
  logRun(entry: RunLogEntry): Promise<boolean>;
  readRunLog(): Promise<readonly RunLogLine[]>;
}

interface Parts {
  readonly connection: SshConnection;
  readonly engine: Engine;
  readonly root: string;
  readonly run: RunOnNode;
  readonly stream: (argv: readonly string[]) => Promise<SshSession>;
  readonly lock: LockOptions;
}

/** Results of everything, or one error with the problems of all. */
async function together<T extends readonly unknown[]>(work: { readonly [K in keyof T]: Promise<T[K]> }): Promise<T> {
  const results = await Promise.allSettled(work);
  const failed = results.flatMap((one): unknown[] => (one.status === 'rejected' ? [one.reason] : []));
  if (failed.length > 0) throw mergeErrors(failed);
  return results.map((one) => (one.status === 'fulfilled' ? one.value : undefined)) as unknown as T;
}

async function look(parts: Parts, listening: boolean): Promise<Look> {
  const args = [parts.root, listening ? 'yes' : 'no'];
  const result = await parts.run(['sh', '-s', '--', ...args], lookScript);
  const seen = parseLook(result.stdout, parts.root);
  if (seen) return seen;
  const words = result.stderr.trim().split('\n')[0];
  throw nodeError(
    parts.connection.host,
    'look',
    `the commands that look at the node failed${words ? `: ${words}` : ` with status ${result.code}`}`,
    'the user needs a POSIX shell there, with find and sha256sum of GNU',
  );
}

/** The command goes first: see SshConnection.forwardSocket for why a session must be open before forwarded sockets. */
async function observe(
  parts: Parts,
  version: () => Promise<string>,
  want: { images?: boolean; listening?: boolean },
): Promise<ObservedNode> {
  const { engine } = parts;
  const [seen, list, volumes, engineVersion, images] = await together([
    look(parts, want.listening === true),
    containers.listContainers(engine),
    containers.listVolumes(engine),
    version(),
    want.images === true ? containers.listImages(engine) : Promise.resolve(undefined),
  ] as const);
  const { listening, ...rest } = seen;
  return {
    host: parts.connection.host,
    ...rest,
    engineVersion,
    containers: list,
    volumes,
    ...(images ? { images } : {}),
    ...(want.listening === true ? { listening } : {}),
  };
}

/** Asked once per connection, at its first look. */
function once<T>(work: () => Promise<T>): () => Promise<T> {
  let result: Promise<T> | undefined;
  return () => {
    result ??= work().catch((problem: unknown) => {
      result = undefined;
      throw problem;
    });
    return result;
  };
}

/** The node's lock as this connection holds it, and the commands that run only under it. */
function lockCalls({ connection, run, lock }: Parts) {
  let holding: string | undefined;
  let lease: Lease | undefined;
  /** Fenced as soon as the lock has been taken: a run that has lost it changes nothing any more. */
  const change: RunOnNode = async (argv, stdin, limitMs) => {
    if (holding === undefined) return run(argv, stdin, limitMs);
    const result = await run(fenced(argv, holding, lock.directory), stdin, limitMs);
    if (result.code === fencedOff) throw lockLost(connection.host);
    return result;
  };
  const calls = {
    lock: async (holder) => {
      const answer = await takeLock(connection, holder, lock);
      if (answer.taken) {
        holding = holder.run;
        lease = answer.lease;
      }
      return answer;
    },
    lockState: () => lockState(connection, lock),
    breakLock: (name, entry) => breakLock(connection, name, entry, lock),
    logRun: async (entry) => (await lease?.log(entry)) ?? false,
  } satisfies Partial<OpenNode>;
  return { calls, change, release: async () => lease?.release() };
}

function fileCalls({ connection: { host }, root, run }: Parts, change: RunOnNode) {
  return {
    writeFiles: (files, remove) => sendFiles(host, root, change, files, remove),
    readDetails: (paths) => readTexts(host, run, paths),
    writeMarker: (key, value) => sendMarker(host, root, change, key, value),
    removeMarkers: (keys) => dropMarkers(host, root, change, keys),
    markerAge: (key) => markerAge(host, root, run, key),
    recordGeneration: (directory, generation) =>
      generations.recordGeneration(host, root, change, directory, generation),
    restoreGeneration: (name, directory) => generations.restoreGeneration(host, root, change, name, directory),
    readGeneration: (name, directory, which) => generations.readGeneration(host, root, run, name, directory, which),
    removeGenerations: (names) => generations.removeGenerations(host, root, change, names),
    readRunLog: () => readRunLog(host, root, run),
  } satisfies Partial<OpenNode>;
}

function volumeCalls({ connection: { host }, engine, run }: Parts, change: RunOnNode) {
  return {
    readVolume: (name, files) => readVolume(host, engine, run, name, files),
    measureVolume: (name) => measureVolume(host, engine, run, name),
    volumeWrittenSince: (name, time) => volumeWrittenSince(host, engine, run, name, time),
    emptyVolume: (name, keep) => emptyVolume(engine, change, name, keep),
    fillVolume: (name, from) => fillVolume(engine, change, name, from),
    makeVolume: (name) => madeVolume(engine, name),
    removeVolumes: (names) => containers.removeVolumes(engine, names),
  } satisfies Partial<OpenNode>;
}

function containerCalls(engine: Engine) {
  return {
    create: (name, spec, labels) => containers.createContainer(engine, name, spec, labels),
    start: (name) => containers.startContainer(engine, name),
    stop: (name, graceSeconds) => containers.stopContainer(engine, name, graceSeconds),
    rename: (from, to) => containers.renameContainer(engine, from, to),
    remove: (name) => containers.removeContainer(engine, name),
    signal: (name, signal) => containers.signalContainer(engine, name, signal),
    settingsDiffering: (name, spec) => containers.settingsDiffering(engine, name, spec),
    inspect: (name) => containers.inspectContainer(engine, name),
    wait: (name, timeoutMs) => containers.waitContainer(engine, name, timeoutMs),
    logs: (name, lines) => containers.containerLogs(engine, name, lines),
    exec: (name, argv, execOptions) => containers.execInContainer(engine, name, argv, execOptions),
    putFiles: (name, directory, files) => putFiles(engine, name, directory, files),
    getFiles: (name, directory) => getFiles(engine, name, directory),
  } satisfies Partial<OpenNode>;
}

function nodePort(parts: Parts, options: NodeOptions): OpenNode {
  const { connection, engine } = parts;
  const version = once(() => containers.engineVersion(engine));
  const { calls, change, release } = lockCalls(parts);
  return {
    host: connection.host,
    connection,
    get counters() {
      return { ...connection.counters, engineCalls: engine.calls };
    },
    observe: (want = {}) => observe(parts, version, want),
    pull: (image, onProgress) => pullImage(engine, image, options.registryAuth, onProgress, options.pullDelaysMs),
    ...fileCalls(parts, change),
    ...volumeCalls(parts, change),
    ...containerCalls(engine),
    ...calls,
    openSocket: (name, socket) => openSocket(engine, connection, name, socket),
    connect: (address, port) => connection.forwardTcp(address, port),
    stream: parts.stream,
    close: async () => {
      await release();
      engine.close();
      await connection.close();
    },
  };
}

/**
 * Connects to a node. One SSH connection carries everything: commands, files and the engine's API. Nothing is
 * asked of the engine yet. Throws a DeployError (exit 4) when the node cannot be reached or logged in to.
 */
export async function openNode(target: SshTarget, options: NodeOptions): Promise<OpenNode> {
  const root = (options.configRoot ?? '/etc/kolla').replace(/\/+$/, '');
  const connection = await connectSsh(target, options);
  const engine = new Engine(connection, { socketPath: options.dockerSocket, timeoutMs: options.engineTimeoutMs });
  const prefix = options.become === true ? ['sudo', '-n', '--'] : [];
  const timeoutMs = options.commandTimeoutMs ?? 120_000;
  const run: RunOnNode = (argv, stdin, limitMs = timeoutMs) =>
    connection.exec(quote([...prefix, ...argv]), { stdin, timeoutMs: limitMs });
  const stream = (argv: readonly string[]) => connection.open(quote([...prefix, ...argv]));
  return nodePort(
    { connection, engine, root, run, stream, lock: { log: `${root}/${runLogName}`, ...options.lock, prefix } },
    options,
  );
}
