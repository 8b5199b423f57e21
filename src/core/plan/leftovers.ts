import { configDirectory } from '../desired/input.ts';
import type { Desired } from '../desired/model.ts';
import { generationMarkerKey } from '../model/generation.ts';
import { type ContainerName, type HostName, label, type ObservedContainer, type ObservedNode } from '../model/node.ts';
import { loadedMarkerKey, madeIds, madeMarkerKey } from './compare.ts';
import type { Observed } from './policy.ts';

/** What is to be known of containers that are not wanted any more. */
export interface LeftoverInput {
  /** The nodes to look through; with a pruning also those that nothing selected lies on. */
  readonly observed: Observed;
  /** Every container of every definition, of disabled services too. */
  readonly known: ReadonlyMap<
    ContainerName,
    { readonly service: string; readonly graceSeconds: number; readonly strategy?: string }
  >;
  readonly enabledServices: ReadonlySet<string>;
  /** Whether tags cover this container of this service. */
  readonly covers: (service: string, container: ContainerName) => boolean;
  /** Remove them; otherwise they are only named. */
  readonly prune: boolean;
}

/** Everything of one container that is still on one host although nothing in the site wants it there. */
export interface Leftover {
  readonly host: HostName;
  readonly service: string;
  readonly container: ContainerName;
  readonly why: 'its service is disabled' | 'the host is no longer in its group' | 'nothing defines it any more';
  /** Containers that carry our labels, under this name and those of a replacement. */
  readonly containers: readonly ObservedContainer[];
  readonly files: readonly string[];
  readonly markers: readonly string[];
  /** Volumes it has mounted. They stay. */
  readonly volumes: readonly string[];
}

/**
 * Containers, config directories and markers of this site that nothing wants on their host: of services since disabled,
 * on hosts since taken out of a group, of containers no longer defined. Only what carries our labels or a marker of its
 * making counts; on a node that another site uses too, only labels do, because markers do not tell whose they are.
 */
export function findLeftovers(desired: Desired, input: LeftoverInput): Leftover[] {
  // What is selected is wanted: in an ordinary run nothing remains, and nothing more has to be found out.
  const selected = new Set(desired.services.flatMap((s) => s.containers.map(({ host, name }) => `${host} ${name}`)));
  return [...input.observed].flatMap(([host, node]) => {
    const names = [...candidates(desired.site, node)].filter((name) => !selected.has(`${host} ${name}`)).sort();
    return names.flatMap((name) => leftoverOf(desired, input, host, node, name));
  });
}

function candidates(site: string, node: ObservedNode): Set<ContainerName> {
  const sites = new Set(node.containers.flatMap((c) => c.labels[label.site] ?? []));
  const labelled = node.containers.flatMap((c) => (c.labels[label.site] === site ? [baseName(c)] : []));
  const prefix = madeMarkerKey('');
  const shared = [...sites].some((other) => other !== site);
  const marked = shared ? [] : Object.keys(node.markers).filter((key) => key.startsWith(prefix));
  return new Set([...labelled, ...marked.map((key) => key.slice(prefix.length))]);
}

/** Its name, without what a replacement adds. */
function baseName(container: ObservedContainer): ContainerName {
  return container.labels[label.container] ?? container.name;
}

function leftoverOf(
  desired: Desired,
  input: LeftoverInput,
  host: HostName,
  node: ObservedNode,
  name: ContainerName,
): Leftover[] {
  const places = desired.wanted().get(name);
  if (places?.has(host)) return [];
  const ours = node.containers.filter((c) => c.labels[label.site] === desired.site && baseName(c) === name);
  const service = ours[0]?.labels[label.service] ?? input.known.get(name)?.service ?? name;
  // What stands under that name without our labels may use the directory; it and all around it is left alone.
  const foreign = node.containers.some((c) => c.name === name && !ours.includes(c));
  if (foreign || !input.covers(service, name)) return [];
  // In this order they go; that of its making is last, because it is what a later look finds the others by.
  const markers = [loadedMarkerKey(name), `drained.${name}`, generationMarkerKey(name), madeMarkerKey(name)];
  return [
    {
      host,
      service,
      container: name,
      why: !input.enabledServices.has(service)
        ? 'its service is disabled'
        : places === undefined || places.size === 0
          ? 'nothing defines it any more'
          : 'the host is no longer in its group',
      containers: ours,
      files: filesOf(desired, host, node, name),
      markers: markers.filter((key) => node.markers[key] !== undefined),
      volumes: [...new Set(ours.flatMap((c) => c.volumes ?? []))].sort(),
    },
  ];
}

/** Its config directory, unless a container that is wanted here has the same one or it was never ours. */
function filesOf(desired: Desired, host: HostName, node: ObservedNode, name: ContainerName): string[] {
  const directory = configDirectory(name);
  const shared = [...desired.wanted()].some(
    ([other, hosts]) => hosts.has(host) && configDirectory(other) === directory,
  );
  const made = madeIds(node, name).length > 0 || node.containers.some((c) => c.labels[label.container] === name);
  return shared || !made ? [] : node.files.map((f) => f.path).filter((path) => path.startsWith(directory));
}

/** What is left over, in one sentence for each reason, and what to do about it. */
export function leftoverNotices(leftovers: readonly Leftover[], prune: boolean): string[] {
  const notices = [...new Set(leftovers.map(({ why }) => why))].map((why) => {
    const of = leftovers.filter((one) => one.why === why);
    const verb = prune ? 'is removed' : '--prune removes it';
    return `left over, because ${why}: ${places(of.map(({ container, host }) => [container, host]))}; ${verb}`;
  });
  const volumes = leftovers.flatMap((one) => one.volumes.map((volume) => [volume, one.host] as const));
  const own = volumes.filter(([volume]) => volume !== 'kolla_logs');
  if (own.length > 0 && prune) notices.push(`volumes that stay, with their data: ${places(own)}`);
  return notices;
}

function places(pairs: readonly (readonly [name: string, host: HostName])[]): string {
  const names = [...new Set(pairs.map(([name]) => name))];
  const hostsOf = (name: string) => [...new Set(pairs.flatMap(([one, host]) => (one === name ? [host] : [])))];
  return names.map((name) => `${name} (${hostsOf(name).join(', ')})`).join(', ');
}
