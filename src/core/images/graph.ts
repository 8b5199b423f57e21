import { canonicalJson, sha256 } from '../hash.ts';
import { type Diagnostic, error, failure, type Result, resultOf } from '../model/diagnostic.ts';
import { didYouMean } from '../model/suggest.ts';
import { compileTemplate, renderTemplate } from '../render/template.ts';
import {
  type BaseImage,
  type BuildPlan,
  contentHashLabel,
  type ImageDefinition,
  type PlannedImage,
} from './definition.ts';
import { dockerfileContext, type ImageTag, parseTag } from './tag.ts';

export interface BuildSettings {
  readonly definitions: readonly ImageDefinition[];
  /** What `selectImages` gave. */
  readonly selected: readonly ImageDefinition[];
  /** Tags an image is wanted with; several when containers of one image run different releases. */
  readonly tagsOf: (image: ImageDefinition) => readonly string[];
  /** Repository of an image, without tag: `registry:5000/deploy/magnum-api`. */
  readonly repositoryOf: (imageName: string) => string;
  /** The image the root of the tree starts from, with its digest or id when that is known. */
  readonly baseImageOf: (tag: ImageTag) => BaseImage;
  /** As `uname -m` says it on the host that builds. */
  readonly arch: string;
}

interface Planning {
  readonly settings: BuildSettings;
  readonly byName: ReadonlyMap<string, ImageDefinition>;
  readonly selected: ReadonlySet<string>;
  readonly diagnostics: Diagnostic[];
  /** Insertion order is parents first. `undefined` marks an image that cannot be planned. */
  readonly planned: Map<string, PlannedImage | undefined>;
}

interface RenderedDockerfile {
  readonly text: string;
  readonly parents: readonly string[];
  readonly base: BaseImage | undefined;
}

/**
 * Renders the Dockerfiles of the selected images and of the parents they need, each parent with the tag of its child,
 * and orders them. Unknown parents, cycles, bad tags and template errors are diagnostics; all are reported together.
 */
export function planBuild(settings: BuildSettings): Result<BuildPlan> {
  const diagnostics = duplicateNames(settings.definitions);
  if (diagnostics.length > 0) return failure(diagnostics);
  const wanted = settings.selected.flatMap((image) => settings.tagsOf(image).map((tag) => ({ image, tag })));
  const planning: Planning = {
    settings,
    byName: new Map(settings.definitions.map((definition) => [definition.name, definition])),
    selected: new Set(wanted.map(({ image, tag }) => `${image.name}:${tag}`)),
    diagnostics,
    planned: new Map(),
  };
  for (const tag of new Set(wanted.map((want) => want.tag))) {
    const parsed = parseTag(tag);
    diagnostics.push(...parsed.diagnostics);
    if (!parsed.ok) continue;
    const images = wanted.filter((want) => want.tag === tag).map((want) => want.image);
    images.sort((a, b) => (a.name < b.name ? -1 : 1));
    for (const image of images) planImage(planning, image, parsed.value, []);
  }
  return resultOf({ images: [...planning.planned.values()].filter((image) => image !== undefined) }, diagnostics);
}

function duplicateNames(definitions: readonly ImageDefinition[]): Diagnostic[] {
  const first = new Map<string, ImageDefinition>();
  return definitions.flatMap((definition) => {
    const other = first.get(definition.name);
    if (!other) {
      first.set(definition.name, definition);
      return [];
    }
    const at = { file: definition.dockerfile.file, line: 1, column: 1 };
    return [error('duplicate-image', `image ${definition.name} is also defined in ${other.dockerfile.file}`, { at })];
  });
}

function planImage(
  planning: Planning,
  image: ImageDefinition,
  tag: ImageTag,
  path: readonly string[],
): PlannedImage | undefined {
  const key = `${image.name}:${tag.text}`;
  if (planning.planned.has(key)) return planning.planned.get(key);
  if (path.includes(image.name)) {
    const circle = [...path.slice(path.indexOf(image.name)), image.name].join(' → ');
    const at = { file: image.dockerfile.file, line: 1, column: 1 };
    planning.diagnostics.push(error('image-cycle', `images are built from each other: ${circle}`, { at }));
    return undefined;
  }
  const rendered = renderDockerfile(planning, image, tag);
  const parents = rendered?.parents.map((name) => {
    const parent = planning.byName.get(name);
    return parent && planImage(planning, parent, tag, [...path, image.name]);
  });
  const complete = parents?.filter((parent) => parent !== undefined) ?? [];
  const planned =
    rendered && complete.length === rendered.parents.length
      ? assemble(planning, image, tag, rendered, complete)
      : undefined;
  planning.planned.set(key, planned);
  return planned;
}

function renderDockerfile(planning: Planning, image: ImageDefinition, tag: ImageTag): RenderedDockerfile | undefined {
  const { settings, byName } = planning;
  const parents = new Set<string>();
  let base: RenderedDockerfile['base'];
  const context = {
    ...dockerfileContext(image.name, tag, settings.arch),
    // A getter, so that only images that start from it depend on its digest.
    get base_image(): string {
      base = settings.baseImageOf(tag);
      return base.reference;
    },
  };
  function parent(name: unknown): string {
    if (!byName.has(String(name))) {
      const hint = didYouMean(String(name), byName.keys());
      throw new Error(`there is no image "${String(name)}" to build from${hint ? `; ${hint}` : ''}`);
    }
    parents.add(String(name));
    return `${settings.repositoryOf(String(name))}:${tag.text}`;
  }
  const { text, file } = image.dockerfile;
  const template = compileTemplate(text, file);
  const result = template.ok ? renderTemplate(template.value, context, { parent, install: installCommand }) : template;
  if (result.ok) return { text: result.value, parents: [...parents], base };
  planning.diagnostics.push(...result.diagnostics.filter((d) => !alreadyReported(planning.diagnostics, d)));
  return undefined;
}

/** The same template is rendered once per tag; its mistakes need saying once. */
function alreadyReported(known: readonly Diagnostic[], d: Diagnostic): boolean {
  return known.some((other) => canonicalJson(other) === canonicalJson(d));
}

/** One layer that installs Debian packages and leaves neither package lists nor archives behind. */
function installCommand(packages: unknown): string {
  const names = String(packages).split(/\s+/).filter(Boolean);
  if (names.length === 0) throw new Error('install needs at least one package name');
  return [
    'apt-get update',
    `apt-get -y --no-install-recommends install ${names.join(' ')}`,
    'apt-get clean',
    'rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin /var/log/apt /var/log/dpkg.log',
  ].join(' && ');
}

function assemble(
  planning: Planning,
  image: ImageDefinition,
  tag: ImageTag,
  rendered: RenderedDockerfile,
  parents: readonly PlannedImage[],
): PlannedImage {
  const contentHash = sha256(
    canonicalJson({
      dockerfile: rendered.text,
      context: image.context
        .map(({ path, mode, sha256: content }) => ({ path, mode, content }))
        .sort((a, b) => (a.path < b.path ? -1 : 1)),
      parents: parents.map((parent) => parent.contentHash),
      base: rendered.base ?? null,
    }),
  );
  const repository = planning.settings.repositoryOf(image.name);
  return {
    key: `${image.name}:${tag.text}`,
    service: image.service,
    name: image.name,
    tag: tag.text,
    repository,
    reference: `${repository}:${tag.text}`,
    selected: planning.selected.has(`${image.name}:${tag.text}`),
    // In the Dockerfile and last, because the engine turns each label handed to it into a layer step of its own.
    dockerfile: `${rendered.text.trimEnd()}\nLABEL ${contentHashLabel}="${contentHash}"\n`,
    file: image.dockerfile.file,
    context: image.context,
    parents: parents.map((parent) => parent.key),
    base: rendered.base,
    contentHash,
  };
}
