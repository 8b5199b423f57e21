import type { FeatureFlag } from './evidence.ts';

/** A series of releases (`3.10`), which others it may be upgraded to directly, and from which release on. */
interface Series {
  readonly from: string;
  readonly to: readonly string[];
  /** Older releases of the series must be brought to this one first. */
  readonly atLeast?: string | undefined;
}

/**
 * The jumps RabbitMQ allows. Source: its documentation on upgrading ("release series upgradeability") and the release
 * notes of 3.12.0 (only from 3.11.18 on), 3.13.0, 4.0 to 4.2 and 4.3.0 (only from 4.2, whose feature flags it requires).
 * Releases within a series may be skipped, series may not, except where the table says so.
 */
const series: readonly Series[] = [
  { from: '3.7', to: ['3.8'], atLeast: '3.7.18' },
  { from: '3.8', to: ['3.9'] },
  { from: '3.9', to: ['3.10'] },
  { from: '3.10', to: ['3.11'] },
  { from: '3.11', to: ['3.12'], atLeast: '3.11.18' },
  { from: '3.12', to: ['3.13'] },
  { from: '3.13', to: ['4.0', '4.1', '4.2'] },
  { from: '4.0', to: ['4.1', '4.2'] },
  { from: '4.1', to: ['4.2'] },
  { from: '4.2', to: ['4.3'] },
];

/** What stands against running another version on a cluster's data. */
export type UpgradeVerdict =
  | {
      readonly kind: 'allowed';
      /** Stable feature flags that must be enabled while every member still runs the old version. */
      readonly enable: readonly string[];
    }
  /** Versions to be run in between, each on all members, in this order. */
  | { readonly kind: 'too-far'; readonly via: readonly string[] }
  | { readonly kind: 'downgrade' }
  /** No path is known here: a series that this table has not heard of. */
  | { readonly kind: 'unknown' }
  /** The old version uses something that the new one does not have, and that cannot be taken along. */
  | { readonly kind: 'blocked'; readonly by: 'khepri' | 'mirrors' };

/** What the running cluster has that an upgrade depends on. */
export interface RunningCluster {
  readonly version: string;
  readonly flags: readonly FeatureFlag[];
  /** Names of classic queues with mirrors. */
  readonly mirrored?: readonly string[] | undefined;
}

/** Whether a cluster may go on with the version `to` (`4.0.5`, `4.0.5-6`), member by member. */
export function checkUpgrade(running: RunningCluster, to: string): UpgradeVerdict {
  const enable = running.flags.filter(isPending).map(({ name }) => name);
  const [old, wanted] = [numbersOf(running.version), numbersOf(to)];
  if (old === undefined || wanted === undefined) return { kind: 'unknown' };
  const [from, into] = [seriesOf(old), seriesOf(wanted)];
  if (from === into) return { kind: 'allowed', enable };
  if (isBefore(wanted, old)) return { kind: 'downgrade' };
  const path = shortestPath(from, into);
  if (path === undefined) return { kind: 'unknown' };
  const via = [from, ...path].slice(0, -1).flatMap((one) => stopsAt(one, running.version));
  if (via.length > 0) return { kind: 'too-far', via };
  // 3.13 kept its records in another form than 4.x when this was tried there: no upgrade in place leads on.
  const khepri = running.flags.some(({ name, state }) => name === 'khepri_db' && state === 'enabled');
  if (khepri && from === '3.13') return { kind: 'blocked', by: 'khepri' };
  // A member of 4.x does not start while mirrors are asked for.
  if (old[0] < 4 && wanted[0] >= 4 && (running.mirrored?.length ?? 0) > 0) return { kind: 'blocked', by: 'mirrors' };
  return { kind: 'allowed', enable };
}

/** Whether `enable_feature_flag all` would enable it: experimental ones are left alone. */
export function isPending({ state, stability }: FeatureFlag): boolean {
  return state === 'disabled' && stability !== 'experimental';
}

/** `3.10` of `3.10.8-1.1+deb12u1`, of an epoch too; undefined for what is no version. */
export function seriesOfVersion(version: string): string | undefined {
  const numbers = numbersOf(version);
  return numbers && seriesOf(numbers);
}

type Numbers = readonly [number, number, number];

function numbersOf(version: string): Numbers | undefined {
  const match = /^(?:\d+:)?(\d+)\.(\d+)(?:\.(\d+))?/.exec(version);
  return match ? [Number(match[1]), Number(match[2]), Number(match[3] ?? 0)] : undefined;
}

function seriesOf([major, minor]: Numbers): string {
  return `${major}.${minor}`;
}

function isBefore(a: Numbers, b: Numbers): boolean {
  const [i] = [0, 1, 2].filter((at) => a[at] !== b[at]);
  return i !== undefined && (a[i] ?? 0) < (b[i] ?? 0);
}

/** The series to be run after `from`, the last one being `to`. */
function shortestPath(from: string, to: string): readonly string[] | undefined {
  const seen = new Set([from]);
  let paths: readonly (readonly string[])[] = [[from]];
  while (paths.length > 0) {
    const longer = paths.flatMap((path) => {
      const next = series.find((one) => one.from === path.at(-1))?.to ?? [];
      return next.filter((one) => !seen.has(one)).map((one) => [...path, one]);
    });
    const found = longer.find((path) => path.at(-1) === to);
    if (found) return found.slice(1);
    for (const path of longer) seen.add(path.at(-1) ?? '');
    paths = longer;
  }
  return undefined;
}

/** What must be run of a series on the way: nothing of the one that runs, unless it is too old a release of it. */
function stopsAt(name: string, running: string): string[] {
  const { atLeast } = series.find((one) => one.from === name) ?? {};
  const [now, least] = [numbersOf(running), atLeast === undefined ? undefined : numbersOf(atLeast)];
  const runs = now !== undefined && seriesOf(now) === name;
  if (runs) return least !== undefined && isBefore(now, least) ? [`${atLeast} or a later ${name}`] : [];
  return [atLeast === undefined ? name : `${name} (${atLeast} or later)`];
}
