import { createHash } from 'node:crypto';
import { contentHashLabel as contentHashLabelName } from '../../core/images/definition.ts';
import type { DeployError } from '../../core/model/diagnostic.ts';
import { type RegistryHttp, type RegistryOptions, registryHttp, unusable } from './http.ts';
import { MissingImages } from './missing-images.ts';
import { parseRepository } from './reference.ts';

export interface TaggedRepository {
  /** Without tag: `172.31.77.1:5000/deploy/magnum-api`. */
  readonly repository: string;
  readonly tag: string;
}

export interface RegistryImage {
  /** `sha256:…` of the manifest (of the index for a multi-platform image). */
  readonly digest: string;
  readonly labels: Readonly<Record<string, string>>;
}

export interface Registry {
  /** The digest a tag stands for. A missing tag is a DeployError (exit 4) that names the nearest known tags. */
  resolveDigest(image: TaggedRepository): Promise<string>;
  /** Digest and labels, or undefined when there is no such tag. */
  inspect(image: TaggedRepository): Promise<RegistryImage | undefined>;
  /** The content hash the image was built with; undefined when it has none or does not exist. */
  contentHashLabel(image: TaggedRepository): Promise<string | undefined>;
  /** The text of a small file that one of the image's last steps has made; undefined when there is none. */
  smallFile(image: TaggedRepository, path: string): Promise<string | undefined>;
  /** All tags of a repository, none when it does not exist. */
  listTags(repository: string): Promise<readonly string[]>;
}

interface Layer {
  readonly digest: string;
  readonly size: number;
}

interface Manifest {
  readonly config?: { readonly digest: string };
  readonly layers?: readonly Layer[];
  readonly manifests?: readonly { readonly digest: string; readonly platform?: { readonly architecture?: string } }[];
}

const accept = [
  'application/vnd.docker.distribution.manifest.v2+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.oci.image.index.v1+json',
].join(', ');

/** A client of the Registry HTTP API v2. Opens no connection before the first question. */
export function openRegistry(options: RegistryOptions = {}): Registry {
  const http = registryHttp(options);
  const inspect = (image: TaggedRepository): Promise<RegistryImage | undefined> => inspectImage(http, image);
  return {
    resolveDigest: (image) => resolveDigest(http, image),
    inspect,
    contentHashLabel: async (image) => (await inspect(image))?.labels[contentHashLabelName],
    smallFile: (image, path) => smallFile(http, image, path),
    listTags: (repository) => listTags(http, repository),
  };
}

async function resolveDigest(http: RegistryHttp, image: TaggedRepository): Promise<string> {
  const { registry, path } = parseRepository(image.repository);
  const head = await http({ registry, path: `/${path}/manifests/${image.tag}`, method: 'HEAD', accept });
  if (head.status === 404) throw await noSuchTag(http, image);
  if (!head.ok) throw unusable(registry, `it answers ${head.status} for ${path}:${image.tag}`);
  const digest = head.headers.get('docker-content-digest');
  if (digest) return digest;
  const manifest = await fetchManifest(http, registry, path, image.tag);
  if (!manifest) throw await noSuchTag(http, image);
  return manifest.digest;
}

async function inspectImage(http: RegistryHttp, image: TaggedRepository): Promise<RegistryImage | undefined> {
  const { registry, path } = parseRepository(image.repository);
  const top = await fetchManifest(http, registry, path, image.tag);
  if (!top) return undefined;
  const config = (await ofOnePlatform(http, registry, path, top.manifest))?.config;
  if (!config) return { digest: top.digest, labels: {} };
  const response = await http({ registry, path: `/${path}/blobs/${config.digest}` });
  if (!response.ok)
    throw unusable(registry, `it answers ${response.status} for the configuration of ${path}:${image.tag}`);
  const body = (await response.json()) as { config?: { Labels?: Record<string, string> | null } };
  return { digest: top.digest, labels: body.config?.Labels ?? {} };
}

/** What an index points to; a manifest itself. */
async function ofOnePlatform(
  http: RegistryHttp,
  registry: string,
  path: string,
  manifest: Manifest,
): Promise<Manifest | undefined> {
  const members = manifest.manifests ?? [];
  const member = members.find(({ platform }) => platform?.architecture === 'amd64') ?? members[0];
  return member ? (await fetchManifest(http, registry, path, member.digest))?.manifest : manifest;
}

/** Larger layers hold software, not facts. */
const smallLayer = 16_384;

async function smallFile(http: RegistryHttp, image: TaggedRepository, file: string): Promise<string | undefined> {
  const { registry, path } = parseRepository(image.repository);
  const top = await fetchManifest(http, registry, path, image.tag);
  const layers = top && (await ofOnePlatform(http, registry, path, top.manifest))?.layers;
  for (const { digest } of [...(layers ?? [])].reverse().filter(({ size }) => size <= smallLayer)) {
    const response = await http({ registry, path: `/${path}/blobs/${digest}` });
    if (!response.ok) throw unusable(registry, `it answers ${response.status} for a layer of ${path}:${image.tag}`);
    const { fileOfLayer } = await import('./layer.ts');
    const found = await fileOfLayer(new Uint8Array(await response.arrayBuffer()), file);
    if (found !== undefined) return found;
  }
  return undefined;
}

async function fetchManifest(
  http: RegistryHttp,
  registry: string,
  path: string,
  reference: string,
): Promise<{ digest: string; manifest: Manifest } | undefined> {
  const response = await http({ registry, path: `/${path}/manifests/${reference}`, accept });
  if (response.status === 404) {
    await response.body?.cancel();
    return undefined;
  }
  if (!response.ok) throw unusable(registry, `it answers ${response.status} for ${path}:${reference}`);
  const text = await response.text();
  const digest =
    response.headers.get('docker-content-digest') ?? `sha256:${createHash('sha256').update(text).digest('hex')}`;
  return { digest, manifest: JSON.parse(text) as Manifest };
}

async function listTags(http: RegistryHttp, repository: string): Promise<readonly string[]> {
  const { registry, path } = parseRepository(repository);
  const tags: string[] = [];
  let next: string | undefined = `/${path}/tags/list?n=1000`;
  while (next) {
    const response: Response = await http({ registry, path: next });
    if (response.status === 404) {
      await response.body?.cancel();
      return tags;
    }
    if (!response.ok) throw unusable(registry, `it answers ${response.status} for the tags of ${path}`);
    const body = (await response.json()) as { tags?: string[] | null };
    tags.push(...(body.tags ?? []));
    next = /<[^>]*?\/v2(\/[^>]*)>;\s*rel="?next/.exec(response.headers.get('link') ?? '')?.[1];
  }
  return tags;
}

async function noSuchTag(http: RegistryHttp, { repository, tag }: TaggedRepository): Promise<DeployError> {
  const { registry, path } = parseRepository(repository);
  return new MissingImages([{ registry, path, tag, known: await listTags(http, repository) }]);
}
