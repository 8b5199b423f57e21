import type { Backup } from '../core/mariadb-backup/backup.ts';
import { whenText } from '../core/mariadb-backup/backup.ts';
import { chainOf, newestFirst } from '../core/mariadb-backup/chains.ts';
import { columns } from './history-text.ts';

const header = ['backup', 'when', 'age', 'kind', 'size', 'data', 'member', 'position', 'begins after'];

/** Good backups of all members, the newest first. */
export function backupsText(backups: readonly Backup[]): string {
  if (backups.length === 0) return 'there are no backups: deploy mariadb backup takes one';
  const rows = newestFirst(backups).map((backup) => [
    backup.id,
    whenText(backup.id),
    ageText(backup.ageSeconds),
    backup.kind,
    `${backup.size} MB`,
    `${backup.dataSize} MB`,
    backup.host,
    backup.position ? `${backup.position.uuid.slice(0, 8)}:${backup.position.seqno}` : '-',
    chainOf(backups, backup) ? (backup.base ?? '-') : `${backup.base}, which is missing`,
  ]);
  return columns([header, ...rows]);
}

export function backupsJson(backups: readonly Backup[]): unknown {
  return newestFirst(backups).map((backup) => ({
    ...backup,
    position: backup.position && `${backup.position.uuid}:${backup.position.seqno}`,
    restorable: chainOf(backups, backup) !== undefined,
  }));
}

/** In the largest unit of which there are two. */
export function ageText(seconds: number | undefined): string {
  if (seconds === undefined) return 'unknown';
  const units = [
    [86_400, 'd'],
    [3_600, 'h'],
    [60, 'min'],
  ] as const;
  const unit = units.find(([size]) => seconds >= 2 * size);
  return unit ? `${Math.floor(seconds / unit[0])} ${unit[1]}` : `${seconds} s`;
}
