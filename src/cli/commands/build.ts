import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { BuildPlan, ImageDefinition } from '../../core/images/definition.ts';
import { planBuild } from '../../core/images/graph.ts';
import { selectImages } from '../../core/images/select.ts';
import { DeployError, type ExitCode, error, exitCode, formatDiagnostic } from '../../core/model/diagnostic.ts';
import type { Scope } from '../../core/site/variables.ts';
import type { OpenNode } from '../../edge/node/node.ts';
import type { Registry } from '../../edge/registry/registry.ts';
import { readImages } from '../../edge/store/read-images.ts';
import type { BuildEvent, BuildRow } from '../../run/build-ports.ts';
import { changeOptions, type Invocation } from '../invocation.ts';
import { closeAll, openNodes } from '../nodes.ts';
import type { Output } from '../output.ts';
import { openSiteRegistry } from '../registry.ts';
import { type LoadedSite, loadSite, programDirectory, unwrap } from '../site.ts';

const builders = 'container-image-builders';

export async function run({ args, options: raw, output }: Invocation): Promise<ExitCode> {
  const options = changeOptions(raw);
  const loaded = await loadSite(options, output);
  const definitions = unwrap(await readImages(join(programDirectory, 'services')), output, exitCode.badInput);
  const enabled = new Set(loaded.services.map((s) => s.definition.service));
  const selected = unwrap(selectImages(args, definitions, enabled), output, exitCode.badInput);
  const host = buildHost(loaded);
  const scope = loaded.site.scope(host);
  const registry = await openSiteRegistry(scope, (text) => output.note(text));
  const plan = await planImages(loaded, scope, registry, definitions, selected, output);
  if (raw.list === true) {
    for (const image of plan.images) output.line(image.reference);
    return exitCode.ok;
  }
  const nodes = await openNodes(loaded, [host], options);
  try {
    const node = nodes.get(host);
    if (node === undefined) throw new Error(`${host} was not opened`);
    const rows = await build(node, registry, plan, definitions, raw, output);
    return summary(rows, output);
  } finally {
    await closeAll(nodes);
  }
}

/** Images are built on the first host of their own group. */
export function buildHost(loaded: LoadedSite): string {
  const [host] = loaded.site.inventory.groups.get(builders)?.hosts ?? [];
  if (host !== undefined) return host;
  throw new DeployError(
    [
      error('no-build-host', `the inventory has no host in the group ${builders}`, {
        hint: `add [${builders}] with the host that builds`,
      }),
    ],
    exitCode.badInput,
  );
}

export async function planImages(
  loaded: LoadedSite,
  scope: Scope,
  registry: Registry,
  definitions: readonly ImageDefinition[],
  selected: readonly ImageDefinition[],
  output: Output,
): Promise<BuildPlan> {
  const bases = scope.get('kolla_base_images') as Readonly<Record<string, string>>;
  const digests = new Map<string, string>();
  for (const reference of new Set(Object.values(bases))) {
    const digest = await baseDigest(registry, String(scope.get('docker_registry')), reference);
    if (digest !== undefined) digests.set(reference, digest);
  }
  const url = String(scope.get('docker_image_url'));
  const plan = planBuild({
    definitions,
    selected,
    tagsOf: (image) => tagsOf(loaded, scope, image),
    repositoryOf: (name) => `${url}${name}`,
    baseImageOf: (tag) => {
      const reference = bases[tag.version] ?? `${tag.distro}:${tag.version}`;
      return { reference, digest: digests.get(reference) };
    },
    arch: 'x86_64',
  });
  return unwrap(plan, output, exitCode.badInput);
}

/** Only the site's own registry is asked; a base image from elsewhere has no digest until the engine pulls it. */
async function baseDigest(registry: Registry, own: string, reference: string): Promise<string | undefined> {
  const colon = reference.lastIndexOf(':');
  if (own === '' || !reference.startsWith(`${own}/`) || colon < reference.lastIndexOf('/')) return undefined;
  return registry.resolveDigest({ repository: reference.slice(0, colon), tag: reference.slice(colon + 1) });
}

/** The tags an image is wanted with: those of the containers made from it, else of its service, else the site's. */
function tagsOf(loaded: LoadedSite, scope: Scope, image: ImageDefinition): string[] {
  const tags = new Set<string>();
  for (const service of loaded.site.services.values()) {
    for (const [name, container] of Object.entries(service.definition.containers)) {
      const at = service.span(['containers', name, 'image']);
      if (scope.evaluate(container.image, at) !== image.name) continue;
      tags.add(String(scope.evaluate(container.tag, service.span(['containers', name, 'tag']))));
    }
  }
  if (tags.size > 0) return [...tags];
  const ofService = `${image.service}_tag`;
  return [String(scope.get(scope.has(ofService) ? ofService : 'openstack_tag'))];
}

async function build(
  node: OpenNode,
  registry: Registry,
  plan: BuildPlan,
  definitions: readonly ImageDefinition[],
  raw: Readonly<Record<string, unknown>>,
  output: Output,
): Promise<readonly BuildRow[]> {
  const [{ runBuild }, { openBuildEngine }, { Engine }] = await Promise.all([
    import('../../run/build.ts'),
    import('../../edge/docker/build.ts'),
    import('../../edge/docker/client.ts'),
  ]);
  // A session first: see SshConnection.forwardSocket.
  await node.connection.exec('true');
  const engine = new Engine(node.connection, { timeoutMs: 3_600_000 });
  const stop = new AbortController();
  const onSignal = () => stop.abort();
  process.once('SIGINT', onSignal);
  try {
    const buildOptions = {
      push: raw.push === true,
      force: raw.force === true,
      nocache: raw.nocache === true,
      templates: new Map(definitions.map(({ dockerfile }) => [dockerfile.file, dockerfile.text])),
      signal: stop.signal,
    };
    const now = () => performance.now();
    const show = (event: BuildEvent) => showEvent(event, output);
    return await engine.call(
      'build images',
      (docker) =>
        runBuild(
          plan,
          { engine: openBuildEngine(docker), registry, now, sleep: (ms) => sleep(ms) },
          show,
          buildOptions,
        ),
      0,
    );
  } finally {
    process.off('SIGINT', onSignal);
    engine.close();
  }
}

function showEvent(event: BuildEvent, output: Output): void {
  if (event.kind === 'finished') {
    if (output.json) output.data({ ...event.row, problem: event.row.problem && formatDiagnostic(event.row.problem) });
    else output.line(rowText(event.row));
  } else if (event.kind === 'retry') output.note(`${event.image.key}: attempt ${event.attempt} after ${event.reason}`);
  else if (event.kind !== 'line' && !output.json) output.note(`${event.image.key}: ${event.kind.replace('-', ' ')}`);
}

function rowText(row: BuildRow): string {
  const size = row.size === undefined ? '' : `, ${Math.round(row.size / 1e6)} MB`;
  const why = row.blockedBy === undefined ? '' : ` by ${row.blockedBy}`;
  return `${row.image}:${row.tag}: ${row.status}${why} in ${row.seconds.toFixed(1)} s${size}`;
}

function summary(rows: readonly BuildRow[], output: Output): ExitCode {
  const failed = rows.filter((row) => row.status === 'failed' || row.status === 'blocked');
  for (const row of failed) {
    if (row.problem) output.diagnostics([row.problem]);
    for (const line of row.log ?? []) output.note(`    ${line}`);
  }
  if (!output.json) output.line(`${rows.length - failed.length} of ${rows.length} images are there`);
  return failed.length > 0 ? exitCode.failed : exitCode.ok;
}
