import type { DesiredContainer, DesiredFile } from '../desired/model.ts';
import { hashOf } from '../hash.ts';
import {
  type ContainerName,
  type ContainerState,
  createdFrom,
  imageName,
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

/**
 * Marker that says which containers of this name were made by a run: their ids, the newest first, at most two. One
 * whose id is not among them was made by hand.
 */
export function madeMarkerKey(container: ContainerName): string {
  return `made.${container}`;
}

/** Ids of the containers that runs have made under this name; none where no run has noted any yet. */
export function madeIds(node: ObservedNode, name: ContainerName): readonly string[] {
  return (node.markers[madeMarkerKey(name)] ?? '').split(' ').filter((id) => id !== '');
}

/** The id to keep beside that of a new container: of the one it replaces, which may have to come back. */
export function replacedId(node: ObservedNode, name: ContainerName): string | undefined {
  const known = madeIds(node, name);
  const standing = [name, `${name}${previousSuffix}`].flatMap((one) =>
    node.containers.filter((c) => c.name === one && c.id !== ''),
  );
  const rightful = standing.find((c) => (known.length > 0 ? known.includes(c.id) : isOurs(c)));
  return rightful?.id ?? known[0];
}

/** A container that stands in the place of one of ours and was not made by a run. */
export function madeByHand(seen: ObservedContainer, node: ObservedNode): 'recreated by hand' | 'foreign' | undefined {
  const known = madeIds(node, seen.name);
  if (known.length === 0 || known.includes(seen.id)) return undefined;
  if (!isOurs(seen)) return 'foreign';
  // Made by a run that was interrupted before it could note it, or only for the moment.
  const passing = seen.state === 'created' || seen.labels[label.specHash]?.endsWith(temporarySuffix);
  return passing ? undefined : 'recreated by hand';
}

/** Ends the spec hash of a container that is not the lasting form: any later plan replaces it. */
export const temporarySuffix = '-temporary';

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
  const byHand = madeByHand(seen, node);
  if (byHand === 'foreign') return { kind: 'replace', reason: 'recreated by hand (without our labels)' };
  const parts: Explanation[] = byHand === undefined ? [] : [plain(byHand)];
  if (seen.labels[label.imageDigest] !== image.digest) {
    const from = createdFrom(seen);
    parts.push(plain(`image ${tagOf(from)} → ${image.tag}${from === imageName(image) ? ' (the tag moved)' : ''}`));
  }
  const sameSettings = seen.labels[label.specHash] === desired.specHash;
  if (!sameSettings) parts.push(...orElse(explain?.settings(), 'container settings changed'));
  const otherwise = parts.length > 0;
  const stale = loadedConfigHash(seen, node) !== files.configHash;
  if (stale) parts.push(...orElse(explain?.files(), describeFiles(desired.directory, files)));
  if (parts.length === 0 && seen.state === 'running') return { kind: 'same' };
  if (seen.state !== 'running') parts.push(plain(describeState(seen.state)));
  const why = { reason: reasonOf(parts), ...(explain ? { parts } : {}) };
  // The same container goes on, from where it stood if it was only paused.
  const restartable = seen.state === 'exited' || seen.state === 'paused';
  if (!otherwise && !stale && restartable) return { kind: 'start', ...why };
  // A start command no reload brings into effect is part of the spec hash of such a container.
  const onlyFiles = !otherwise && stale && seen.state === 'running';
  return onlyFiles && desired.reload !== undefined ? { kind: 'reload', ...why } : { kind: 'replace', ...why };
}

/** What keeps a container from running, in words. */
export function describeState(state: ContainerState): string {
  if (state === 'exited') return 'stopped';
  return state === 'paused' ? 'paused' : `not running (${state})`;
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
