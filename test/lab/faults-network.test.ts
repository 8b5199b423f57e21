import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { sleep } from './command.ts';
import { acceptSsh, dropSsh, freezeEngine, resetConnections, thawEngine } from './faults.ts';
import { reconfigureFirstNode, reconfigureHeat, Turns, upgradeMagnum } from './job/changes.ts';
import { deployedLab } from './job/deployed.ts';
import { goOn, lostItsNode } from './job/faulty-run.ts';
import { Running } from './job/running.ts';
import type { Lab } from './raise.ts';
import { printingReport } from './report.ts';
import { NODES, type NodeName } from './settings.ts';

/** How a connection ends, and within how many seconds the run is over; what runs on other nodes is finished first. */
const cuts = {
  reset: { cut: resetConnections, seconds: 15, words: 'is reset' },
  silence: { cut: dropSsh, seconds: 30, words: 'goes silent' },
} as const;

type Cut = keyof typeof cuts;

/**
 * `before`: the run stands before the step while the connection is cut. `after`: it has done the step's work and not
 * noted it. `during`: the engine has the step's call and answers only when nobody hears it any more.
 */
type Moment = 'before' | 'during' | 'after';

const changes = {
  upgrade: upgradeMagnum,
  reconfigure: async () => reconfigureHeat,
  'reconfigure of one node': async () => reconfigureFirstNode,
} as const;

interface Row {
  readonly change: keyof typeof changes;
  readonly kind: string;
  readonly moments: readonly Moment[];
}

/** Every kind of step of both changes. Kinds whose work is no call of the engine have nothing to freeze. */
const rows: readonly Row[] = [
  { change: 'upgrade', kind: 'pull', moments: ['before', 'during', 'after'] },
  { change: 'upgrade', kind: 'one-shot', moments: ['before', 'during', 'after'] },
  { change: 'upgrade', kind: 'create', moments: ['during'] },
  { change: 'upgrade', kind: 'stop', moments: ['during'] },
  { change: 'upgrade', kind: 'healthy', moments: ['during'] },
  { change: 'reconfigure of one node', kind: 'databases', moments: ['before', 'after'] },
  { change: 'reconfigure of one node', kind: 'identity', moments: ['before', 'after'] },
  { change: 'reconfigure of one node', kind: 'messaging', moments: ['before', 'after'] },
  { change: 'reconfigure of one node', kind: 'reload', moments: ['before', 'during', 'after'] },
  { change: 'reconfigure of one node', kind: 'write', moments: ['before', 'after'] },
  { change: 'reconfigure of one node', kind: 'create', moments: ['before', 'during', 'after'] },
  { change: 'reconfigure', kind: 'drain', moments: ['before', 'after'] },
  { change: 'reconfigure', kind: 'stop', moments: ['before', 'during', 'after'] },
  // Alone, a node cannot tell the load balancers of the others that its replica is back: it keeps that in mind.
  { change: 'reconfigure', kind: 'start', moments: ['before', 'during', 'after'] },
  { change: 'reconfigure', kind: 'healthy', moments: ['before', 'during', 'after'] },
  { change: 'reconfigure', kind: 'undrain', moments: ['before', 'after'] },
  { change: 'reconfigure of one node', kind: 'remove', moments: ['before', 'during', 'after'] },
  { change: 'reconfigure of one node', kind: 'record', moments: ['before', 'after'] },
];

interface Case extends Omit<Row, 'moments'> {
  readonly moment: Moment;
  readonly cut: Cut;
}

const every: readonly Case[] = rows.flatMap(({ moments, ...row }) =>
  moments.flatMap((moment) => (['reset', 'silence'] as const).map((cut) => ({ ...row, moment, cut }))),
);

/** Without FAULTS=all or FAULTS=kinds: one of each sort. FAULTS may also be a part of titles. */
const sample: readonly Case[] = [
  { change: 'reconfigure of one node', kind: 'identity', moment: 'after', cut: 'reset' },
  { change: 'reconfigure', kind: 'start', moment: 'during', cut: 'reset' },
  { change: 'reconfigure of one node', kind: 'stop', moment: 'during', cut: 'silence' },
];

/** Every kind of step once with each cut: while the engine works on it where that can be held up. */
const kinds: readonly Case[] = [...new Set(rows.map(({ kind }) => kind))].flatMap((kind) => {
  const row = rows.find((one) => one.kind === kind && one.moments.includes('during'));
  const moment = row === undefined ? 'before' : 'during';
  return every.filter((one) => one.kind === kind && one.moment === moment && (row ?? one).change === one.change);
});

const wanted = process.env.FAULTS ?? '';
const titleOf = ({ change, kind, moment, cut }: Case): string =>
  `${change}: the connection ${cuts[cut].words} ${moment} ${kind}`;
const named: Readonly<Record<string, readonly Case[]>> = { '': sample, all: every, kinds };
const cases = named[wanted] ?? every.filter((one) => titleOf(one).includes(wanted));

/** What is expected of every one of them. */
const expected =
  'the run ends in time and names the host, no version is blamed, the same command again ends as an undisturbed run';

describe.runIf(cases.length > 0)('SSH connections that are cut', () => {
  let lab: Lab;
  const turns = new Map<Row['change'], Turns>();

  beforeAll(async () => {
    lab = await deployedLab(printingReport());
  });

  afterEach(async () => {
    for (const { name } of NODES) await acceptSsh(name);
    for (const { name } of NODES) await thawEngine(name);
  });

  afterAll(async () => {
    for (const one of turns.values()) await one.change.rest(lab);
  });

  async function turnsOf(change: Row['change']): Promise<Turns> {
    const known = turns.get(change);
    if (known !== undefined) return known;
    // What an undisturbed run leaves is noted once, with all else at rest.
    for (const other of turns.values()) await other.change.rest(lab);
    const made = new Turns(lab, await changes[change]());
    turns.set(change, made);
    return made;
  }

  // One change after the other: each starts from the lab at rest.
  for (const one of cases.toSorted((a, b) => a.change.localeCompare(b.change))) {
    it(`${titleOf(one)}: ${expected}`, async () => {
      const { cut, seconds } = cuts[one.cut];
      const turn = await turnsOf(one.change);
      await turn.prepare();
      const at = one.moment === 'after' ? 'after' : 'before';
      const run = new Running(lab, turn.args, { failpoint: `${one.kind}:${at}:1=hang` });
      const { host } = await run.standing(one.kind);
      const node = host as NodeName;
      if (one.moment === 'during') {
        await freezeEngine(node);
        run.signal('SIGCONT');
        await sleep(1_000);
      }
      const cutAt = performance.now();
      await cut(node);
      if (one.moment === 'during') await thawEngine(node);
      else run.signal('SIGCONT');
      const ended = await run.ended;
      const after = (performance.now() - cutAt) / 1000;
      lostItsNode(run, ended, node);
      expect(after).toBeLessThan(seconds);
      await acceptSsh(node);
      const again = await goOn(lab, turn.args);
      const differences = await turn.differences();
      console.log(
        `${titleOf(one)} on ${node}: exit ${ended.code} ${after.toFixed(1)} s after the cut; again: ${again}, ${differences.length} differences`,
      );
      expect(differences).toEqual([]);
    });
  }
});
