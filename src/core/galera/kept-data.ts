import { type Diagnostic, error } from '../model/diagnostic.ts';
import type { HostName, ObservedNode } from '../model/node.ts';
import type { Joiner, OwnData } from './decision.ts';

/** On a node while the copy in the volume it names is not complete. */
export const copyingMarker = 'galera.copying';

/** Where on the node copies of state files go, each run's apart; beside the directory of a container's configuration. */
export function keepDirectory(configDirectory: string): string {
  return `${configDirectory.replace(/[^/]+\/$/, '')}.deploy/galera`;
}

/** What the copy is of, as the last word of its name. */
const whyCopied: Readonly<Record<OwnData, string>> = {
  nothing: 'empty',
  'no-history': 'no-history',
  older: 'older',
  unreadable: 'unreadable',
  ahead: 'ahead',
  foreign: 'other-history',
  unknown: 'unknown-history',
};

/** Name of the volume for a copy of a member's data: which data, when it was about to be replaced, and what it was. */
export function keptVolume(volume: string, runId: string, own: OwnData): string {
  return `${volume}-kept-${runId.slice(0, 15)}-${whyCopied[own]}`;
}

/** Copies that recoveries have left on a node, oldest first. */
export function keptVolumes(volume: string, node: Pick<ObservedNode, 'volumes'>): string[] {
  return node.volumes.filter((name) => name.startsWith(`${volume}-kept-`)).sort();
}

export function howToRemove(volumes: readonly string[]): string {
  return `docker volume rm ${volumes.join(' ')}`;
}

/** One sentence about copies that lie on a node already; none where there are none. */
export function keptNotice(host: HostName, volume: string, node: ObservedNode): string[] {
  const kept = keptVolumes(volume, node);
  if (kept.length === 0) return [];
  const told = kept.map((name) => (node.markers[copyingMarker] === name ? `${name} (not complete)` : name));
  return [`${host} has copies of data from earlier recoveries: ${told.join(', ')}; ${howToRemove(kept)} removes them`];
}

/** In KiB, of the filesystem that volumes lie on. */
export interface VolumeSize {
  readonly usedKib: number;
  readonly freeKib: number;
}

export interface Copies {
  readonly hosts: readonly HostName[];
  /** Of members whose data holds nothing that is not in the cluster. */
  readonly notices: readonly string[];
  /** Of members whose data nobody else may have. */
  readonly problems: readonly Diagnostic[];
}

/** What is still free once a copy has been made, as part of its size: the member's new data needs room too. */
const reserve = 0.1;

/**
 * Whose data is copied before a state transfer may replace it. Where there is no room, data that is in the cluster
 * anyway is told of, and for data that may be the only one nothing is begun at all.
 */
export function copiesFor(order: readonly Joiner[], sizes: ReadonlyMap<HostName, VolumeSize | undefined>): Copies {
  const wanted = order.filter(({ own }) => own !== 'nothing');
  const lacking = wanted.filter(({ host }) => !fits(sizes.get(host)));
  const words = (host: HostName) => {
    const size = sizes.get(host);
    if (size === undefined) return 'how much room a copy of its data needs cannot be found out';
    return `no room for a copy of its data: ${gib(size.usedKib)} GiB, and ${gib(size.freeKib)} GiB are free where volumes are kept`;
  };
  return {
    hosts: wanted.filter((joiner) => !lacking.includes(joiner)).map(({ host }) => host),
    notices: lacking
      .filter(({ loss }) => !loss)
      .map(({ host }) => `${host}: ${words(host)}; none is made, all of it is in the cluster`),
    problems: lacking
      .filter(({ loss }) => loss)
      .map(({ host }) => error('no-space', words(host), { host, hint: 'make room, or run it without --keep-data' })),
  };
}

function fits(size: VolumeSize | undefined): boolean {
  return size !== undefined && size.freeKib > size.usedKib * (1 + reserve);
}

function gib(kib: number): string {
  return (kib / 1024 ** 2).toFixed(1);
}
