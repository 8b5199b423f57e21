import type { Position } from '../galera/evidence.ts';
import type { HostName } from '../model/node.ts';

/** When it was begun, in UTC, `20260131T021500Z`: names sort by time. */
export type BackupId = string;

/** A backup that was taken, prepared once and found good. What is not good has no name of this form on its node. */
export interface Backup {
  readonly id: BackupId;
  /** Whose data it is, and where it lies. */
  readonly host: HostName;
  readonly kind: 'full' | 'incremental';
  /** The backup that an incremental one begins after, on the same host. */
  readonly base?: BackupId | undefined;
  /** The last commit in it; absent where the server told none. */
  readonly position?: Position | undefined;
  /** Version of the tools that took it, `10.11.14`; others cannot prepare it. */
  readonly version: string;
  /** As it lies there, compressed; in MiB. */
  readonly size: number;
  /** What a restored data directory takes, in MiB. */
  readonly dataSize: number;
  /** Since it was found good, by the node's own clock; absent when that clock has been set back since. */
  readonly ageSeconds?: number | undefined;
}

/** What lies in the volume of the backups of one host. */
export interface BackupLook {
  /** Names of what lies directly in it. */
  readonly entries: readonly string[];
  /** By path in it. */
  readonly texts: ReadonlyMap<string, string>;
  /** Seconds since the epoch by the node's own clock. */
  readonly now?: number | undefined;
}

const idForm = /^\d{8}T\d{6}Z$/;

export function isBackupId(text: string): boolean {
  return idForm.test(text);
}

/** Where the facts of a backup stand in its volume. */
export function factsPath(id: BackupId): string {
  return `${id}/facts`;
}

/** Good backups of one host, the oldest first; what is not readable as one is told apart. */
export function parseBackups(
  host: HostName,
  { entries, texts, now }: BackupLook,
): { readonly backups: readonly Backup[]; readonly unreadable: readonly string[] } {
  const ids = entries.filter(isBackupId).sort();
  const read = ids.map((id) => ({ id, backup: parseFacts(host, id, texts.get(factsPath(id)) ?? '', now) }));
  return {
    backups: read.flatMap(({ backup }) => backup ?? []),
    unreadable: read.flatMap(({ id, backup }) => (backup === undefined ? [id] : [])),
  };
}

function parseFacts(host: HostName, id: BackupId, text: string, now: number | undefined): Backup | undefined {
  const facts = new Map(
    text.split('\n').flatMap((line) => {
      const at = line.indexOf('=');
      return at < 0 ? [] : [[line.slice(0, at), line.slice(at + 1).trim()] as const];
    }),
  );
  const kind = facts.get('kind');
  const base = facts.get('base') ?? '';
  const [size, dataSize, finished] = ['size', 'data_size', 'finished'].map((key) =>
    Number(facts.get(key) || Number.NaN),
  );
  if (kind !== 'full' && kind !== 'incremental') return undefined;
  if ((kind === 'incremental') !== isBackupId(base)) return undefined;
  if (size === undefined || dataSize === undefined || finished === undefined) return undefined;
  if (![size, dataSize, finished].every((number) => Number.isInteger(number) && number >= 0)) return undefined;
  const age = now === undefined ? undefined : now - finished;
  return {
    id,
    host,
    kind,
    base: kind === 'full' ? undefined : base,
    position: parsePosition(facts.get('position') ?? ''),
    version: facts.get('version') ?? '',
    size,
    dataSize,
    ageSeconds: age !== undefined && age >= 0 ? age : undefined,
  };
}

function parsePosition(text: string): Position | undefined {
  const [, uuid, seqno] = /^([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}):(-?\d+)$/i.exec(text) ?? [];
  return uuid === undefined || seqno === undefined ? undefined : { uuid: uuid.toLowerCase(), seqno: BigInt(seqno) };
}

/** The name of a backup that a run begins, by the time in that run's name: later than all others, whatever the clock says. */
export function newBackupId(existing: readonly Backup[], run: string): BackupId {
  const began = timeOf(`${run.slice(0, 15)}Z`);
  const latest = existing.map(({ id }) => timeOf(id)).reduce((max, time) => Math.max(max, time), 0);
  const time = Math.max(began, latest + 1000);
  return `${new Date(time).toISOString().slice(0, 19).replaceAll(/[-:]/g, '')}Z`;
}

/** Milliseconds since the epoch. */
function timeOf(id: BackupId): number {
  return Date.parse(whenText(id).replace(' ', 'T'));
}

/** As people write it: `2026-01-31 02:15:00Z`. */
export function whenText(id: BackupId): string {
  return id.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3 $4:$5:$6Z');
}
