import { stripVTControlCharacters } from 'node:util';
import type Dockerode from 'dockerode';
import { contentHashLabel } from '../../core/images/definition.ts';
import type { Secret } from '../../core/model/secret.ts';
import type { BuildEnginePort, EngineAnswer, ImageBuild } from '../../run/build-ports.ts';
import { dockerfileName, packContext } from './build-context.ts';
import { readProgress } from './build-progress.ts';

export interface BuildEngineOptions {
  /** By registry (host:port); without an entry the engine talks to it anonymously. */
  readonly credentials?: ReadonlyMap<string, { readonly username: string; readonly password: Secret }>;
}

/** Builds on the engine behind a connection that the caller opened and closes. */
export function openBuildEngine(docker: Dockerode, options: BuildEngineOptions = {}): BuildEnginePort {
  return {
    contentHashes: () => contentHashes(docker),
    build: (image, onLine, signal) => guarded(() => build(docker, options, image, onLine, signal)),
    push: (image, onLine, signal) => guarded(() => push(docker, options, image, onLine, signal)),
    pull: (reference, onLine, signal) => guarded(() => pull(docker, options, reference, onLine, signal)),
  };
}

async function contentHashes(docker: Dockerode): Promise<ReadonlyMap<string, string>> {
  const images = await docker.listImages({ filters: JSON.stringify({ label: [contentHashLabel] }) });
  return new Map(
    images.flatMap((image) => {
      const hash = image.Labels?.[contentHashLabel];
      return hash === undefined ? [] : (image.RepoTags ?? []).map((name): [string, string] => [name, hash]);
    }),
  );
}

async function build(
  docker: Dockerode,
  options: BuildEngineOptions,
  image: ImageBuild,
  onLine: (line: string) => void,
  signal: AbortSignal | undefined,
): Promise<EngineAnswer<{ id: string; size?: number | undefined }>> {
  const stream = await docker.buildImage(packContext(image.dockerfile, image.context), {
    t: image.reference,
    dockerfile: dockerfileName,
    // The builds fetch packages; the engine's own bridge may not exist or not be routed.
    networkmode: 'host',
    forcerm: true,
    nocache: image.nocache,
    ...registryConfig(options),
    ...(signal ? { abortSignal: signal } : {}),
  });
  const progress = await readProgress(stream, onLine);
  if (progress.error !== undefined) return { ok: false, message: progress.error, lines: progress.lines };
  if (progress.id === undefined) {
    return { ok: false, message: 'the connection to the engine closed: unexpected EOF', lines: progress.lines };
  }
  const { Size: size } = await docker.getImage(progress.id).inspect();
  return { ok: true, id: progress.id, size };
}

async function push(
  docker: Dockerode,
  options: BuildEngineOptions,
  image: { readonly repository: string; readonly tag: string },
  onLine: (line: string) => void,
  signal: AbortSignal | undefined,
): Promise<EngineAnswer<{ digest?: string | undefined }>> {
  const stream = await docker.getImage(image.repository).push({
    tag: image.tag,
    authconfig: authentication(options, image.repository),
    ...(signal ? { abortSignal: signal } : {}),
  });
  const progress = await readProgress(stream, onLine);
  if (progress.error !== undefined) return { ok: false, message: progress.error, lines: progress.lines };
  if (progress.digest === undefined) {
    return { ok: false, message: 'the connection to the engine closed: unexpected EOF', lines: progress.lines };
  }
  return { ok: true, digest: progress.digest };
}

async function pull(
  docker: Dockerode,
  options: BuildEngineOptions,
  reference: string,
  onLine: (line: string) => void,
  signal: AbortSignal | undefined,
): Promise<EngineAnswer<object>> {
  const stream: NodeJS.ReadableStream = await docker.pull(reference, {
    authconfig: authentication(options, reference),
    ...(signal ? { abortSignal: signal } : {}),
  });
  const progress = await readProgress(stream, onLine);
  return progress.error === undefined ? { ok: true } : { ok: false, message: progress.error, lines: progress.lines };
}

/** Turns what dockerode throws (refused requests, lost connections) into an answer. */
async function guarded<T>(ask: () => Promise<EngineAnswer<T>>): Promise<EngineAnswer<T>> {
  try {
    return await ask();
  } catch (thrown) {
    const json = (thrown as { json?: { message?: unknown } } | undefined)?.json;
    const message = typeof json?.message === 'string' ? json.message : messageOf(thrown);
    return { ok: false, message: stripVTControlCharacters(message).trim(), lines: [] };
  }
}

function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

/** The engine wants the header even from the anonymous; `{}` is what it takes for that. */
function authentication(options: BuildEngineOptions, reference: string): { username?: string; password?: string } {
  const credentials = options.credentials?.get(reference.slice(0, reference.indexOf('/')));
  return credentials ? { username: credentials.username, password: credentials.password.reveal() } : {};
}

function registryConfig(options: BuildEngineOptions): { registryconfig?: Dockerode.RegistryConfig } {
  if (!options.credentials || options.credentials.size === 0) return {};
  const entries = [...options.credentials].map(([registry, { username, password }]) => [
    registry,
    { username, password: password.reveal() },
  ]);
  return { registryconfig: Object.fromEntries(entries) as Dockerode.RegistryConfig };
}
