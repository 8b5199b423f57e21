import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Commits } from './job/commits.ts';
import { deploy } from './job/deploy-command.ts';
import { databaseLab } from './job/deployed.ts';
import { Running } from './job/running.ts';
import { nodeExec } from './nodes.ts';
import type { Lab } from './raise.ts';
import { printingReport } from './report.ts';
import { NODES, type NodeName } from './settings.ts';

/** How often each disaster is brought about. */
const runs = Number(process.env.GALERA_RUNS ?? 1);

const recover = ['mariadb', 'recover', '--yes', '--again'] as const;

async function onNode(node: NodeName, command: string): Promise<string> {
  const result = await nodeExec(node, command);
  if (result.code !== 0) throw new Error(`${node}: ${command}: ${result.stderr}`);
  return result.stdout.trim();
}

function everywhere(command: string): Promise<string[]> {
  return Promise.all(NODES.map(({ name }) => onNode(name, command)));
}

/** Where the volume of the database lies on a node. */
const data = '/var/lib/docker/volumes/mariadb/_data';

/** All servers end at once, in the middle of whatever they do. */
async function killAll(): Promise<void> {
  await everywhere('docker kill mariadb');
}

interface Disaster {
  readonly title: string;
  readonly strike: (run: number) => Promise<void>;
  /** What must hold before anything is brought back. */
  readonly before?: (lab: Lab) => Promise<void>;
}

const disasters: readonly Disaster[] = [
  { title: 'all members are killed at once', strike: killAll },
  {
    title: 'all members are stopped in order',
    strike: async (run) => {
      for (const { name } of turned(run)) await onNode(name, 'docker stop -t 60 mariadb');
    },
  },
  {
    title: 'all members are killed at once and have forgotten their last view',
    strike: forgetView,
    // The disaster before has formed the cluster a moment ago.
    before: async (lab) => {
      const unasked = await deploy(lab, ['mariadb', 'recover', '--yes']);
      expect(unasked.code, unasked.stdout + unasked.stderr).toBe(4);
      expect(unasked.stderr).toContain('--again');
    },
  },
  {
    title: 'a majority is killed and its containers are removed',
    strike: async (run) => {
      const gone = turned(run).slice(0, 2);
      await Promise.all(gone.map(({ name }) => onNode(name, 'docker kill mariadb && docker rm mariadb')));
    },
  },
  {
    title: 'one member loses its data',
    strike: async () => {
      await onNode('node3', 'docker rm -f mariadb && docker volume rm mariadb');
    },
    before: async (lab) => {
      const status = await deploy(lab, ['mariadb', 'status']);
      expect(status.code, status.stderr).toBe(0);
      expect(status.stdout).toMatch(/^node3 +missing +.*no data/m);
      const check = await deploy(lab, ['mariadb', 'check']);
      expect(check.code, check.stdout).toBe(1);
      expect(check.stderr).toContain('node3: it has no container');
      // Looking has made nothing.
      expect((await onNode('node3', 'docker volume ls -q')).split('\n')).not.toContain('mariadb');
    },
  },
];

/** Galera cannot form the component again by itself: somebody has to decide. */
async function forgetView(): Promise<void> {
  await killAll();
  await everywhere(`rm -f ${data}/gvwstate.dat`);
}

/** The nodes, another one first each time. */
function turned(run: number) {
  return [...NODES.slice(run % NODES.length), ...NODES.slice(0, run % NODES.length)];
}

/** Where a recovery is killed, by kind and number of the step; the most interesting one first. */
const deaths = [
  'start:after:2',
  'galera-position:after:2',
  'galera-state:after:1',
  'create:after:1',
  'start:before:1',
  'start:after:1',
  'healthy:before:1',
  'galera-synced:before:1',
  'galera-synced:after:1',
  'galera-synced:before:3',
  'galera-check:before:1',
  'stop:after:1',
  'start:before:4',
  'healthy:before:2',
] as const;

describe('a Galera cluster comes back without losing a commit', () => {
  let lab: Lab;

  beforeAll(async () => {
    lab = await databaseLab(printingReport());
  });

  afterEach(async () => {
    // Whatever a failure left; the next disaster begins with a whole cluster.
    const check = await deploy(lab, ['mariadb', 'check']);
    if (check.code !== 0) await deploy(lab, recover);
  });

  /** A disaster under load, what brings the cluster back, and what must hold then. */
  async function survive(title: string, name: string, strike: () => Promise<void>, back: () => Promise<string>) {
    expect((await deploy(lab, ['mariadb', 'check'])).code).toBe(0);
    const commits = new Commits(lab, `${name}-${Date.now()}`);
    await commits.start();
    try {
      await strike();
      const said = await back();
      await commits.reach(50);
      await commits.stop();
      const lost = await commits.lost();
      const { length } = commits.acknowledged;
      const pause = commits.longestPause().toFixed(1);
      console.log(`${title}: ${said}, no commit for ${pause} s, ${length} acknowledged, lost ${Object.values(lost)}`);
      expect(lost).toEqual({ node1: 0, node2: 0, node3: 0 });
      await isWhole();
    } finally {
      await commits.stop();
    }
  }

  /** Every member is Synced, in its lasting form, and nothing is left over. */
  async function isWhole(): Promise<void> {
    const check = await deploy(lab, ['mariadb', 'check']);
    expect(check.code, check.stderr).toBe(0);
    const flagged = await everywhere("docker inspect -f '{{.Config.Env}}' mariadb | grep -c BOOTSTRAP_ARGS || true");
    expect(flagged).toEqual(['0', '0', '0']);
    const plan = await deploy(lab, ['plan', 'reconfigure', '--tags', 'mariadb']);
    expect(plan.code, plan.stdout + plan.stderr).toBe(0);
  }

  for (const [number, { title, strike, before }] of disasters.entries()) {
    for (let run = 0; run < runs; run++) {
      it(`${title}${runs > 1 ? ` (${run + 1})` : ''}`, async () => {
        await survive(
          title,
          `d${number}`,
          () => strike(run),
          async () => {
            await before?.(lab);
            const ran = await deploy(lab, recover);
            expect(ran.code, ran.stdout + ran.stderr).toBe(0);
            return `all Synced after ${ran.seconds.toFixed(1)} s`;
          },
        );
      });
    }
  }

  // Another point in each run; all of them with GALERA_DEATHS=all.
  const points = process.env.GALERA_DEATHS === 'all' ? deaths : deaths.slice(0, runs);
  for (const point of points) {
    it(`its recovery is killed at ${point} and run again`, async () => {
      await survive(`recovery killed at ${point}`, 'k', forgetView, async () => {
        const first = await new Running(lab, recover, { failpoint: `${point}=kill` }).ended;
        expect(first.code, first.output).toBe(-1);
        const again = await deploy(lab, recover);
        expect(again.code, again.stdout + again.stderr).toBe(0);
        return `killed after ${first.seconds.toFixed(1)} s, all Synced after ${again.seconds.toFixed(1)} s more`;
      });
    });
  }
});
