import type { DesiredContainer, DesiredFile } from '../desired/model.ts';
import { hashOf } from '../hash.ts';
import {
  label,
  type ObservedContainer,
  type ObservedFile,
  type ObservedNode,
  type PinnedImage,
} from '../model/node.ts';
import { type Explainer, type Explanation, orElse, plain, reasonOf } from './explanation.ts';

/** Suffixes of names during a replacement; a later run recognises them. */
export const nextSuffix = '__next';
export const previousSuffix = '__previous';

/** Files to write and to remove so that a container's directory holds exactly what is desired. */
export interface FileChange {
  readonly write: readonly DesiredFile[];
  readonly remove: readonly string[];
  /** Hash of the directory's content once that is done. */
  readonly configHash: string;
}

/** Hash over names, modes and contents of a config directory; independent of order. */
export function configHashOf(
  directory: string,
  files: Iterable<{ path: string; sha256: string; mode: string }>,
): string {
  const entries = [...files].map((f) => [f.path.slice(directory.length), f.mode, f.sha256] as const);
  return hashOf(entries.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));
}

/**
 * What one directory needs. Files in `kept` belong to services that are not selected: they stay as they are and
 * count into the hash as observed.
 */
export function compareFiles(
  directory: string,
  desired: readonly DesiredFile[],
  observed: readonly ObservedFile[],
  kept: ReadonlySet<string>,
): FileChange {
  const here = new Map(observed.filter((f) => f.path.startsWith(directory)).map((f) => [f.path, f]));
  const wanted = new Map(desired.map((f) => [f.path, f]));
  const write = desired.filter((f) => {
    const seen = here.get(f.path);
    return seen === undefined || seen.sha256 !== f.sha256 || seen.mode !== f.mode;
  });
  const others = [...here.values()].filter((f) => !wanted.has(f.path));
  const remove = others.filter((f) => !kept.has(f.path)).map((f) => f.path);
  const staying = others.filter((f) => kept.has(f.path));
  return { write, remove: remove.sort(), configHash: configHashOf(directory, [...desired, ...staying]) };
}

export function isOurs(container: ObservedContainer): boolean {
  return container.labels[label.container] !== undefined;
}

/** Marker left by a reload: which process (container id) has loaded which configuration. */
export function loadedMarkerKey(container: string): string {
  return `loaded.${container}`;
}

/** The configuration the running process has, from its last reload or else its start. */
export function loadedConfigHash(container: ObservedContainer, node: ObservedNode): string | undefined {
  const [id, hash] = (node.markers[loadedMarkerKey(container.name)] ?? '').split(' ');
  return id === container.id ? hash : container.labels[label.configHash];
}

interface Why {
  readonly reason: string;
  /** What the reason is made of, where it has been looked at in detail. */
  readonly parts?: readonly Explanation[];
}

export type ContainerVerdict =
  | { readonly kind: 'same' }
  | ({ readonly kind: 'missing' } & Why)
  | ({ readonly kind: 'start' } & Why)
  | ({ readonly kind: 'reload' } & Why)
  | ({ readonly kind: 'replace' } & Why);

/** Whether a container is what it should be, and if not, why; in more detail with `explain`. */
export function judgeContainer(
  desired: DesiredContainer,
  image: PinnedImage,
  files: FileChange,
  node: ObservedNode,
  explain?: Explainer,
): ContainerVerdict {
  const seen = node.containers.find((c) => c.name === desired.name);
  if (seen === undefined) return { kind: 'missing', reason: 'missing' };
  const parts: Explanation[] = [];
  if (seen.labels[label.imageDigest] !== image.digest) {
    const moved = sameTag(seen.image, image) ? ' (the tag moved)' : '';
    parts.push(plain(`image ${tagOf(seen.image)} → ${image.tag}${moved}`));
  }
  const sameSettings = seen.labels[label.specHash] === desired.specHash;
  if (!sameSettings) parts.push(...orElse(explain?.settings(), 'container settings changed'));
  const otherwise = parts.length > 0;
  const stale = loadedConfigHash(seen, node) !== files.configHash;
  if (stale) parts.push(...orElse(explain?.files(), describeFiles(desired.directory, files)));
  if (parts.length === 0 && seen.state === 'running') return { kind: 'same' };
  if (seen.state !== 'running') parts.push(plain(`not running (${seen.state})`));
  const why = { reason: reasonOf(parts), ...(explain ? { parts } : {}) };
  if (!otherwise && !stale && seen.state === 'exited') return { kind: 'start', ...why };
  // A start command no reload brings into effect is part of the spec hash of such a container.
  const onlyFiles = !otherwise && stale && seen.state === 'running';
  return onlyFiles && desired.reload !== undefined ? { kind: 'reload', ...why } : { kind: 'replace', ...why };
}

function describeFiles(directory: string, files: FileChange): string {
  const changed = files.write.map((f) => f.path.slice(directory.length));
  const removed = files.remove.map((path) => path.slice(directory.length));
  const parts = [
    ...(changed.length > 0 ? [`config changed: ${changed.join(', ')}`] : []),
    ...(removed.length > 0 ? [`config removed: ${removed.join(', ')}`] : []),
  ];
  return parts.length > 0 ? parts.join('; ') : 'running with an older configuration';
}

function tagOf(image: string): string {
  const name = image.slice(image.lastIndexOf('/') + 1);
  const colon = name.indexOf(':');
  return colon < 0 ? name : name.slice(colon + 1);
}

function sameTag(seen: string, image: PinnedImage): boolean {
  return seen === `${image.repository}:${image.tag}`;
}
