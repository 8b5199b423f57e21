import type { Backup } from '../mariadb-backup/backup.ts';
import { type Diagnostic, error, warning } from '../model/diagnostic.ts';
import type { HostName } from '../model/node.ts';
import { checkDatabaseUpgrade, releaseOf } from './versions.ts';

/** What is known of one member before its image is changed. */
export interface MemberVersion {
  readonly host: HostName;
  /** Of the server that runs; absent where none does. */
  readonly server?: string | undefined;
  /** The version whose upgrade its data has had, as its directory says. */
  readonly data?: string | undefined;
}

const lower = 'a server of an older series destroys what a newer one has written: only a backup leads back';

/**
 * Why members must not get an image that holds the version `wanted`: empty where neither the image nor the operator says
 * it. `inUse`: another member runs that image, so data that tells no version is no newer than it.
 */
export function imageProblems(
  image: { readonly name: string; readonly wanted: string; readonly inUse: boolean },
  members: readonly MemberVersion[],
): readonly Diagnostic[] {
  if (image.wanted === '') {
    const message = `${image.name} does not say which version of MariaDB it holds: nobody knows whether it may take over the data that is there`;
    const hint = 'say it with mariadb_image_version (11.8.6); an older version than that of the data destroys it';
    return [error('mariadb-version', message, { hint })];
  }
  const unknown = image.inUse ? [] : members.filter(({ server, data }) => server === undefined && data === undefined);
  const untold = unknown.map(({ host }) =>
    error('mariadb-version', `nobody tells which version the data of MariaDB is of`, {
      host,
      hint: 'deploy mariadb recover brings the member back with the image that the others have',
    }),
  );
  return [...versionProblems(members, image.wanted), ...untold];
}

/** Why members must not get the version `wanted`; one problem for all that have the same. */
export function versionProblems(members: readonly MemberVersion[], wanted: string): readonly Diagnostic[] {
  const to = releaseOf(wanted) ?? wanted;
  const problems = new Map<string, { readonly text: string; readonly hint: string; readonly hosts: HostName[] }>();
  for (const { host, server, data } of members) {
    for (const version of new Set([server, data].flatMap((one) => (one === undefined ? [] : (releaseOf(one) ?? []))))) {
      const told = problemOf(version, to);
      if (told === undefined) continue;
      const known = problems.get(told.text) ?? { ...told, hosts: [] };
      if (!known.hosts.includes(host)) known.hosts.push(host);
      problems.set(told.text, known);
    }
  }
  return [...problems.values()].map(({ text, hint, hosts }) =>
    error('mariadb-version', `${text} (${hosts.join(', ')})`, { hint }),
  );
}

function problemOf(from: string, to: string): { readonly text: string; readonly hint: string } | undefined {
  const verdict = checkDatabaseUpgrade(from, to);
  if (verdict.kind === 'same' || verdict.kind === 'allowed') return undefined;
  const jump = `MariaDB ${to} must not take over the data of ${from}`;
  if (verdict.kind === 'downgrade') return { text: `${jump}: it is older, and there is no way back`, hint: lower };
  if (verdict.kind === 'too-far') {
    const stops = verdict.via.join(', then ');
    const hint = 'give mariadb_tag an image of each of them, one after the other, on all members';
    return { text: `${jump} at once: run ${stops} in between`, hint };
  }
  const hint = 'long-term series are upgraded to the next one: 10.5, 10.6, 10.11, 11.4, 11.8; 10.11 also to 11.8';
  return { text: `${jump}: no way from the one to the other is known here`, hint };
}

/** Room on the filesystem of a member's data, in KiB. */
export interface DataRoom {
  readonly host: HostName;
  readonly free: number;
  readonly data: number;
}

/** What was found out about it, or why nothing was. */
export type RoomLook = DataRoom | { readonly host: HostName; readonly why: string };

/** Device, KiB, KiB used, KiB free, share, mount point. */
const dfLine = /^\S.*?\s\d+\s+\d+\s+(-?\d+)\s+(?:\d+%|-)\s+\//m;
const duLine = /^(\d+)\s+\/\S*$/m;

/** The room at a member's data, of what `df -Pk` and `du -sk` have said about its directory. */
export function roomOf(
  host: HostName,
  { code, stdout, stderr }: { readonly code: number; readonly stdout: string; readonly stderr: string },
): RoomLook {
  const [free, data] = [dfLine.exec(stdout)?.[1], duLine.exec(stdout)?.[1]];
  // A file that goes away while it is counted makes du end with 1, and changes nothing.
  if (free !== undefined && data !== undefined) return { host, free: Number(free), data: Number(data) };
  const silent = free === undefined ? 'df' : 'du';
  const said = stderr.trim().split('\n')[0];
  return { host, why: said || `${silent} told no number, and ended with ${code}` };
}

/** Tables of the server itself are rewritten, logs and caches of replication grow while a member is away. */
const leastKib = 512 * 1024;

/**
 * Members whose filesystem is too full for an upgrade: a tenth of the data, half a GiB at least, must be free. Where that
 * is not known it is only said: a tool that fails is no full disk.
 */
export function roomProblems(members: readonly RoomLook[]): readonly Diagnostic[] {
  return members.flatMap((look) => {
    const { host } = look;
    if ('why' in look) {
      const message = `nobody knows whether there is room for an upgrade of the database: ${look.why}`;
      return [
        warning('room-unknown', message, {
          host,
          hint: 'look there before you go on: a tenth of the data must be free, and half a GiB at least',
        }),
      ];
    }
    const { free, data } = look;
    const needed = Math.max(leastKib, Math.ceil(data / 10));
    if (free >= needed) return [];
    const message = `no space left for an upgrade of the database: ${mib(free)} MiB are free where its data lies, ${mib(needed)} are needed`;
    return [error('no-space', message, { host, hint: 'make room on the filesystem of its volume first' })];
  });
}

function mib(kib: number): number {
  return Math.floor(kib / 1024);
}

/**
 * Whether there is a backup to go back to, as nothing else leads back. `newest` is the newest one that can be restored, if
 * there is one; 0 hours: nobody has asked for one, and it is only said.
 */
export function backupProblems(
  newest: Pick<Backup, 'ageSeconds'> | undefined,
  wantedHours: number,
): readonly Diagnostic[] {
  const asked = wantedHours > 0;
  const age = newest?.ageSeconds;
  if (newest && (!asked || (age !== undefined && age <= wantedHours * 3600))) return [];
  const old =
    age === undefined ? 'of unknown age, as the clock of its node was set back' : `${Math.floor(age / 3600)} hours old`;
  const what = newest
    ? `the newest backup of the database is ${old}, mariadb_backup_wanted_hours is ${wantedHours}`
    : 'there is no backup of the database that could be restored';
  const text = `${what}: from an upgrade nothing else leads back`;
  const options = { hint: 'deploy mariadb backup takes one' };
  return [asked ? error('mariadb-backup', text, options) : warning('mariadb-backup', text, options)];
}
