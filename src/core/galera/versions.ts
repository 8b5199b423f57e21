/** A series of releases, and those whose servers may take its data over directly, member by member. */
interface Series {
  readonly from: string;
  readonly to: readonly string[];
}

/**
 * Long-term series only. Sources: MariaDB's documentation of upgrades from one long-term series to the next and of
 * rolling upgrades of Galera clusters (Galera 4 on both sides, since 10.4); Debian's releases, whose users go from the
 * version of one release to that of the next (10.5, 10.11, 11.8). 10.11 to 11.8 was tried here, member by member.
 */
const series: readonly Series[] = [
  { from: '10.5', to: ['10.6', '10.11'] },
  { from: '10.6', to: ['10.11'] },
  { from: '10.11', to: ['11.4', '11.8'] },
  { from: '11.4', to: ['11.8'] },
];

/** What stands against another version taking over a member's data. */
export type VersionVerdict =
  | { readonly kind: 'same' | 'allowed' | 'downgrade' | 'unknown' }
  /** Series to be run in between, each on all members, in this order. */
  | { readonly kind: 'too-far'; readonly via: readonly string[] };

/** Whether members with data of version `from` (`10.11.14-MariaDB`) may go on with `to` (also `1:11.8.6-0+deb13u1`). */
export function checkDatabaseUpgrade(from: string, to: string): VersionVerdict {
  const [old, wanted] = [numbersOf(from), numbersOf(to)];
  if (old === undefined || wanted === undefined) return { kind: 'unknown' };
  const order = compare(old, wanted);
  if (order === 0) return { kind: 'same' };
  if (order > 0) return { kind: 'downgrade' };
  const [before, after] = [seriesOf(old), seriesOf(wanted)];
  if (before === after) return { kind: 'allowed' };
  const path = shortestPath(before, after);
  if (path === undefined) return { kind: 'unknown' };
  return path.length === 0 ? { kind: 'allowed' } : { kind: 'too-far', via: path };
}

/** `11.8.6` of `1:11.8.6-0+deb13u1`; undefined for what is no version. */
export function releaseOf(version: string): string | undefined {
  return numbersOf(version)?.join('.');
}

type Numbers = readonly [number, number, number];

function numbersOf(version: string): Numbers | undefined {
  const match = /^(?:\d+:)?(\d+)\.(\d+)\.(\d+)/.exec(version.trim());
  return match ? [Number(match[1]), Number(match[2]), Number(match[3])] : undefined;
}

function seriesOf([major, minor]: Numbers): string {
  return `${major}.${minor}`;
}

function compare(a: Numbers, b: Numbers): number {
  const [i] = [0, 1, 2].filter((at) => a[at] !== b[at]);
  return i === undefined ? 0 : (a[i] ?? 0) - (b[i] ?? 0);
}

/** The series between the two, none where one leads to the other directly; undefined where no way is known. */
function shortestPath(from: string, to: string): readonly string[] | undefined {
  const next = series.find((one) => one.from === from)?.to ?? [];
  if (next.includes(to)) return [];
  const longer = next.flatMap((one) => {
    const rest = shortestPath(one, to);
    return rest === undefined ? [] : [[one, ...rest]];
  });
  return longer.sort((a, b) => a.length - b.length)[0];
}
