import type { Backup, BackupId } from './backup.ts';
import { chainOf, newestFirst, newestGoodBackup } from './chains.ts';

/**
 * Backups that are not kept, each before what it is based on. Kept are the newest `keep` full ones, with all
 * incremental ones after them, and whatever the newest one that can be restored needs. `begun` stands for one that is
 * about to be added as a full one.
 */
export function expired(backups: readonly Backup[], keep: number, begun?: BackupId): Backup[] {
  const fulls = newestFirst(backups.filter(({ kind }) => kind === 'full'));
  const kept = new Set(fulls.slice(0, Math.max(1, keep) - (begun === undefined ? 0 : 1)));
  const newest = newestGoodBackup(backups);
  const needed = (newest && chainOf(backups, newest)) ?? [];
  const stays = (backup: Backup) => {
    const [first] = chainOf(backups, backup) ?? [];
    return needed.includes(backup) || (first !== undefined && (kept.has(first) || needed.includes(first)));
  };
  return newestFirst(backups).filter((backup) => !stays(backup));
}
