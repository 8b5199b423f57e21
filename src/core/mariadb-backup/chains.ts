import type { HostName } from '../model/node.ts';
import type { Backup, BackupId } from './backup.ts';

/** The newest first. */
export function newestFirst(backups: readonly Backup[]): Backup[] {
  return [...backups].sort((a, b) => (a.id < b.id ? 1 : a.id > b.id ? -1 : 0));
}

/**
 * What has to be there to restore a backup: a full one and the incremental ones after it up to this one, in the order
 * in which they are applied. Undefined when one of them is missing.
 */
export function chainOf(backups: readonly Backup[], backup: Backup): readonly Backup[] | undefined {
  const chain: Backup[] = [backup];
  for (let at = backup; at.base !== undefined; ) {
    const { base, host } = at;
    const before = backups.find((one) => one.id === base && one.host === host);
    // Each begins later than its base, so this ends.
    if (before === undefined || before.id >= at.id) return undefined;
    chain.unshift(before);
    at = before;
  }
  return chain;
}

/** Those that can be restored, the newest first. */
export function restorable(backups: readonly Backup[]): Backup[] {
  return newestFirst(backups).filter((backup) => chainOf(backups, backup) !== undefined);
}

/**
 * The newest backup of all hosts that can be restored; its `ageSeconds` says how old it is by its node's clock.
 * Undefined when there is none.
 */
export function newestGoodBackup(backups: readonly Backup[]): Backup | undefined {
  return restorable(backups)[0];
}

/** What an incremental backup of this host would begin after. */
export function baseFor(backups: readonly Backup[], host: HostName): Backup | undefined {
  return restorable(backups.filter((backup) => backup.host === host))[0];
}

/** `latest`, or the backup of that name; undefined when there is none that can be restored. */
export function findBackup(backups: readonly Backup[], asked: BackupId | 'latest'): Backup | undefined {
  const candidates = restorable(backups);
  return asked === 'latest' ? candidates[0] : candidates.find(({ id }) => id === asked);
}
