import { type Backup, factsPath, isBackupId, parseBackups } from '../../core/mariadb-backup/backup.ts';
import { type Diagnostic, error, warning } from '../../core/model/diagnostic.ts';
import type { NodePort } from '../../run/ports.ts';

/** What lies in the volume of one node's backups, and what is not as it should be there. */
export interface FoundBackups {
  /** The oldest first. */
  readonly backups: readonly Backup[];
  readonly problems: readonly Diagnostic[];
}

/** Looks where the backups lie, without a container: nothing is changed, and no volume is made by looking. */
export async function readBackups(node: NodePort, volume: string): Promise<FoundBackups> {
  const { host } = node;
  const listed = await node.readVolume(volume, []);
  if (listed === undefined) return { backups: [], problems: [] };
  if (listed.entries === undefined) {
    const message = `the volume ${volume} could not be listed`;
    return { backups: [], problems: [error('backups-unreadable', message, { host })] };
  }
  const paths = listed.entries.filter(isBackupId).map(factsPath);
  const { texts } = (paths.length > 0 && (await node.readVolume(volume, paths))) || { texts: new Map() };
  const { backups, unreadable } = parseBackups(host, { entries: listed.entries, texts, now: listed.now });
  const problems = unreadable.map((id) =>
    warning('backup-unreadable', `${volume}/${id} says nothing readable of itself and is left alone`, { host }),
  );
  return { backups, problems };
}
