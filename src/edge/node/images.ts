import type { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { DeployError, type Diagnostic, error, exitCode } from '../../core/model/diagnostic.ts';
import { imageName, type PinnedImage } from '../../core/model/node.ts';
import type { Secret } from '../../core/model/secret.ts';
import type { Engine } from '../docker/client.ts';
import { engineWords, isEngineFailure } from '../docker/http.ts';
import { pullCause } from './pull-cause.ts';

export interface RegistryAuth {
  readonly username: string;
  readonly password: Secret;
}

/** A pull may take as long as it makes progress; after this long without a line it counts as stuck. */
const stalledMs = 180_000;

export interface LocalImage {
  readonly id: string;
  readonly tags: readonly string[];
  readonly digests: readonly string[];
}

async function inspectImage(engine: Engine, name: string): Promise<LocalImage | undefined> {
  return engine.call(`look at the image ${name}`, async (docker) => {
    try {
      const found = await docker.getImage(name).inspect();
      return { id: found.Id, tags: found.RepoTags ?? [], digests: found.RepoDigests ?? [] };
    } catch (problem) {
      if (isEngineFailure(problem) && problem.statusCode === 404) return undefined;
      throw problem;
    }
  });
}

/** Never to be taken for a bad version: what cannot be fetched says nothing about what it would do. */
function imageError(engine: Engine, image: PinnedImage, words: string): PullError {
  const name = `${imageName(image)} (${image.digest})`;
  const registry = image.repository.split('/')[0] ?? image.repository;
  const { code, cause, hint, passing } = pullCause(words, registry);
  const diagnostic = error(code, `cannot pull ${name}: ${cause}`, { host: engine.host, hint });
  return new PullError(diagnostic, passing === true);
}

class PullError extends DeployError {
  /** The same attempt may succeed in a moment. */
  readonly passing: boolean;

  constructor(diagnostic: Diagnostic, passing: boolean) {
    super([diagnostic], exitCode.nodeNotUsable);
    this.passing = passing;
  }
}

function authConfig(auth: RegistryAuth, image: PinnedImage): Record<string, string> {
  const serveraddress = image.repository.split('/')[0] ?? '';
  return { username: auth.username, password: auth.password.reveal(), serveraddress };
}

/** The pull itself. The engine answers 200 at once and tells failures in the stream. */
async function download(
  engine: Engine,
  image: PinnedImage,
  auth: RegistryAuth | undefined,
  onProgress: ((line: string) => void) | undefined,
): Promise<void> {
  const source = { fromImage: image.repository, tag: image.digest };
  const stream = await engine.call(
    `pull ${imageName(image)}`,
    async (docker) => docker.createImage(auth ? authConfig(auth, image) : {}, source),
    stalledMs,
  );
  await engine.call(`pull ${imageName(image)}`, () => follow(engine, image, stream as Readable, onProgress), 0);
}

async function follow(
  engine: Engine,
  image: PinnedImage,
  stream: Readable,
  onProgress: ((line: string) => void) | undefined,
): Promise<void> {
  const stuck = imageError(engine, image, `timeout: nothing came for ${stalledMs / 1000} s`);
  const timer = setTimeout(() => stream.destroy(stuck), stalledMs);
  try {
    let rest = '';
    for await (const chunk of stream) {
      timer.refresh();
      const lines = `${rest}${String(chunk)}`.split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) progress(engine, image, line, onProgress);
    }
    progress(engine, image, rest, onProgress);
  } finally {
    clearTimeout(timer);
    stream.destroy();
  }
}

interface PullEvent {
  readonly error?: string;
  readonly status?: string;
  readonly id?: string;
  readonly progress?: string;
}

function progress(
  engine: Engine,
  image: PinnedImage,
  line: string,
  onProgress: ((line: string) => void) | undefined,
): void {
  if (line.trim() === '') return;
  let event: PullEvent;
  try {
    event = JSON.parse(line) as PullEvent;
  } catch {
    throw imageError(engine, image, 'EOF: the engine ended its answer in the middle');
  }
  if (event.error !== undefined) throw imageError(engine, image, event.error);
  if (event.status !== undefined) onProgress?.([event.id, event.status, event.progress].filter(Boolean).join(' '));
}

/** Waits before the further attempts of a pull that failed for a reason that may pass, in milliseconds. */
const patienceMs: readonly number[] = [2_000, 5_000, 10_000];
/** The engine has its own patience with layers; what took this long is not asked for again. */
const attemptsEndMs = 30_000;

/** Makes sure that the node has the digest and that the tag names it; asks the registry only for a missing digest. */
export async function pullImage(
  engine: Engine,
  image: PinnedImage,
  auth: RegistryAuth | undefined,
  onProgress?: (line: string) => void,
  delaysMs: readonly number[] = patienceMs,
): Promise<{ pulled: boolean; attempts?: number }> {
  const pinned = `${image.repository}@${image.digest}`;
  const tagged = await inspectImage(engine, imageName(image));
  if (tagged && holds(tagged, image)) return { pulled: false };
  const present = await inspectImage(engine, pinned);
  const attempts = present
    ? 0
    : await patiently(delaysMs, onProgress, () => attemptPull(engine, image, auth, onProgress));
  await engine.call(`tag ${imageName(image)}`, (docker) =>
    docker.getImage(pinned).tag({ repo: image.repository, tag: image.tag }),
  );
  return { pulled: !present, ...(attempts > 1 ? { attempts } : {}) };
}

async function attemptPull(
  engine: Engine,
  image: PinnedImage,
  auth: RegistryAuth | undefined,
  onProgress: ((line: string) => void) | undefined,
): Promise<void> {
  await download(engine, image, auth, onProgress).catch((problem: unknown) => {
    throw isEngineFailure(problem)
      ? imageError(engine, image, engineWords(problem))
      : pullProblem(engine, image, problem);
  });
}

/** Tries again what failed for a reason that may pass; returns the number of attempts, and says it where all failed. */
async function patiently(
  delaysMs: readonly number[],
  onProgress: ((line: string) => void) | undefined,
  attempt: () => Promise<void>,
): Promise<number> {
  const started = performance.now();
  for (let attempts = 1; ; attempts += 1) {
    try {
      await attempt();
      return attempts;
    } catch (problem) {
      const [first] = problem instanceof PullError && problem.passing ? problem.diagnostics : [];
      if (first === undefined) throw problem;
      const wait = delaysMs[attempts - 1];
      if (wait === undefined || performance.now() - started > attemptsEndMs) {
        const tries = attempts === 1 ? '' : `; ${attempts} attempts were made`;
        throw new PullError({ ...first, message: `${first.message}${tries}` }, true);
      }
      onProgress?.(`${first.message}; again in ${wait / 1000} s`);
      await delay(wait);
    }
  }
}

/** A failure that the engine answered with right away, told in the same words as one in the stream. */
function pullProblem(engine: Engine, image: PinnedImage, problem: unknown): unknown {
  const first = problem instanceof DeployError && !(problem instanceof PullError) ? problem.diagnostics[0] : undefined;
  if (first?.code !== 'engine' && first?.code !== 'no-space') return problem;
  return imageError(engine, image, first.message.replace(/^cannot pull [^ ]+: /, ''));
}

/** An image built or loaded on the node has no registry digest; its own id pins it as well. */
function holds(local: LocalImage, image: PinnedImage): boolean {
  return local.digests.includes(`${image.repository}@${image.digest}`) || local.id === image.digest;
}

/** Throws unless the tag that a container is created from is the pinned image on this node. */
export async function requireImage(engine: Engine, image: PinnedImage): Promise<void> {
  const name = imageName(image);
  const local = await inspectImage(engine, name);
  if (local && holds(local, image)) return;
  const message = local
    ? `the image ${name} on the node is another one than planned: it is ${local.digests[0] ?? local.id}, planned is ${image.digest}`
    : `the image ${name} is not on the node`;
  const diagnostic = error('image-missing', message, { host: engine.host, hint: 'pull the images first' });
  throw new DeployError([diagnostic], exitCode.failed);
}
