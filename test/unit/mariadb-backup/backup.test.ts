import { describe, expect, it } from 'vitest';
import { factsPath, newBackupId, parseBackups, whenText } from '../../../src/core/mariadb-backup/backup.ts';
import { backupAt, idAt } from './backups.ts';

const good = `kind=full
base=
position=6ff7df2c-0000-11f0-b1e7-1f6a5a3e0f2b:4711
version=10.11.14
size=5
data_size=150
finished=1000
`;

function look(texts: Readonly<Record<string, string>>, now?: number) {
  const entries = [...new Set(Object.keys(texts).map((path) => path.split('/')[0] ?? ''))];
  return parseBackups('node3', { entries, texts: new Map(Object.entries(texts)), now });
}

describe('parseBackups', () => {
  it('reads what a good backup says of itself', () => {
    const { backups, unreadable } = look({ [factsPath(idAt(1))]: good }, 1300);
    expect(unreadable).toEqual([]);
    expect(backups).toEqual([
      {
        id: idAt(1),
        host: 'node3',
        kind: 'full',
        base: undefined,
        position: { uuid: '6ff7df2c-0000-11f0-b1e7-1f6a5a3e0f2b', seqno: 4711n },
        version: '10.11.14',
        size: 5,
        dataSize: 150,
        ageSeconds: 300,
      },
    ]);
  });

  it('takes nothing for good that is under way, set aside, or cut off', () => {
    const { backups, unreadable } = look({
      [`${idAt(1)}.partial/facts`]: good,
      [`restore-${idAt(2)}/facts`]: good,
      [factsPath(idAt(3))]: good.slice(0, 100),
      [factsPath(idAt(4))]: good.replace('kind=full', 'kind=incremental'),
      [factsPath(idAt(5))]: good.replace('size=5', 'size='),
    });
    expect(backups).toEqual([]);
    expect(unreadable).toEqual([idAt(3), idAt(4), idAt(5)]);
  });

  it('tells no age by a clock that was set back, or by none', () => {
    expect(look({ [factsPath(idAt(1))]: good }, 999).backups[0]?.ageSeconds).toBeUndefined();
    expect(look({ [factsPath(idAt(1))]: good }).backups[0]?.ageSeconds).toBeUndefined();
  });
});

describe('newBackupId', () => {
  it('is the time, and later than every other backup whatever the clock says', () => {
    expect(newBackupId([], '20260131T021500-a1b2c3')).toBe('20260131T021500Z');
    expect(newBackupId([backupAt(10), backupAt(59)], '20251231T000000-a1b2c3')).toBe('20260101T000100Z');
    expect(whenText('20260131T021500Z')).toBe('2026-01-31 02:15:00Z');
  });
});
