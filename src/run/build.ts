import PQueue from 'p-queue';
import { type BuildPlan, contentHashLabel, type PlannedImage } from '../core/images/definition.ts';
import { describeFailure, type EngineFailure, mayPass } from '../core/images/failure.ts';
import { error } from '../core/model/diagnostic.ts';
import type { BuildEvent, BuildOptions, BuildPorts, BuildRow, BuildStatus, EngineAnswer } from './build-ports.ts';

type Need = 'nothing' | 'push' | 'build';

interface Assessment {
  readonly need: Need;
  /** The engine holds it with the wanted content. */
  readonly local: boolean;
  /** Digest in the registry when the content there is the wanted one. */
  readonly digest?: string | undefined;
}

/** How far an image got, as its children see it. */
type Availability = { readonly ok: true } | { readonly ok: false; readonly blockedBy: string };

interface Run {
  readonly plan: ReadonlyMap<string, PlannedImage>;
  readonly assessments: ReadonlyMap<string, Assessment>;
  readonly ports: BuildPorts;
  readonly options: BuildOptions;
  readonly emit: (event: BuildEvent) => void;
  readonly builds: PQueue;
  readonly pushes: PQueue;
  readonly rows: Map<string, BuildRow>;
  readonly pulls: Map<string, Promise<EngineAnswer<object>>>;
}

const retryDelaysMs = [2000, 8000];

/**
 * Builds (and pushes) what differs from the plan: parents before children, independent images in parallel, the push
 * of a parent beside the builds of its children. An image whose content hash the engine (or with `push` the
 * registry) already has is skipped. What may pass is tried up to three times. Gives one row per image of the plan in
 * its order; a failed image is a row, not an exception.
 */
export async function runBuild(
  plan: BuildPlan,
  ports: BuildPorts,
  events: (event: BuildEvent) => void,
  options: BuildOptions = {},
): Promise<readonly BuildRow[]> {
  const run: Run = {
    plan: new Map(plan.images.map((image) => [image.key, image])),
    assessments: await assess(plan, ports, options),
    ports,
    options,
    emit: events,
    builds: new PQueue({ concurrency: options.concurrency ?? 2 }),
    pushes: new PQueue({ concurrency: 2 }),
    rows: new Map(),
    pulls: new Map(),
  };
  const available = new Map<string, Promise<Availability>>();
  const finished: Promise<void>[] = [];
  for (const image of plan.images) {
    const parents = image.parents.flatMap((key) => available.get(key) ?? []);
    const { built, done } = processImage(run, image, parents);
    available.set(image.key, built);
    finished.push(done);
  }
  await Promise.all(finished);
  return plan.images.flatMap((image) => run.rows.get(image.key) ?? []);
}

/** Parents that nobody asked for are needed only when a child has to be built from them. */
async function assess(
  plan: BuildPlan,
  ports: BuildPorts,
  options: BuildOptions,
): Promise<ReadonlyMap<string, Assessment>> {
  const hashes = await ports.engine.contentHashes();
  const digests = options.push ? await registryDigests(plan, ports) : new Map<string, string>();
  const again = options.force || options.nocache;
  const assessments = new Map<string, Assessment>();
  const parentsOfBuilds = new Set<string>();
  for (const image of plan.images.toReversed()) {
    const local = hashes.get(image.reference) === image.contentHash;
    const digest = digests.get(image.key);
    const current = digest !== undefined || local;
    let need: Need = 'nothing';
    if ((image.selected && again) || (!current && (image.selected || parentsOfBuilds.has(image.key)))) need = 'build';
    else if (image.selected && options.push && digest === undefined) need = 'push';
    if (need === 'build') for (const parent of image.parents) parentsOfBuilds.add(parent);
    assessments.set(image.key, { need, local, digest });
  }
  return assessments;
}

async function registryDigests(plan: BuildPlan, ports: BuildPorts): Promise<Map<string, string>> {
  const queue = new PQueue({ concurrency: 8 });
  const digests = new Map<string, string>();
  const looks = plan.images.map((image) =>
    queue.add(async () => {
      const found = await ports.registry.inspect(image);
      if (found?.labels[contentHashLabel] === image.contentHash) digests.set(image.key, found.digest);
    }),
  );
  await Promise.all(looks);
  return digests;
}

/** `built` tells children when they can start, `done` when the push is over as well. */
function processImage(
  run: Run,
  image: PlannedImage,
  parents: readonly Promise<Availability>[],
): { built: Promise<Availability>; done: Promise<void> } {
  const assessment = run.assessments.get(image.key) ?? { need: 'build', local: false };
  if (assessment.need === 'nothing') {
    finish(run, image, 'skipped', 0, { digest: assessment.digest });
    return { built: Promise.resolve({ ok: true }), done: Promise.resolve() };
  }
  if (assessment.need === 'push') {
    return { built: Promise.resolve({ ok: true }), done: push(run, image, 0, undefined) };
  }
  const outcome = Promise.all(parents).then((states) => build(run, image, states));
  const built = outcome.then((result): Availability => (result.ok ? { ok: true } : result));
  // Somebody always awaits `done`, which fails for the same reason; a leaf's `built` nobody does.
  built.catch(() => undefined);
  const done = outcome.then(async (result) => {
    if (!result.ok) return;
    if (run.options.push) await push(run, image, result.seconds, result.size);
    else finish(run, image, 'built', result.seconds, { size: result.size });
  });
  return { built, done };
}

type BuildResult =
  | { readonly ok: true; readonly seconds: number; readonly size?: number | undefined }
  | { readonly ok: false; readonly blockedBy: string };

async function build(run: Run, image: PlannedImage, parents: readonly Availability[]): Promise<BuildResult> {
  const missing = parents.find((parent) => !parent.ok);
  if (missing && !missing.ok) return blocked(run, image, missing.blockedBy);
  return run.builds.add(async () => {
    if (run.options.signal?.aborted) return blocked(run, image, 'interrupt');
    const started = run.ports.now();
    run.emit({ kind: 'build-started', image });
    const answer = await withRetries(run, image, async () => {
      const fetched = await fetchForBuild(run, image);
      return fetched.ok ? buildOnce(run, image) : fetched;
    });
    const seconds = secondsSince(run, started);
    if (answer.ok) return { ok: true as const, seconds, size: answer.size };
    if (run.options.signal?.aborted) return blocked(run, image, 'interrupt');
    const problem = describeFailure(image, run.options.templates?.get(image.file), answer);
    finish(run, image, 'failed', seconds, { problem, log: answer.lines });
    return { ok: false as const, blockedBy: image.key };
  });
}

function buildOnce(run: Run, image: PlannedImage): Promise<EngineAnswer<{ id: string; size?: number | undefined }>> {
  return run.ports.engine.build(
    {
      reference: image.reference,
      dockerfile: image.dockerfile,
      context: image.context,
      nocache: image.selected && run.options.nocache === true,
    },
    (line) => run.emit({ kind: 'line', image, line }),
    run.options.signal,
  );
}

/**
 * The engine must build on the very parent the content hash speaks of: one that only the registry has is pulled, also
 * over an older one of the same name, and so is a base image whose digest is known.
 */
async function fetchForBuild(run: Run, image: PlannedImage): Promise<EngineAnswer<object>> {
  const parents = image.parents.filter((key) => {
    const assessment = run.assessments.get(key);
    return assessment?.need === 'nothing' && !assessment.local;
  });
  const references = parents.flatMap((key) => run.plan.get(key)?.reference ?? []);
  if (image.base?.digest !== undefined) references.push(image.base.reference);
  for (const reference of references) {
    const pulling = run.pulls.get(reference) ?? pull(run, image, reference);
    run.pulls.set(reference, pulling);
    const answer = await pulling;
    if (answer.ok) continue;
    run.pulls.delete(reference);
    return answer;
  }
  return { ok: true };
}

function pull(run: Run, image: PlannedImage, reference: string): Promise<EngineAnswer<object>> {
  return run.ports.engine.pull(reference, (line) => run.emit({ kind: 'line', image, line }), run.options.signal);
}

async function push(run: Run, image: PlannedImage, buildSeconds: number, size: number | undefined): Promise<void> {
  await run.pushes.add(async () => {
    if (run.options.signal?.aborted) {
      blocked(run, image, 'interrupt');
      return;
    }
    const started = run.ports.now();
    run.emit({ kind: 'push-started', image });
    const answer = await withRetries(run, image, () =>
      run.ports.engine.push(image, (line) => run.emit({ kind: 'line', image, line }), run.options.signal),
    );
    const seconds = buildSeconds + secondsSince(run, started);
    if (answer.ok) finish(run, image, 'pushed', seconds, { size, digest: answer.digest });
    else if (run.options.signal?.aborted) blocked(run, image, 'interrupt');
    else finish(run, image, 'failed', seconds, { problem: pushProblem(image, answer), log: answer.lines });
  });
}

function pushProblem(image: PlannedImage, failure: EngineFailure): BuildRow['problem'] {
  const hint = /HTTP response to HTTPS client/.test(failure.message)
    ? 'add the registry to insecure-registries of the engine that builds'
    : undefined;
  return error('push-failed', `${image.key} was built but could not be pushed: ${failure.message}`, { hint });
}

async function withRetries<T>(
  run: Run,
  image: PlannedImage,
  attempt: () => Promise<EngineAnswer<T>>,
): Promise<EngineAnswer<T>> {
  let answer = await attempt();
  for (const [index, wait] of retryDelaysMs.entries()) {
    if (answer.ok || !mayPass(answer) || run.options.signal?.aborted) return answer;
    run.emit({ kind: 'retry', image, attempt: index + 2, reason: answer.message });
    await run.ports.sleep(wait);
    answer = await attempt();
  }
  return answer;
}

function blocked(run: Run, image: PlannedImage, by: string): { ok: false; blockedBy: string } {
  finish(run, image, 'blocked', 0, { blockedBy: by });
  return { ok: false, blockedBy: by };
}

function finish(
  run: Run,
  image: PlannedImage,
  status: BuildStatus,
  seconds: number,
  more: Pick<BuildRow, 'size' | 'digest' | 'blockedBy' | 'problem' | 'log'>,
): void {
  const row: BuildRow = { image: image.name, tag: image.tag, reference: image.reference, status, seconds, ...more };
  run.rows.set(image.key, row);
  run.emit({ kind: 'finished', image, row });
}

function secondsSince(run: Run, started: number): number {
  return Math.round((run.ports.now() - started) / 100) / 10;
}
