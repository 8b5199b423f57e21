import { expect, test } from 'vitest';
import { decide } from '../../src/core/galera/decide.ts';
import type { DecideOptions, Decision } from '../../src/core/galera/decision.ts';
import type { MemberEvidence } from '../../src/core/galera/evidence.ts';
import { missed } from './galera-liveness.ts';
import { broken, known } from './galera-oracle.ts';
import { grastate, recovered, states, stopped, U } from './galera-states.ts';

const three = ['ctl1', 'ctl2', 'ctl3'];
const five = [...three, 'ctl4', 'ctl5'];
const names = Object.keys(states);

function evidence(group: readonly string[], picked: readonly string[]): MemberEvidence[] {
  return group.map((host, at) => states[picked[at] ?? '']?.(host, group) ?? stopped(host));
}

function combination(at: number): string[] {
  const digits = [at, Math.floor(at / names.length), Math.floor(at / names.length ** 2)];
  return digits.map((i) => names[i % names.length] ?? '');
}

function shown(value: unknown): string {
  return JSON.stringify(value, (_, one) => (typeof one === 'bigint' ? `${one}` : one));
}

/** The first few combinations that break a sentence; all of them would say nothing more. */
class Findings {
  readonly list: string[] = [];
  check(members: readonly MemberEvidence[], options: DecideOptions, label: () => string): Decision {
    const decision = decide(members, options);
    const wrong = [...broken(members, options, decision), ...missed(members, options, decision)];
    if (wrong.length > 0 && this.list.length < 5)
      this.list.push(`${label()} ${shown(options)}: ${wrong.join('; ')} -> ${shown(decision)}`);
    return decision;
  }
}

/** xorshift: the same members every time, on every machine. */
function generator(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

function optionSets(group: readonly string[], at: number): DecideOptions[] {
  const host = (offset: number) => group[(at + offset) % group.length] ?? '';
  return [
    {},
    { waited: true },
    { force: { from: host(0) } },
    { without: [host(0)], waited: at % 2 === 0 },
    { force: { from: host(1) }, without: [host(0), host(2)] },
    { acceptLoss: true },
    { secondsSinceLastRecovery: 60, again: at % 5 === 0, waited: at % 2 === 0 },
  ];
}

test(`all ${names.length ** 3} combinations of three members keep every sentence`, () => {
  const findings = new Findings();
  let at = 0;
  for (const a of names)
    for (const b of names)
      for (const c of names) {
        const members = evidence(three, [a, b, c]);
        const [none = {}, ...some] = optionSets(three, at);
        for (const options of [none, some[at % some.length] ?? none])
          findings.check(members, options, () => `${a} | ${b} | ${c}`);
        at += 1;
      }
  expect(findings.list).toEqual([]);
});

test('100,000 random groups of five keep every sentence', () => {
  const findings = new Findings();
  const next = generator(20_261_121);
  for (let at = 0; at < 100_000; at += 1) {
    const few = Array.from({ length: 1 + next(4) }, () => names[next(names.length)] ?? '');
    const picked = five.map(() => few[next(few.length)] ?? '');
    const options = optionSets(five, next(1000))[next(7)] ?? {};
    findings.check(nudged(evidence(five, picked), next), options, () => picked.join(' | '));
  }
  expect(findings.list).toEqual([]);
});

/** Positions near each other, beyond what a number holds. */
function nudged(members: readonly MemberEvidence[], next: (below: number) => number): MemberEvidence[] {
  return members.map((m) => {
    const by = 9_007_199_254_740_992n + BigInt(next(3));
    if (m.kind === 'unreachable') return m;
    const up = <T extends { readonly seqno: bigint }>(p: T): T => (p.seqno < 0n ? p : { ...p, seqno: p.seqno + by });
    return {
      ...m,
      ...(m.live ? { live: up(m.live) } : {}),
      ...(m.grastate && m.grastate !== 'corrupt' ? { grastate: up(m.grastate) } : {}),
      ...(m.recovered?.kind === 'position'
        ? { recovered: { ...m.recovered, position: up(m.recovered.position) } }
        : {}),
    };
  });
}

test('the same evidence decides the same, and its order decides between equals only', () => {
  const wrong: string[] = [];
  const orders = [
    [0, 2, 1],
    [1, 0, 2],
    [1, 2, 0],
    [2, 0, 1],
    [2, 1, 0],
  ] as const;
  for (let at = 0; at < names.length ** 3; at += 11) {
    const picked = combination(at);
    const members = evidence(three, picked);
    const first = decide(members);
    if (shown(decide(members)) !== shown(first)) wrong.push(`not the same twice: ${picked.join(' | ')}`);
    const [order = [0, 1, 2]] = [orders[at % orders.length]];
    const other = decide(order.flatMap((i) => members[i] ?? []));
    if (essence(other) !== essence(first)) wrong.push(`${picked.join(' | ')}: ${essence(first)} <> ${essence(other)}`);
  }
  expect(wrong.slice(0, 5)).toEqual([]);
});

/** A decision without the order of equals. */
function essence(decision: Decision): string {
  const tie = decision.reasons.some(({ rule }) => rule === 'tie');
  if (decision.kind === 'refuse') return `${decision.code} ${[...decision.who].sort().join()}`;
  if (decision.kind === 'bootstrap' || decision.kind === 'pc-bootstrap')
    return `${decision.kind} ${tie ? '' : decision.host} ${decision.position?.seqno}`;
  if (decision.kind === 'rejoin')
    return `rejoin ${[decision.waitFor, decision.order.map(({ host }) => host), decision.held.map(({ host }) => host)].map((hosts) => [...hosts].sort().join()).join(' / ')}`;
  // Between equals, the one that runs may be told to stop or not.
  return tie
    ? decision.kind
    : shown({ ...decision, reasons: [] }).replace(/\[[^\]]*\]/g, (hosts) =>
        shown((JSON.parse(hosts) as string[]).sort()),
      );
}

/** What the world becomes when a decision that ends in another look was carried out, and nothing good came of it. */
function after(members: readonly MemberEvidence[], decision: Decision): MemberEvidence[] {
  const hosts = 'hosts' in decision ? decision.hosts : [];
  return members.map((m): MemberEvidence => {
    if (m.kind === 'unreachable' || !hosts.includes(m.host)) return m;
    if (decision.kind === 'needs-positions') return { ...m, recovered: recovered(107) };
    const { live, view, ...rest } = m;
    const at = known(m);
    return {
      ...rest,
      container: 'stopped',
      data: 'present',
      grastate: grastate(at?.seqno ?? -1n, false, at?.uuid ?? U),
    };
  });
}

test('from any evidence a few looks lead to an act or a refusal', () => {
  const endless: string[] = [];
  for (let at = 0; at < names.length ** 3; at += 6) {
    const picked = combination(at);
    let members = evidence(three, picked);
    let waited = false;
    let looks = 0;
    for (; looks < 6; looks += 1) {
      const decision = decide(members, { waited });
      if (!['wait', 'stop', 'needs-positions'].includes(decision.kind)) break;
      waited ||= decision.kind === 'wait';
      members = after(members, decision);
    }
    if (looks === 6) endless.push(picked.join(' | '));
  }
  expect(endless.slice(0, 5)).toEqual([]);
});
