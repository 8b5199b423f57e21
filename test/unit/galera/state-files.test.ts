import { describe, expect, it } from 'vitest';
import {
  dataVersionFiles,
  dataVersionIn,
  grastateToBootstrap,
  parseDataVersion,
  parseGrastate,
  parseGvwstate,
  parseRecovered,
} from '../../../src/core/galera/state-files.ts';

const uuid = '6ff7df2c-0000-11f0-b1e7-1f6a5a3e0f2b';
const other = '0dae1307-1606-11e4-aa94-5255b1455aa0';
const none = '00000000-0000-0000-0000-000000000000';

const grastate = `# GALERA saved state\nversion: 2.1\nuuid:    ${uuid}\nseqno:   1234\nsafe_to_bootstrap: 1\n`;

describe('grastate.dat', () => {
  it('is read', () => {
    expect(parseGrastate(grastate)).toEqual({ uuid, seqno: 1234n, safeToBootstrap: true });
    const unclean = grastate.replace('1234', '-1').replace('bootstrap: 1', 'bootstrap: 0');
    expect(parseGrastate(unclean)).toEqual({ uuid, seqno: -1n, safeToBootstrap: false });
    const large = grastate.replace('1234', '9007199254740993');
    expect(parseGrastate(large)).toMatchObject({ seqno: 9007199254740993n });
  });

  it('may have the line ends of an editor, the blanks Galera pads it with, and be of an old version', () => {
    const same = parseGrastate(grastate);
    expect(parseGrastate(grastate.replaceAll('\n', '\r\n'))).toEqual(same);
    expect(parseGrastate(`${grastate}      `)).toEqual(same);
    expect(parseGrastate(grastate.trimEnd())).toEqual(same);
    expect(parseGrastate(grastate.toUpperCase().replace(/^[A-Z_]+:/gm, (key) => key.toLowerCase()))).toEqual(same);
    expect(parseGrastate(grastate.replace(/^safe.*\n/m, ''))).toMatchObject({ seqno: 1234n, safeToBootstrap: false });
  });

  it('is corrupt wherever it was cut off, for half a number is a number too', () => {
    for (let length = 0; length < grastate.trimEnd().length; length++) {
      const cut = parseGrastate(grastate.slice(0, length));
      // Without its last line it is a whole file of an older version.
      const old = grastate.slice(0, length).endsWith('seqno:   1234\n');
      if (!old) expect(cut, `${length} characters`).toBe('corrupt');
    }
  });

  it.each([
    ['nothing', ''],
    ['blanks', '   \n \n'],
    ['NUL bytes, as a crash leaves them', '\0'.repeat(256)],
    ['another file', '<html>\n<p>uuid: hello</p>\n</html>\n'],
    ['no uuid', grastate.replace(uuid, '')],
    ['no number', grastate.replace('1234', 'abc')],
    ['two histories', `${grastate}uuid: ${other}\n`],
    ['two positions', `${grastate}seqno: 7\n`],
    ['a flag that is none', grastate.replace('bootstrap: 1', 'bootstrap: yes')],
  ])('is corrupt with %s in it', (_, text) => {
    expect(parseGrastate(text)).toBe('corrupt');
  });

  it('gets the flag and keeps its position; of another history nothing is kept', () => {
    const stopped = grastate.replace('bootstrap: 1', 'bootstrap: 0');
    expect(grastateToBootstrap(stopped, uuid)).toBe(grastate);
    expect(grastateToBootstrap(stopped, undefined)).toBe(grastate);
    const fresh = { uuid: other, seqno: -1n, safeToBootstrap: true };
    for (const text of [stopped, undefined, 'garbage']) {
      expect(parseGrastate(grastateToBootstrap(text, other))).toEqual(fresh);
    }
    expect(parseGrastate(grastateToBootstrap(undefined, undefined))).toEqual({ ...fresh, uuid: none });
  });
});

const gvwstate = `my_uuid: ${other}
#vwbeg
view_id: 3 ${uuid} 12
bootstrap: 0
member: ${uuid} 0
member: ${other} 0
#vwend
`;

describe('gvwstate.dat', () => {
  it('is read, whatever its line ends', () => {
    const view = { member: other, id: `${uuid} 12`, members: [uuid, other] };
    expect(parseGvwstate(gvwstate)).toEqual(view);
    expect(parseGvwstate(gvwstate.replaceAll('\n', '\r\n'))).toEqual(view);
  });

  it('is corrupt wherever it was cut off', () => {
    const end = gvwstate.trimEnd().length;
    for (let length = 0; length < end; length++) expect(parseGvwstate(gvwstate.slice(0, length))).toBe('corrupt');
  });

  it.each([
    ['nothing', ''],
    ['NUL bytes', '\0'.repeat(200)],
    ['a view its owner is not in', gvwstate.replace(`my_uuid: ${other}`, `my_uuid: ${none}`)],
    ['no view', gvwstate.replace(/^view_id.*\n/m, '')],
    ['a member that is none', gvwstate.replace(`member: ${uuid}`, 'member: somebody')],
  ])('is corrupt with %s in it', (_, text) => {
    expect(parseGvwstate(text)).toBe('corrupt');
  });
});

describe('what --wsrep-recover says', () => {
  const line = '2026-01-01 10:00:00 0 [Note] WSREP: Recovered position: ';

  it('is a position, with or without that of the binary log', () => {
    const position = { kind: 'position', position: { uuid, seqno: 1234n } };
    expect(parseRecovered(`starting\n${line}${uuid}:1234\nbye\n`, 0)).toEqual(position);
    expect(parseRecovered(`${line}${uuid}:1234,0-1-55\r\n`, 0)).toEqual(position);
    expect(parseRecovered(`${line}${uuid}:1234\n${line}${uuid}:1234\n`, 0)).toEqual(position);
    expect(parseRecovered(`${line}${none}:-1\n`, 0)).toMatchObject({ position: { uuid: none, seqno: -1n } });
  });

  it.each([
    [
      'it did not end well',
      `${line}${uuid}:1234\n2026-01-01 10:00:00 0 [ERROR] InnoDB: corrupt page\n`,
      1,
      '[ERROR] InnoDB: corrupt page',
    ],
    ['it said nothing', '', 137, 'it said nothing'],
    ['it named no position', 'starting\nbye\n', 0, 'it named no position'],
    ['it named two', `${line}${uuid}:1\n${line}${uuid}:2\n`, 0, 'several positions'],
    ['it was cut off', `${line}${uuid}:`, 0, 'it named no position but'],
    ['it is no uuid', `${line}hello:12\n`, 0, 'it named no position but'],
  ])('is none when %s', (_, output, exitCode, why) => {
    const recovered = parseRecovered(output, exitCode);
    expect(recovered).toMatchObject({ kind: 'failed', exitCode });
    expect(recovered.kind === 'failed' && recovered.why).toContain(why);
  });
});

describe('the version of the data', () => {
  const inFiles = (texts: Readonly<Record<string, string>>) => dataVersionIn(new Map(Object.entries(texts)));

  it('is read from either file, the newer name first', () => {
    expect(dataVersionFiles).toEqual(['mariadb_upgrade_info', 'mysql_upgrade_info']);
    expect(inFiles({ mysql_upgrade_info: '10.11.14-MariaDB' })).toBe('10.11.14-MariaDB');
    expect(inFiles({ mariadb_upgrade_info: '11.8.3-MariaDB\n' })).toBe('11.8.3-MariaDB');
    // An old server left its file behind when the data was upgraded.
    expect(inFiles({ mysql_upgrade_info: '10.11.14-MariaDB', mariadb_upgrade_info: '11.8.3-MariaDB' })).toBe(
      '11.8.3-MariaDB',
    );
  });

  it('is not known without them, or when they tell none', () => {
    expect(inFiles({ 'grastate.dat': '10.11.14-MariaDB' })).toBeUndefined();
    expect(inFiles({ mariadb_upgrade_info: '' })).toBeUndefined();
    expect(parseDataVersion('an 11.8.3-MariaDB')).toBeUndefined();
  });
});
