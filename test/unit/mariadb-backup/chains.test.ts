import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Backup } from '../../../src/core/mariadb-backup/backup.ts';
import { baseFor, chainOf, findBackup, newestGoodBackup, restorable } from '../../../src/core/mariadb-backup/chains.ts';
import { expired } from '../../../src/core/mariadb-backup/retention.ts';
import { backupAt, idAt } from './backups.ts';

const ids = (backups: readonly Backup[] | undefined) => backups?.map(({ id }) => id);

describe('chains', () => {
  const all = [backupAt(1), backupAt(2, 1), backupAt(3, 2), backupAt(4, undefined, 'node2'), backupAt(6, 5)];

  it('go back to the full one, on the same host', () => {
    expect(ids(chainOf(all, backupAt(3, 2)))).toEqual([idAt(1), idAt(2), idAt(3)]);
    expect(chainOf(all, backupAt(6, 5))).toBeUndefined();
    expect(chainOf(all, backupAt(7, 4))).toBeUndefined();
  });

  it('only what can be restored counts', () => {
    expect(newestGoodBackup(all)).toEqual(backupAt(4, undefined, 'node2'));
    expect(baseFor(all, 'node3')).toEqual(backupAt(3, 2));
    expect(baseFor(all, 'node1')).toBeUndefined();
    expect(findBackup(all, 'latest')?.id).toBe(idAt(4));
    expect(findBackup(all, idAt(2))?.id).toBe(idAt(2));
    expect(findBackup(all, idAt(6))).toBeUndefined();
  });
});

describe('expired', () => {
  it('keeps the newest full ones with what is based on them', () => {
    const all = [backupAt(1), backupAt(2, 1), backupAt(3), backupAt(4, 3), backupAt(5)];
    expect(ids(expired(all, 2))).toEqual([idAt(2), idAt(1)]);
    expect(ids(expired(all, 2, idAt(9)))).toEqual([idAt(4), idAt(3), idAt(2), idAt(1)]);
    expect(ids(expired(all, 1, idAt(9)))).toEqual([idAt(4), idAt(3), idAt(2), idAt(1)]);
    expect(expired(all, 3)).toEqual([]);
  });

  it('never removes the newest good one, nor what is needed, nor a full one before what is based on it', () => {
    const kind = fc.record({
      full: fc.boolean(),
      back: fc.integer({ min: 1, max: 4 }),
      host: fc.constantFrom('a', 'b'),
    });
    fc.assert(
      fc.property(
        fc.array(kind, { maxLength: 14 }),
        fc.integer({ min: 0, max: 5 }),
        fc.boolean(),
        (kinds, keep, begins) => {
          const all = kinds.map(({ full, back, host }, at) => backupAt(at + 1, full ? undefined : at + 1 - back, host));
          const gone = expired(all, keep, begins ? idAt(99) : undefined);
          const stay = all.filter((backup) => !gone.includes(backup));
          const newest = newestGoodBackup(all);
          if (newest) expect(restorable(stay)[0]).toEqual(newest);
          expect(restorable(stay)).toEqual(restorable(all).filter((backup) => stay.includes(backup)));
          for (const [at, backup] of gone.entries())
            expect(gone.slice(at + 1).some(({ base, host }) => base === backup.id && host === backup.host)).toBe(false);
        },
      ),
      { numRuns: 3_000 },
    );
  });
});
