import { describe, expect, test } from 'vitest';
import { decide } from '../../../src/core/galera/decide.ts';
import { type DecideOptions, type Decision, lossesOf } from '../../../src/core/galera/decision.ts';
import { U } from '../../property/galera-states.ts';
import { members } from './members.ts';

/** A decision in one line: what, on whom, and whom it costs commits. */
function said(decision: Decision): string {
  const loss = lossesOf(decision).map(({ host, own }) => `, LOSS ${host} ${own}`);
  const names = (hosts: readonly { readonly host: string }[]) => hosts.map(({ host }) => host).join(' ') || '-';
  if (decision.kind === 'refuse') return `refuse ${decision.code}: ${decision.who.join(' ') || '-'}`;
  if (decision.kind === 'bootstrap' || decision.kind === 'pc-bootstrap')
    return `${decision.kind} ${decision.host}, then ${names(decision.order)}${loss.join('')}`;
  if (decision.kind === 'rejoin') {
    const { waitFor, order, held } = decision;
    const wait = waitFor.length > 0 ? ` after ${waitFor.join(' ')}` : '';
    return `rejoin ${names(order)}${wait}${held.length > 0 ? `, held ${names(held)}` : ''}${loss.join('')}`;
  }
  if (decision.kind === 'wait') return `wait, start ${decision.start.join(' ') || '-'}`;
  return 'hosts' in decision ? `${decision.kind} ${decision.hosts.join(' ')}` : decision.kind;
}

type Case = readonly [what: string, evidence: string, expected: string, options?: DecideOptions];

function table(name: string, cases: readonly Case[]): void {
  describe(name, () => {
    for (const [what, evidence, expected, options] of cases)
      test(`${what}: ${evidence}`, () => expect(said(decide(members(evidence), options))).toBe(expected));
  });
}

const waited = { waited: true };
const without3 = { without: ['ctl3'] };
const from = (host: string): DecideOptions => ({ force: { from: host } });

table('all down', [
  ['killed', 'crashed whole | crashed whole | crashed whole', 'wait, start ctl1 ctl2 ctl3'],
  ['the engine restarted them', 'silent whole | silent whole | silent whole', 'wait, start -'],
  ['waited in vain', 'crashed whole | crashed whole | crashed whole', 'needs-positions ctl1 ctl2 ctl3', waited],
  ['waited in vain', 'silent whole | silent whole | silent whole', 'stop ctl1 ctl2 ctl3', waited],
  ['in order, the last has the flag', 'clean 90 | clean 95 | clean 99 safe', 'bootstrap ctl3, then ctl2 ctl1'],
  ['a flag on an older one', 'clean 90 safe | clean 95 | clean 99', 'bootstrap ctl3, then ctl2 ctl1'],
  ['two flags', 'clean 90 safe | clean 99 safe | clean 80', 'bootstrap ctl2, then ctl1 ctl3'],
  ['equal: the flag', 'clean 99 | clean 99 safe | clean 99', 'bootstrap ctl2, then ctl1 ctl3'],
  ['equal: the inventory', 'clean 99 | clean 99 | clean 99', 'bootstrap ctl1, then ctl2 ctl3'],
  ['-1 everywhere', 'crashed | crashed | crashed', 'needs-positions ctl1 ctl2 ctl3'],
  ['-1 everywhere, asked', 'crashed 7 | crashed 9 | crashed 8', 'bootstrap ctl2, then ctl3 ctl1'],
  ['an old clean one does not win', 'clean 50 safe | crashed | crashed', 'needs-positions ctl2 ctl3'],
  [
    'beyond 2^53',
    'crashed 9007199254740992 | crashed 9007199254740993 | crashed 9007199254740991',
    'bootstrap ctl2, then ctl1 ctl3',
  ],
  ['grastate.dat lost, sound data', 'corrupt 100 | clean 90 | clean 90', 'bootstrap ctl1, then ctl2 ctl3'],
  ['nothing anywhere', 'lost | lost | lost', 'new-cluster'],
  ['not reached is not nothing', 'lost | lost | gone', 'refuse missing-evidence: ctl1 ctl2 ctl3'],
  ['not even left out', 'lost | lost | gone', 'refuse nobody-votes: -', { without: ['ctl1', 'ctl2', 'ctl3'] }],
]);

table('the view of the last Primary component', [
  ['the third left before', 'crashed 99 pair | crashed 98 pair | clean 80', 'wait, start ctl1 ctl2'],
  ['the third may have gone on', 'crashed pair | crashed pair | clean 80', 'needs-positions ctl1 ctl2'],
  ['the third went on', 'crashed 99 pair | crashed 98 pair | clean 100', 'bootstrap ctl3, then ctl1 ctl2'],
  ['another history', 'crashed 99 pair | crashed 98 pair | clean 1 safe V', 'refuse histories-differ: ctl1 ctl2 ctl3'],
  ['the third lost its disk', 'crashed pair | crashed pair | lost', 'wait, start ctl1 ctl2'],
  ['not all of it is there', 'crashed 99 whole | crashed 98 whole | lost', 'refuse missing-evidence: ctl3'],
  ['one was cut off in a transfer', 'crashed 9 whole | crashed 9 whole | cut 9 whole', 'refuse missing-evidence: ctl3'],
  ['a minority', 'crashed 99 pair | crashed 98 | crashed 98', 'bootstrap ctl1, then ctl2 ctl3'],
]);

table('some down', [
  ['power loss of two of three', 'outside whole | crashed whole | crashed whole', 'wait, start ctl2 ctl3'],
  ['waited in vain', 'outside 100 | crashed 100 | crashed 99', 'pc-bootstrap ctl1, then ctl2 ctl3', waited],
  ['a stopped one is ahead', 'outside 100 | crashed 101 | crashed 99', 'stop ctl1', waited],
  ['and then', 'clean 100 | crashed 101 | crashed 99', 'bootstrap ctl2, then ctl1 ctl3', waited],
  ['from 11.2 on', 'outside 100 11.2 | crashed 100 | crashed 99', 'stop ctl1', waited],
  ['before it', 'outside 100 11.1 | crashed 100 | crashed 99', 'pc-bootstrap ctl1, then ctl2 ctl3', waited],
  ['a majority gone', 'outside | gone | gone', 'refuse missing-evidence: ctl2 ctl3'],
  ['for good', 'outside | gone | gone', 'pc-bootstrap ctl1, then -', { without: ['ctl2', 'ctl3'] }],
  ['--from does not say so', 'outside | gone | gone', 'refuse missing-evidence: ctl2 ctl3', from('ctl1')],
  ['one view without quorum', 'outside 5 | outside 7 | outside 6', 'pc-bootstrap ctl2, then -'],
  ['a split that will heal', 'outside @1 whole | outside @2 whole | outside @3 whole', 'wait, start -'],
  ['one that does not', 'outside @1 whole | outside @2 | outside @2', 'refuse split: ctl1 ctl2 ctl3', waited],
  ['one that does not, forced', 'outside @1 | outside @2 | outside @2', 'stop ctl1 ctl2 ctl3', from('ctl2')],
  ['no answer, nobody Primary', 'clean 100 | clean 100 | silent', 'stop ctl3'],
]);

table('a Primary component lives', [
  ['all well', 'primary | primary | primary', 'healthy'],
  ['the most advanced first', 'primary 200 size1 | clean 90 | clean 95', 'rejoin ctl3 ctl2'],
  ['positions first', 'primary size2 | primary size2 | crashed', 'needs-positions ctl3'],
  ['a lost disk', 'primary size2 | primary size2 | lost', 'rejoin ctl3'],
  ['corrupt data of its history', 'primary size2 | primary size2 | failed', 'rejoin ctl3'],
  ['corrupt data of no known history', 'primary size2 | primary size2 | corrupt', 'refuse would-lose: ctl3'],
  ['another history', 'primary size2 | primary size2 | clean 1 V', 'refuse would-lose: ctl3'],
  ['accepted', 'primary size2 | primary size2 | clean 1 V', 'rejoin ctl3, LOSS ctl3 foreign', { acceptLoss: true }],
  ['beside one that may join', 'primary size1 | clean 90 | clean 1 V', 'rejoin ctl2, held ctl3'],
  ['one ahead of it', 'primary size2 | primary size2 | clean 101', 'refuse would-lose: ctl3'],
  ['killed in a state transfer', 'primary size2 | primary size2 | cut 150', 'rejoin ctl3'],
  ['marked as no copy', 'primary size2 | primary size2 | zero', 'rejoin ctl3'],
  ['one at a time', 'primary size2 donor | primary size2 joiner | clean 90', 'rejoin ctl3 after ctl1 ctl2'],
  ['no answer yet', 'primary size2 | primary size2 | silent', 'rejoin - after ctl3'],
  ['cut off by the network', 'primary size2 | primary size2 | outside 90', 'rejoin - after ctl3'],
  ['left for good', 'primary size2 | primary size2 | left 90', 'rejoin ctl3'],
  ['not reached', 'primary size2 | primary size2 | gone', 'refuse missing-evidence: ctl3'],
  ['left out', 'primary size2 | primary size2 | gone', 'healthy', without3],
  ['others join meanwhile', 'primary size1 | clean 90 | gone', 'rejoin ctl2'],
  ['two clusters', 'primary size1 | primary V size1 @q | clean 90', 'refuse two-clusters: ctl1 ctl2'],
  [
    'two clusters, forced',
    'primary size1 | primary V size1 @q | clean 90',
    'refuse two-clusters: ctl1 ctl2',
    { ...from('ctl1'), acceptLoss: true },
  ],
  ['split brain', 'primary size1 | primary size1 @q | clean 90', 'refuse two-components: ctl1 ctl2'],
  ['--from', 'primary size1 | clean 900 | clean 90', 'refuse primary-lives: ctl1', from('ctl2')],
  [
    'a killed recovery goes on',
    'primary size1 | clean 90 | clean 95',
    'rejoin ctl3 ctl2',
    { secondsSinceLastRecovery: 5 },
  ],
]);

table('no evidence', [
  ['a lost disk', 'clean 100 | clean 100 safe | lost', 'refuse missing-evidence: ctl3'],
  ['lost for good', 'clean 100 | clean 100 safe | lost', 'bootstrap ctl2, then ctl1 ctl3', without3],
  ['no position', 'clean 100 | clean 99 | failed', 'refuse missing-evidence: ctl3'],
  ['done without', 'clean 100 | clean 99 | failed', 'bootstrap ctl1, then ctl2 ctl3, LOSS ctl3 unreadable', without3],
  [
    'forced',
    'clean 100 | clean 99 | failed',
    'bootstrap ctl2, then ctl1 ctl3, LOSS ctl1 ahead, LOSS ctl3 unreadable',
    from('ctl2'),
  ],
  ['what was seen counts', 'clean 90 | clean 90 | clean 100', 'bootstrap ctl3, then ctl1 ctl2', without3],
  ['two histories', 'clean 100 | clean 200 safe V | clean 90', 'refuse histories-differ: ctl1 ctl2 ctl3'],
  ['forced', 'clean 100 | clean 200 V | clean 90', 'bootstrap ctl1, then ctl3 ctl2, LOSS ctl2 foreign', from('ctl1')],
  ['half a transfer, forced', 'cut 300 | lost | lost', 'refuse from-unusable: ctl1', from('ctl1')],
  ['no member', 'clean 1 | clean 1 | clean 1', 'refuse from-unusable: ctl9', from('ctl9')],
  ['zero everywhere', 'zero 5 | zero 5 | zero 5', 'refuse nobody-votes: ctl1 ctl2 ctl3'],
  ['forced', 'zero | zero | zero', 'bootstrap ctl3, then ctl1 ctl2', from('ctl3')],
]);

table('a second recovery', [
  ['within the hour', 'clean 1 | clean 1 | clean 2', 'refuse too-soon: ctl3', { secondsSinceLastRecovery: 3599 }],
  ['after it', 'clean 1 | clean 1 | clean 2', 'bootstrap ctl3, then ctl1 ctl2', { secondsSinceLastRecovery: 3600 }],
  [
    '--again',
    'clean 1 | clean 1 | clean 2',
    'bootstrap ctl3, then ctl1 ctl2',
    { secondsSinceLastRecovery: 60, again: true },
  ],
]);

table('other sizes', [
  ['one, well', 'primary size1', 'healthy'],
  ['one, stopped', 'clean 5 safe', 'bootstrap ctl1, then -'],
  ['one, killed', 'crashed whole', 'wait, start ctl1'],
  ['one, killed without a view', 'crashed', 'needs-positions ctl1'],
  ['one, empty', 'lost', 'new-cluster'],
  [
    'five, a minority noted the view',
    'crashed 9 pair | crashed 9 pair | clean 7 | clean 7 | clean 8',
    'bootstrap ctl1, then ctl2 ctl5 ctl3 ctl4',
  ],
]);

test('no members at all', () => {
  expect(said(decide([]))).toBe('refuse no-members: -');
});

test('reasons and order are data', () => {
  expect(decide(members('clean 90 | clean 99 safe')).reasons).toEqual([{ rule: 'safe-flag', members: ['ctl2'] }]);
  expect(decide(members('clean 90 | crashed 99'))).toEqual({
    kind: 'bootstrap',
    host: 'ctl2',
    position: { uuid: U, seqno: 99n },
    donor: 'ctl2',
    order: [{ host: 'ctl1', how: 'start', own: 'older', loss: false, position: { uuid: U, seqno: 90n } }],
    reasons: [{ rule: 'most-advanced', members: ['ctl2'] }],
  });
});

test('the member that takes the writes donates last', () => {
  expect(decide(members('primary size2 | primary size2 | lost'))).toMatchObject({ donors: ['ctl2', 'ctl1'] });
});

test('a member of the view that is not in the inventory is said', () => {
  const { reasons } = decide(members('primary size4 | primary size4 | primary size4'));
  expect(reasons.map(({ rule }) => rule)).toContain('stranger');
});
