import type { ContextFile, PlannedImage } from '../core/images/definition.ts';
import type { EngineFailure } from '../core/images/failure.ts';
import type { Diagnostic } from '../core/model/diagnostic.ts';

/** An answer of the engine: failures are values, because a failed build is an ordinary result of a build run. */
export type EngineAnswer<T> = ({ readonly ok: true } & T) | ({ readonly ok: false } & EngineFailure);

export interface ImageBuild {
  /** Full name with tag the result gets. */
  readonly reference: string;
  readonly dockerfile: string;
  readonly context: readonly ContextFile[];
  /** Do not use layers of earlier builds. */
  readonly nocache: boolean;
}

/** The engine that builds. `edge/docker` implements it over the Docker Engine API. */
export interface BuildEnginePort {
  /** Content hashes of the images the engine holds, by full name; one call. */
  contentHashes(): Promise<ReadonlyMap<string, string>>;
  /** `size` in bytes. */
  build(
    image: ImageBuild,
    onLine: (line: string) => void,
    signal?: AbortSignal,
  ): Promise<EngineAnswer<{ id: string; size?: number | undefined }>>;
  push(
    image: { readonly repository: string; readonly tag: string },
    onLine: (line: string) => void,
    signal?: AbortSignal,
  ): Promise<EngineAnswer<{ digest?: string | undefined }>>;
  pull(reference: string, onLine: (line: string) => void, signal?: AbortSignal): Promise<EngineAnswer<object>>;
}

/** What the registry holds. `edge/registry` implements it. */
export interface BuildRegistryPort {
  inspect(image: {
    readonly repository: string;
    readonly tag: string;
  }): Promise<{ readonly digest: string; readonly labels: Readonly<Record<string, string>> } | undefined>;
}

export interface BuildPorts {
  readonly engine: BuildEnginePort;
  readonly registry: BuildRegistryPort;
  /** Milliseconds, from any origin. */
  readonly now: () => number;
  readonly sleep: (ms: number) => Promise<void>;
}

export interface BuildOptions {
  /** Push what was built, and what is built but not in the registry. */
  readonly push?: boolean;
  /** Build the selected images even when nothing changed. */
  readonly force?: boolean;
  /** Like `force`, and without layers of earlier builds. */
  readonly nocache?: boolean;
  /** Builds at a time, default 2. Pushes run beside them. */
  readonly concurrency?: number;
  /** Template texts by file name, to give errors the template's line. */
  readonly templates?: ReadonlyMap<string, string>;
  readonly signal?: AbortSignal;
}

export type BuildStatus = 'built' | 'skipped' | 'pushed' | 'failed' | 'blocked';

export interface BuildRow {
  readonly image: string;
  readonly tag: string;
  readonly reference: string;
  readonly status: BuildStatus;
  readonly seconds: number;
  /** Bytes. */
  readonly size?: number | undefined;
  readonly digest?: string | undefined;
  /** Of a blocked image: the failed image it cannot be built without, or `interrupt`. */
  readonly blockedBy?: string | undefined;
  /** Of a failed image. */
  readonly problem?: Diagnostic | undefined;
  readonly log?: readonly string[] | undefined;
}

export type BuildEvent =
  | { readonly kind: 'build-started' | 'push-started'; readonly image: PlannedImage }
  | { readonly kind: 'line'; readonly image: PlannedImage; readonly line: string }
  | { readonly kind: 'retry'; readonly image: PlannedImage; readonly attempt: number; readonly reason: string }
  | { readonly kind: 'finished'; readonly image: PlannedImage; readonly row: BuildRow };
