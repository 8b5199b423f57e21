import { expect, test } from 'vitest';
import { decide } from '../../../src/core/galera/decide.ts';
import type { DecideOptions } from '../../../src/core/galera/decision.ts';
import type { MemberEvidence } from '../../../src/core/galera/evidence.ts';
import { decisionText, galeraJson } from '../../../src/report/galera-text.ts';
import { clean, crashed, lost, nonPrimary, running, unreachable, V, viewOf } from '../../property/galera-states.ts';

function said(members: readonly MemberEvidence[], options?: DecideOptions): string {
  return decisionText(decide(members, options));
}

test('a bootstrap', () => {
  expect(said([clean('ctl1', 90), clean('ctl2', 99, true), crashed('ctl3', 95)])).toMatchInlineSnapshot(`
    "bootstrap the cluster from ctl2 at 6ff7df2c-c655-11f0-b1e7-1f6a5a3e0f2b:99; then join one by one: ctl3, ctl1
      - left last (safe_to_bootstrap), and nobody is ahead of it: ctl2
      a state transfer may replace the data of ctl3, ctl1, which holds nothing that is not in the cluster"
  `);
});

test('a refusal says what to type', () => {
  expect(said([clean('ctl1', 90), clean('ctl2', 99, true), unreachable('ctl3')])).toMatchInlineSnapshot(`
    "nothing is done: ctl3 cannot be reached (no route to host); it may have commits that the others do not have
      bring it back first; if its data is gone for good, deploy mariadb recover --without ctl3 --accept-loss goes by the others"
  `);
  expect(
    said([clean('ctl1', 90), clean('ctl2', 99, true, V), lost('ctl3')], { without: ['ctl3'] }),
  ).toMatchInlineSnapshot(`
    "nothing is done: the members have data of different histories, whose numbers cannot be compared: ctl1 6ff7df2c-c655-11f0-b1e7-1f6a5a3e0f2b:90, ctl2 a1b2c3d4-c655-11f0-8888-0123456789ab:99
      decide whose data is right, save the other, then deploy mariadb recover --from HOST --accept-loss"
  `);
});

test('a loss is named', () => {
  expect(said([clean('ctl1', 90), clean('ctl2', 99)], { force: { from: 'ctl1' } })).toMatchInlineSnapshot(`
    "bootstrap the cluster from ctl1 at 6ff7df2c-c655-11f0-b1e7-1f6a5a3e0f2b:90; then join one by one: ctl2
      - named by --from: ctl1
      COMMITS MAY BE LOST: ctl2 has commits that the others do not have (6ff7df2c-c655-11f0-b1e7-1f6a5a3e0f2b:99)"
  `);
});

test('a rejoin beside a member that is held back', () => {
  const alone = { clusterSize: 1 };
  expect(said([running('ctl1', alone), clean('ctl2', 90), clean('ctl3', 5, false, V)])).toMatchInlineSnapshot(`
    "join one by one: ctl2; donor ctl1
      - a Primary component lives: ctl1
      a state transfer may replace the data of ctl2, which holds nothing that is not in the cluster
      not started: ctl3 has another history (a1b2c3d4-c655-11f0-8888-0123456789ab:5); --accept-loss joins it"
  `);
});

test('waiting, asking, stopping', () => {
  const group = ['ctl1', 'ctl2'];
  expect(said(group.map((host) => crashed(host, undefined, viewOf(host, 'w 1', group))))).toMatchInlineSnapshot(`
    "start ctl1, ctl2 together, and wait for Galera to form the Primary component by itself
      - the whole of the last Primary component is there: ctl1, ctl2"
  `);
  expect(said(group.map((host) => crashed(host)))).toMatchInlineSnapshot(`
    "ask ctl1, ctl2 for the position of their data (--wsrep-recover), then decide
      - not ended cleanly, so that grastate.dat says nothing: ctl1, ctl2"
  `);
  expect(said(group.map((host) => nonPrimary(host, { version: '11.8.6-MariaDB' })))).toMatchInlineSnapshot(`
    "stop mariadb on ctl1, ctl2 cleanly, then look again
      - equal; the safe flag decides, then what runs, then the inventory: ctl1, ctl2
      - takes no pc.bootstrap while it runs (MariaDB 11.2 and later): ctl1, ctl2"
  `);
  expect(said(group.map((host) => lost(host)))).toMatchInlineSnapshot(`
    "nothing to recover: no member has data
      the first cluster is formed by deploy deploy --tags mariadb
      - no data: ctl1, ctl2"
  `);
});

test('JSON keeps every digit', () => {
  const json = JSON.stringify(galeraJson(decide([clean('ctl1', 9007199254740993n)])));
  expect(json).toContain('"seqno":"9007199254740993"');
});
