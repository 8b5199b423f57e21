import { describe, expect, it } from 'vitest';
import { backupProblems, imageProblems, roomOf, roomProblems } from '../../../src/core/galera/prechecks.ts';
import { formatDiagnostic } from '../../../src/core/model/diagnostic.ts';

const gib = 1024 * 1024;
const head = 'Filesystem 1024-blocks Used Available Capacity Mounted on';

describe('the image of another version', () => {
  const old = { host: 'node1', server: '10.11.14-MariaDB-log', data: '10.11.14-MariaDB' };
  const image = { name: 'mariadb-server:new', wanted: '1:11.8.6-0+deb13u1', inUse: false };

  it('is let in where its version may take over the data', () => {
    expect(imageProblems(image, [old, { ...old, host: 'node2' }])).toEqual([]);
  });

  it('is refused with the reason, once for all members', () => {
    const older = { ...image, wanted: '10.6.20' };
    expect(imageProblems(older, [old, { ...old, host: 'node2' }]).map(formatDiagnostic)).toEqual([
      'error: MariaDB 10.6.20 must not take over the data of 10.11.14: it is older, and there is no way back (node1, node2)\n    a server of an older series destroys what a newer one has written: only a backup leads back',
    ]);
    expect(imageProblems({ ...image, wanted: 'edge' }, [old])).toMatchObject([{ severity: 'error' }]);
  });

  it('is refused while it does not say what it holds', () => {
    const [problem, ...more] = imageProblems({ ...image, wanted: '' }, [old]);
    expect(more).toEqual([]);
    expect(problem).toMatchObject({ severity: 'error', hint: expect.stringContaining('mariadb_image_version') });
    expect(problem?.message).toContain('mariadb-server:new does not say which version');
  });

  it('is refused for data of which nobody knows the version, unless members run it already', () => {
    const silent = { host: 'node3', server: undefined, data: undefined };
    expect(imageProblems(image, [old, silent])).toMatchObject([{ severity: 'error', host: 'node3' }]);
    expect(imageProblems({ ...image, inUse: true }, [old, silent])).toEqual([]);
    // What does not answer tells it by its data, and what has no file tells it by itself.
    expect(imageProblems(image, [{ ...old, server: undefined }])).toEqual([]);
    expect(imageProblems(image, [{ ...old, data: undefined }])).toEqual([]);
  });
});

describe('the room for an upgrade', () => {
  const looked = (stdout: string, stderr = '', code = 0) => roomOf('node1', { code, stdout, stderr });

  it('is what df and du say', () => {
    const stdout = `${head}\n/dev/vda1 41152736 20000000 21152736 49% /var/lib/mysql\n3145728\t/var/lib/mysql\n`;
    expect(looked(stdout)).toEqual({ host: 'node1', free: 21152736, data: 3145728 });
    // A temporary table goes away while it is counted.
    expect(looked(stdout, 'du: cannot access ./#sql: No such file or directory', 1)).toMatchObject({ data: 3145728 });
    const full = `${head}\noverlay 1000 1000 -24 100% /var/lib/mysql\n3\t/var/lib/mysql\n`;
    expect(looked(full)).toMatchObject({ free: -24 });
  });

  it.each([
    ['there is no df', '3\t/var/lib/mysql\n', '/bin/sh: 1: df: not found\n', 'sh: 1: df: not found'],
    ['there is no du', `${head}\n/dev/vda1 9 1 8 9% /var/lib/mysql\n`, '/bin/sh: 1: du: not found', 'du: not found'],
    ['df tells no number', `${head}\n/dev/vda1 - - - - /var/lib/mysql\n3\t/var/lib/mysql\n`, '', 'df told no number'],
    ['du tells no number', `${head}\n/dev/vda1 9 1 8 9% /var/lib/mysql\n`, '', 'du told no number, and ended with 2'],
    ['nothing is said', '', '', 'df told no number, and ended with 2'],
  ])('is not known when %s: that is a warning with the reason', (_, stdout, stderr, why) => {
    const [problem, ...more] = roomProblems([looked(stdout, stderr, 2)]);
    expect(more).toEqual([]);
    expect(problem).toMatchObject({ severity: 'warning', code: 'room-unknown', host: 'node1' });
    expect(problem?.message).toMatch(/^nobody knows whether there is room for an upgrade of the database: /);
    expect(problem?.message).toContain(why);
  });

  it('must be a tenth of the data, and half a GiB at least', () => {
    expect(roomProblems([{ host: 'node1', free: gib, data: 5 * gib }])).toEqual([]);
    expect(roomProblems([{ host: 'node1', free: gib, data: 20 * gib }]).map(formatDiagnostic)).toEqual([
      'error: node1: no space left for an upgrade of the database: 1024 MiB are free where its data lies, 2048 are needed\n    make room on the filesystem of its volume first',
    ]);
    expect(roomProblems([{ host: 'node1', free: gib / 2, data: 1 }])).toEqual([]);
    expect(roomProblems([{ host: 'node1', free: gib / 2 - 1, data: 1 }])).toMatchObject([{ severity: 'error' }]);
  });
});

describe('a backup to go back to', () => {
  it('is demanded where the operator has said so, and missed otherwise', () => {
    expect(backupProblems({ ageSeconds: 24 * 3600 }, 24)).toEqual([]);
    expect(backupProblems({ ageSeconds: 90_000 }, 0)).toEqual([]);
    expect(backupProblems(undefined, 24)).toMatchObject([{ severity: 'error' }]);
    expect(backupProblems(undefined, 0)).toMatchObject([{ severity: 'warning' }]);
  });

  it('that is too old is refused with its age', () => {
    const [problem] = backupProblems({ ageSeconds: 90_000 }, 24);
    expect(problem?.severity).toBe('error');
    expect(problem?.message).toContain('is 25 hours old, mariadb_backup_wanted_hours is 24');
  });

  it('of which nobody knows the age is not said to be missing', () => {
    const [problem] = backupProblems({ ageSeconds: undefined }, 24);
    expect(problem?.severity).toBe('error');
    expect(problem?.message).toContain('the newest backup of the database is of unknown age');
    expect(backupProblems({ ageSeconds: undefined }, 0)).toEqual([]);
  });
});
