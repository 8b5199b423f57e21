import type { Duplex } from 'node:stream';
import type { VolumeSize } from '../core/galera/kept-data.ts';
import type { Generation, StoredGeneration } from '../core/model/generation.ts';
import type { HookName } from '../core/model/hook.ts';
import type {
  ContainerName,
  ContainerSpec,
  FileContent,
  HostName,
  ObservedNode,
  PinnedImage,
} from '../core/model/node.ts';

/** What `run` needs from a node. `edge/node` implements it over SSH and the Docker Engine API. */
export interface NodePort {
  readonly host: HostName;

  /** One look: one engine call per kind of object and one command, whatever the number of containers and files. */
  observe(want?: { images?: boolean; listening?: boolean }): Promise<ObservedNode>;

  /** Pulls by digest and tags the result; no request to the registry when the node has that digest. */
  pull(image: PinnedImage, onProgress?: (line: string) => void): Promise<{ pulled: boolean; attempts?: number }>;

  /** One tar stream into a staging directory, renamed into place file by file; then removes what is listed. */
  writeFiles(files: readonly FileContent[], remove: readonly string[]): Promise<void>;

  /** Texts of files on the node, with one command; what is missing or larger than 512 KiB is absent. */
  readDetails(paths: readonly string[]): Promise<ReadonlyMap<string, string>>;

  /** Facts for the next run; replaced atomically. Keys are `[a-z0-9._-]+`. */
  writeMarker(key: string, value: string): Promise<void>;

  removeMarkers(keys: readonly string[]): Promise<void>;

  /**
   * Keeps what a container that serves was made of, with a copy of its config directory, and the one before it.
   * Atomic: a run that dies leaves the old record or the new one. Recording the same form again changes nothing else.
   */
  recordGeneration(directory: string, generation: Generation): Promise<void>;
  /** Makes the config directory hold exactly the files of the current generation; false when there is none. */
  restoreGeneration(container: ContainerName, directory: string): Promise<boolean>;
  readGeneration(
    container: ContainerName,
    directory: string,
    which: 'current' | 'previous',
  ): Promise<StoredGeneration | undefined>;
  /** Missing ones are fine. */
  removeGenerations(containers: readonly ContainerName[]): Promise<void>;

  /** What lies directly in a volume, and texts of some of its files; undefined when there is no such volume. */
  readVolume(name: string, files: readonly string[]): Promise<VolumeLook | undefined>;

  /** How much lies in a volume, and how much room is left where volumes are kept; undefined when there is no such volume. */
  measureVolume(name: string): Promise<VolumeSize | undefined>;
  /** Whether anything in a volume was written after this time of the node's own clock (RFC 3339). */
  volumeWrittenSince(name: string, time: string): Promise<boolean>;

  /** Seconds since a marker was written, by the node's own clock; undefined without one. */
  markerAge(key: string): Promise<number | undefined>;

  /**
   * Empties a volume whose data nothing uses. With `keep` what is in it moves to a directory of another volume, if there
   * is room for as many MiB beside it. Nothing to do for one that is not there, or is empty.
   */
  emptyVolume(
    name: string,
    keep?: { readonly volume: string; readonly directory: string; readonly roomMb: number },
  ): Promise<'was empty' | 'kept' | 'given up'>;

  /** Moves what is in a directory of a volume into another volume, which must be empty. */
  fillVolume(name: string, from: { readonly volume: string; readonly directory: string }): Promise<void>;

  /** Removes named volumes and what is in them. A missing one is fine. */
  removeVolumes(names: readonly string[]): Promise<void>;

  /** Creates without starting; a container of that name that never ran is replaced. Returns the id. */
  create(name: ContainerName, spec: ContainerSpec, labels: Readonly<Record<string, string>>): Promise<string>;
  /** One that is paused goes on where it stood. */
  start(name: ContainerName): Promise<void>;
  /** SIGTERM, then SIGKILL after `graceSeconds`. A stopped or missing container is fine. */
  stop(name: ContainerName, graceSeconds: number): Promise<void>;
  rename(from: ContainerName, to: ContainerName): Promise<void>;
  /** Removes a container (never its named volumes). A missing one is fine. */
  remove(name: ContainerName): Promise<void>;
  signal(name: ContainerName, signal: string): Promise<void>;
  /** State as the engine sees it now, or undefined when there is no such container. */
  inspect(name: ContainerName): Promise<ContainerInspection | undefined>;
  /**
   * What of a container's settings is not as a new one of this spec would have it, in words, without values that may be
   * secret; nothing for one that is not there. Changes nothing.
   */
  settingsDiffering(name: ContainerName, spec: ContainerSpec): Promise<readonly string[]>;
  /** Waits for the end of a container and returns its exit code. */
  wait(name: ContainerName, timeoutMs: number): Promise<number>;
  logs(name: ContainerName, lines: number): Promise<string>;
  exec(
    name: ContainerName,
    argv: readonly string[],
    options?: { user?: string; timeoutMs?: number },
  ): Promise<ExecResult>;

  /** Files into a container's filesystem (its volumes included), also before its first start. */
  putFiles(
    name: ContainerName,
    directory: string,
    files: readonly { name: string; content: Uint8Array; mode: number; uid: number; gid: number }[],
  ): Promise<void>;
  /** Regular files directly inside a directory of a container. */
  getFiles(name: ContainerName, directory: string): Promise<ReadonlyMap<string, Uint8Array>>;

  /** A unix socket in a volume of a container, connected to directly; undefined where only the container can reach it. */
  openSocket(container: ContainerName, path: string): Promise<Duplex | undefined>;

  /** A TCP connection made from the node, over the same SSH connection. */
  connect(address: string, port: number): Promise<Duplex>;

  close(): Promise<void>;
}

export interface ExecResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface VolumeLook {
  /** Where it lies on the node. */
  readonly mountpoint: string;
  /** Undefined when it could not be listed. */
  readonly entries: readonly string[] | undefined;
  /** Seconds since the epoch, by the node's own clock. */
  readonly now?: number | undefined;
  /** By name; what is missing, no regular file, or larger than 512 KiB is absent. */
  readonly texts: ReadonlyMap<string, string>;
}

export interface ContainerInspection {
  readonly id: string;
  readonly running: boolean;
  readonly exitCode: number;
  readonly restartCount: number;
  readonly startedAt: string;
  /** When it last ended, by the node's own clock (RFC 3339). */
  readonly finishedAt?: string | undefined;
  /** Shell command of the health check it was created with. */
  readonly check?: string | undefined;
}

/** Passed, or what was heard instead. */
export type GateAnswer = { readonly ok: true } | { readonly ok: false; readonly said: string };

export type HookOutcome = { readonly ok: true } | { readonly ok: false; readonly said: string };

/** The operator's executables, run on the control host with the facts of this run in their environment. */
export interface HooksPort {
  run(
    hook: { readonly path: string; readonly when: HookName; readonly service?: string | undefined },
    onLine: (line: string) => void,
  ): Promise<HookOutcome>;
}
