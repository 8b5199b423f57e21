import type { Backup } from '../../../src/core/mariadb-backup/backup.ts';

/** `at` 3 is the backup of 00:00:03. */
export function idAt(at: number): string {
  return `20260101T${new Date(at * 1000).toISOString().slice(11, 19).replaceAll(':', '')}Z`;
}

/** A good backup; incremental when it has a base. */
export function backupAt(at: number, base?: number, host = 'node3'): Backup {
  return {
    id: idAt(at),
    host,
    kind: base === undefined ? 'full' : 'incremental',
    base: base === undefined ? undefined : idAt(base),
    position: { uuid: '6ff7df2c-0000-11f0-b1e7-1f6a5a3e0f2b', seqno: BigInt(at * 100) },
    version: '10.11.14',
    size: 5,
    dataSize: 150,
    ageSeconds: 1000 - at,
  };
}
