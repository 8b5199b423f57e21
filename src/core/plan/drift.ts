import type { Desired, DesiredContainer, DesiredFile, DesiredFragment } from '../desired/model.ts';
import {
  type ContainerName,
  createdFrom,
  type HostName,
  label,
  nameless,
  type ObservedContainer,
  type ObservedNode,
} from '../model/node.ts';
import {
  compareFiles,
  configHashOf,
  describeState,
  type FileChange,
  loadedConfigHash,
  madeByHand,
  madeIds,
  nextSuffix,
  previousSuffix,
} from './compare.ts';
import type { Observed } from './policy.ts';

/** One thing on a node that no run has left there so. */
export interface DriftEntry {
  readonly host: HostName;
  readonly container: ContainerName;
  /** In words, the same for the same kind of thing: `changed on the node`, `recreated by hand`, `stopped`, … */
  readonly what: string;
  /** What exactly; empty when there is nothing to add. Never a value that may be secret. */
  readonly detail: string;
}

/**
 * What changed on the nodes since runs left them, as far as one look shows it: files edited, deleted or added,
 * containers gone, stopped or made anew by hand, image names that point elsewhere. A container's settings cannot be
 * changed without making it anew, except its limits and its restart policy (`docker update`): those only an inspection
 * of each container shows, which `status --drift` does and plans do not.
 * `digests` (name of an image → what the registry has): a name that points to what the registry has now is ahead, not
 * astray.
 */
export function findDrift(
  desired: Desired,
  observed: Observed,
  digests: ReadonlyMap<string, string> = new Map(),
): DriftEntry[] {
  const containers = desired.services.flatMap((service) => service.containers);
  const ofContainers = containers.flatMap((container) => {
    const node = observed.get(container.host);
    return node ? containerDrift(desired, container, node, digests) : [];
  });
  return [...ofContainers, ...fragmentDrift(desired, observed)];
}

function containerDrift(
  desired: Desired,
  container: DesiredContainer,
  node: ObservedNode,
  digests: ReadonlyMap<string, string>,
): DriftEntry[] {
  const { host, name } = container;
  const entry = (what: string, detail = ''): DriftEntry => ({ host, container: name, what, detail });
  const seen = node.containers.find((c) => c.name === name);
  if (seen === undefined) return madeIds(node, name).length > 0 && !beingReplaced(node, name) ? [entry('missing')] : [];
  const site = seen.labels[label.site];
  if (site !== desired.site) {
    if (site === undefined && madeByHand(seen, node) === 'foreign') {
      return [entry('recreated by hand', 'without our labels')];
    }
    return [entry('not ours', site === undefined ? 'not created by deploy' : `belongs to the site ${site}`)];
  }
  const kept = desired.fragmentPaths.get(host) ?? new Set();
  const files = compareFiles(container.directory, container.files, node.files, kept);
  return [
    ...(madeByHand(seen, node) === undefined ? [] : [entry('recreated by hand')]),
    ...stateDrift(seen, node).map((what) => entry(what)),
    ...retagged(seen, digests).map((detail) => entry('image name points elsewhere', detail)),
    ...fileDrift(container.directory, files, seen, node).map((detail) => entry('changed on the node', detail)),
  ];
}

/** In the middle of its replacement by a run that was interrupted: what is missing or stopped then is no surprise. */
function beingReplaced(node: ObservedNode, name: ContainerName): boolean {
  return node.containers.some((c) => c.name === `${name}${nextSuffix}` || c.name === `${name}${previousSuffix}`);
}

function stateDrift(seen: ObservedContainer, node: ObservedNode): string[] {
  const expected = seen.state === 'running' || seen.state === 'created' || beingReplaced(node, seen.name);
  return expected ? [] : [describeState(seen.state)];
}

function retagged(seen: ObservedContainer, digests: ReadonlyMap<string, string>): string[] {
  if (!nameless(seen)) return [];
  const name = createdFrom(seen);
  const newest = digests.get(name);
  if (newest !== undefined && newest !== seen.labels[label.imageDigest]) return [];
  return [name === seen.image ? '' : name.slice(name.lastIndexOf('/') + 1)];
}

/**
 * Files that differ from what is wanted, and not because the configuration changed: the directory is not what it was
 * when the process started. One sentence, or nothing.
 */
function fileDrift(directory: string, files: FileChange, seen: ObservedContainer, node: ObservedNode): string[] {
  const started = loadedConfigHash(seen, node);
  const here = node.files.filter((f) => f.path.startsWith(directory));
  if (files.write.length + files.remove.length === 0 || started === configHashOf(directory, here)) return [];
  const nameOf = (path: string) => path.slice(directory.length);
  // Nothing but hands has changed the directory only if the process started with what is wanted.
  if (started !== files.configHash) {
    const names = [...files.write.map((f) => f.path), ...files.remove].map(nameOf);
    return [`neither what it started with nor what is wanted: among ${names.join(', ')}`];
  }
  const present = new Set(here.map((f) => f.path));
  const list = (word: string, paths: readonly string[]) =>
    paths.length === 0 ? [] : [`${word} ${paths.map(nameOf).join(', ')}`];
  const written = files.write.map((f) => f.path);
  const words = [
    ...list(
      'edited',
      written.filter((path) => present.has(path)),
    ),
    ...list(
      'deleted',
      written.filter((path) => !present.has(path)),
    ),
    ...list('added', files.remove),
  ];
  return [words.join('; ')];
}

/** Load balancer entries of selected services in the directory of a load balancer that is not selected itself. */
function fragmentDrift(desired: Desired, observed: Observed): DriftEntry[] {
  const groups = new Map<string, DesiredFragment[]>();
  for (const fragment of desired.services.flatMap((service) => service.fragments)) {
    const key = `${fragment.host} ${fragment.container}`;
    groups.set(key, [...(groups.get(key) ?? []), fragment]);
  }
  return [...groups.values()].flatMap((fragments) => {
    const [first] = fragments;
    const node = first && observed.get(first.host);
    const seen = node?.containers.find((c) => c.name === first?.container && c.labels[label.site] === desired.site);
    if (first === undefined || node === undefined || seen === undefined) return [];
    const wanted: DesiredFile[] = fragments.map(({ file }) => file);
    const paths = new Set(wanted.map((file) => file.path));
    const others = new Set(node.files.map((f) => f.path).filter((path) => !paths.has(path)));
    const files = compareFiles(first.directory, wanted, node.files, others);
    return fileDrift(first.directory, files, seen, node).map((detail) => ({
      host: first.host,
      container: first.container,
      what: 'changed on the node',
      detail,
    }));
  });
}
