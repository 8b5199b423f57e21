import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { sleep } from './command.ts';
import {
  acceptSsh,
  bringNodeBack,
  dropSsh,
  endSshSessions,
  freezeEngine,
  killNode,
  killProgram,
  restartProgram,
  startNode,
  thawEngine,
} from './faults.ts';
import { reconfigureHeat, Turns, upgradeMagnum } from './job/changes.ts';
import { deployedLab } from './job/deployed.ts';
import { goOn, lostItsNode } from './job/faulty-run.ts';
import { type Ended, Running } from './job/running.ts';
import type { Lab } from './raise.ts';
import { printingReport } from './report.ts';
import { NODES, type NodeName } from './settings.ts';

/** What is done to the node of the step the run stands at; `goOn` lets the run go on. */
type Fault = (node: NodeName, goOn: () => void) => Promise<void>;

const changes = { upgrade: upgradeMagnum, reconfigure: async () => reconfigureHeat } as const;

interface Row {
  readonly title: string;
  readonly change: keyof typeof changes;
  /** Where the run stands when the fault comes. */
  readonly at: string;
  readonly fault: Fault;
  readonly expected: { readonly text: string; readonly outcome: 'lost' | 'done'; readonly seconds: number };
  /** Part of the sample without FAULTS=all. */
  readonly sample?: boolean;
}

const keepalive = { text: 'the run knows by its keepalive, names the node, blames no version', seconds: 30 };
const atOnce = { text: 'the run knows at once, names the node, blames no version', seconds: 20 };

/** The power goes, without a last packet, while the run stands; it comes back when the run is over (see below). */
const powerLoss: Fault = async (node, goOn) => {
  await dropSsh(node);
  await killNode(node);
  goOn();
};

/** The engine has the call and has done nothing of it when it dies. */
const engineDies: Fault = async (node, goOn) => {
  await freezeEngine(node);
  goOn();
  await sleep(1_000);
  await killProgram(node, 'dockerd');
};

/** The engine is told to end in the middle of the call, and stops all its containers. */
const engineRestarts: Fault = async (node, goOn) => {
  await freezeEngine(node);
  goOn();
  await sleep(500);
  await restartProgram(node, 'dockerd');
  await thawEngine(node);
};

/** Told to end while the new container starts: connections the run has go on working while containers are stopped. */
const engineRestartsAmidHealth: Fault = async (node, goOn) => {
  goOn();
  await sleep(150);
  await restartProgram(node, 'dockerd');
};

const sshdRestarts: Fault = async (node, goOn) => {
  await restartProgram(node, 'sshd');
  goOn();
};

const sessionsEnd: Fault = async (node, goOn) => {
  await endSshSessions(node);
  await restartProgram(node, 'sshd');
  goOn();
};

const undisturbed = { text: 'nobody notices: connections outlive the sshd that took them', seconds: 120 };

const rows: readonly Row[] = [
  {
    title: 'a node dies between stop and start of its replica',
    change: 'reconfigure',
    at: 'start:before:2',
    fault: powerLoss,
    expected: { ...keepalive, outcome: 'lost' },
    sample: true,
  },
  {
    title: 'a node dies between create and stop of its replica',
    change: 'reconfigure',
    at: 'stop:before:2',
    fault: powerLoss,
    expected: { ...keepalive, outcome: 'lost' },
  },
  {
    title: 'a node dies when its replica was just started',
    change: 'upgrade',
    at: 'start:after:2',
    fault: powerLoss,
    expected: { ...keepalive, outcome: 'lost' },
  },
  ...['pull:before:2', 'create:before:2', 'start:before:2', 'healthy:before:2'].map((at) => ({
    title: `the engine of a node is killed during ${at.replace(/:.*/, '')}`,
    change: 'upgrade' as const,
    at,
    fault: engineDies,
    expected: { ...atOnce, outcome: 'lost' as const },
    sample: false,
  })),
  ...['pull:before:2', 'create:before:2', 'start:before:2'].map((at) => ({
    title: `the engine of a node is restarted during ${at.replace(/:.*/, '')}`,
    change: 'upgrade' as const,
    at,
    fault: engineRestarts,
    expected: { ...atOnce, outcome: 'lost' as const },
    sample: false,
  })),
  {
    title: 'the engine of a node is restarted during the health check',
    change: 'reconfigure',
    at: 'healthy:before:2',
    fault: engineRestartsAmidHealth,
    expected: { ...atOnce, outcome: 'lost' },
    sample: true,
  },
  {
    title: 'sshd of a node is restarted',
    change: 'reconfigure',
    at: 'stop:before:2',
    fault: sshdRestarts,
    expected: { ...undisturbed, outcome: 'done' },
    sample: true,
  },
  {
    title: 'sshd of a node is restarted with all its sessions',
    change: 'reconfigure',
    at: 'stop:before:2',
    fault: sessionsEnd,
    expected: { ...atOnce, outcome: 'lost' },
  },
];

/** Without FAULTS=all a sample; FAULTS may also be a part of titles. */
const wanted = process.env.FAULTS ?? '';
const cases = rows.filter(({ title, sample }) =>
  wanted === '' ? sample === true : wanted === 'all' || title.includes(wanted),
);

describe.runIf(cases.length > 0)('nodes and their daemons that fail', () => {
  let lab: Lab;
  const turns = new Map<Row['change'], Turns>();

  beforeAll(async () => {
    lab = await deployedLab(printingReport());
  });

  afterEach(async () => {
    for (const { name } of NODES) {
      await startNode(name);
      await acceptSsh(name);
      await thawEngine(name);
      await bringNodeBack(name);
    }
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
  for (const { title, change, at, fault, expected } of cases.toSorted((a, b) => a.change.localeCompare(b.change))) {
    it(`${title}: ${expected.text}; the same command again ends as an undisturbed run`, async () => {
      const turn = await turnsOf(change);
      await turn.prepare();
      const run = new Running(lab, turn.args, { failpoint: `${at}=hang` });
      const { host } = await run.standing(at.replace(/:.*/, ''));
      const node = host as NodeName;
      const faultAt = performance.now();
      await fault(node, () => run.signal('SIGCONT'));
      const ended: Ended = await run.ended;
      const seconds = (performance.now() - faultAt) / 1000;
      let again = 'not needed';
      if (expected.outcome === 'done') expect(ended.code, ended.output).toBe(0);
      else {
        lostItsNode(run, ended, node);
        await bringNodeBack(node);
        again = await goOn(lab, turn.args);
      }
      const differences = await turn.differences();
      console.log(`${title} (${node}): exit ${ended.code} after ${seconds.toFixed(1)} s; again: ${again}`);
      expect(seconds).toBeLessThan(expected.seconds);
      expect(differences).toEqual([]);
    });
  }
});
