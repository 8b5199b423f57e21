import { expect, test } from 'vitest';
import { galeraTable } from '../../../src/report/galera-table.ts';
import {
  clean,
  crashed,
  failed,
  grastate,
  lost,
  running,
  silent,
  stopped,
  unreachable,
  V,
  viewOf,
} from '../../property/galera-states.ts';

const down = [
  crashed('ctl1', 9007199254740993n, viewOf('ctl1', '9e107d9d-0001 12', ['ctl1', 'ctl2'])),
  clean('ctl2', 12, true, V),
  unreachable('ctl3'),
  stopped('ctl4', { grastate: 'corrupt', recovered: failed() }),
  lost('ctl5'),
];

test('five members that are down', () => {
  expect(galeraTable(down)).toMatchInlineSnapshot(`
    "member  container    state    history   seqno  recovered         safe  view
    ctl1    stopped      -        6ff7df2c  -1     9007199254740993  no    9e107d9d:12 of 2
    ctl2    stopped      -        a1b2c3d4  12     -                 yes   -
    ctl3    unreachable  -        -         -      -                 -     -
    ctl4    stopped      -        corrupt   -      failed            -     -
    ctl5    missing      no data  -         -      -                 -     -
    2 histories: 6ff7df2c-c655-11f0-b1e7-1f6a5a3e0f2b, a1b2c3d4-c655-11f0-8888-0123456789ab
    ctl3: no route to host
    ctl4: recovering its position failed (exit 1): InnoDB: corrupted page"
  `);
});

test('members that run', () => {
  const live = { flowControlPaused: 0.123, viewId: '9e107d9d-0001 12' };
  expect(
    galeraTable([running('ctl1', live), silent('ctl2'), running('ctl3', { ...live, uuid: V })]),
  ).toMatchInlineSnapshot(`
    "member  container  cluster  state      history   seqno  safe  view         size  paused  version
    ctl1    running    Primary  Synced     6ff7df2c  100    no    9e107d9d:12  3     12 %    10.11.14-MariaDB-deb12
    ctl2    running    -        no answer  6ff7df2c  -1     no    -            -     -       -
    ctl3    running    Primary  Synced     a1b2c3d4  100    no    9e107d9d:12  3     12 %    10.11.14-MariaDB-deb12
    2 histories: 6ff7df2c-c655-11f0-b1e7-1f6a5a3e0f2b, a1b2c3d4-c655-11f0-8888-0123456789ab"
  `);
});

test('a narrow terminal gets a paragraph for each member', () => {
  const text = galeraTable(down, 60);
  expect(text).toMatchInlineSnapshot(`
    "ctl1
      container  stopped
      history    6ff7df2c
      seqno      -1
      recovered  9007199254740993
      safe       no
      view       9e107d9d:12 of 2
    ctl2
      container  stopped
      history    a1b2c3d4
      seqno      12
      safe       yes
    ctl3
      container  unreachable
    ctl4
      container  stopped
      history    corrupt
      recovered  failed
    ctl5
      container  missing
      state      no data
    2 histories: 6ff7df2c-c655-11f0-b1e7-1f6a5a3e0f2b, a1b2c3d4-c655-11f0-8888-0123456789ab
    ctl3: no route to host
    ctl4: recovering its position failed (exit 1): InnoDB: corrupted page"
  `);
  expect(galeraTable(down, 200)).toBe(galeraTable(down));
});

test('one member', () => {
  expect(galeraTable([stopped('ctl1', { grastate: grastate(18446744073709551615n, true) })])).toMatchInlineSnapshot(`
    "member  container  history   seqno                 safe
    ctl1    stopped    6ff7df2c  18446744073709551615  yes
    history 6ff7df2c-c655-11f0-b1e7-1f6a5a3e0f2b"
  `);
});
