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

/** Tables of the server itself are rewritten, logs and caches of replication grow while a member is away. */
const leastKib = 512 * 1024;

/** Members whose filesystem is too full for an upgrade: a tenth of the data, half a GiB at least, must be free. */
export function roomProblems(members: readonly DataRoom[]): readonly Diagnostic[] {
  return members.flatMap(({ host, free, data }) => {
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
 * Whether there is a backup to go back to, as nothing else leads back. `ageSeconds` is that of the newest one that can be
 * restored, undefined when there is none; 0 hours: nobody has asked for one, and it is only said.
 */
export function backupProblems(ageSeconds: number | undefined, wantedHours: number): readonly Diagnostic[] {
  const asked = wantedHours > 0;
  if (ageSeconds !== undefined && (!asked || ageSeconds <= wantedHours * 3600)) return [];
  const age = ageSeconds === undefined ? undefined : Math.floor(ageSeconds / 3600);
  const what =
    age === undefined
      ? 'there is no backup of the database that could be restored'
      : `the newest backup of the database is ${age} hours old, mariadb_backup_wanted_hours is ${wantedHours}`;
  const text = `${what}: from an upgrade nothing else leads back`;
  const options = { hint: 'deploy mariadb backup takes one' };
  return [asked ? error('mariadb-backup', text, options) : warning('mariadb-backup', text, options)];
}
