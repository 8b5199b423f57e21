import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
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
  /** Clients find no writer meanwhile. */
  readonly down: boolean;
}

const disasters: readonly Disaster[] = [
  { title: 'all members are killed at once', strike: killAll, down: true },
  {
    title: 'all members are killed at once and have forgotten their last view',
    strike: async () => {
      await killAll();
      await everywhere(`rm -f ${data}/gvwstate.dat`);
    },
    down: true,
  },
  {
    title: 'all members are stopped in order',
    strike: async (run) => {
      for (const { name } of turned(run)) await onNode(name, 'docker stop -t 60 mariadb');
    },
    down: true,
  },
  {
    title: 'a majority is killed and its containers are removed',
    strike: async (run) => {
      const gone = turned(run).slice(0, 2);
      await Promise.all(gone.map(({ name }) => onNode(name, 'docker kill mariadb && docker rm mariadb')));
    },
    down: true,
  },
  {
    title: 'one member loses its data',
    strike: async (run) => {
      const [lost] = turned(run + 1);
      if (lost) await onNode(lost.name, 'docker rm -f mariadb && docker volume rm mariadb');
    },
    down: false,
  },
];

/** The nodes, another one first each time. */
function turned(run: number) {
  return [...NODES.slice(run % NODES.length), ...NODES.slice(0, run % NODES.length)];
}

/** Where a recovery is killed: before and after what cannot be taken back. */
const deaths = [
  'start:after:1',
  'galera-position:after:2',
  'galera-state:after:1',
  'create:after:1',
  'start:before:1',
  'healthy:before:1',
  'galera-synced:before:1',
  'galera-synced:after:1',
  'start:after:2',
  'galera-synced:before:3',
  'galera-check:before:1',
  'stop:after:1',
  'start:before:4',
  'healthy:before:2',
] as const;

describe('a Galera cluster comes back without losing a commit', () => {
  let lab: Lab;
  const figures: string[] = [];

  beforeAll(async () => {
    lab = await databaseLab(printingReport());
  });

  afterEach(async () => {
    // Whatever a failure left; the next disaster begins with a whole cluster.
    const check = await deploy(lab, ['mariadb', 'check']);
    if (check.code !== 0) await deploy(lab, recover);
  });

  afterAll(() => {
    for (const line of figures) console.log(line);
  });

  /** A disaster under load, what brings the cluster back, and what must hold then. */
  async function survive(title: string, name: string, strike: () => Promise<void>, back: () => Promise<string>) {
    expect((await deploy(lab, ['mariadb', 'check'])).code).toBe(0);
    const commits = new Commits(lab, name);
    await commits.start();
    try {
      await strike();
      const started = performance.now();
      const said = await back();
      const seconds = (performance.now() - started) / 1000;
      await commits.reach(50);
      const pause = commits.longestPause();
      await commits.stop();
      const lost = await commits.lost();
      figures.push(
        `${title}: ${said}, ${seconds.toFixed(1)} s until all Synced, no commit for ${pause.toFixed(1)} s, ` +
          `${commits.acknowledged.length} commits acknowledged, lost ${Object.values(lost).join('/')}`,
      );
      console.log(figures.at(-1));
      expect(lost).toEqual({ node1: 0, node2: 0, node3: 0 });
      const check = await deploy(lab, ['mariadb', 'check']);
      expect(check.code, check.stderr).toBe(0);
      const flagged = await everywhere("docker inspect -f '{{.Config.Env}}' mariadb | grep -c BOOTSTRAP_ARGS || true");
      expect(flagged).toEqual(['0', '0', '0']);
    } finally {
      await commits.stop();
    }
  }

  for (const [number, { title, strike }] of disasters.entries()) {
    for (let run = 0; run < runs; run++) {
      it(`${title}${runs > 1 ? ` (${run + 1})` : ''}`, async () => {
        await survive(
          title,
          `d${number}-${run}-${Date.now()}`,
          () => strike(run),
          async () => {
            const ran = await deploy(lab, recover);
            expect(ran.code, ran.stdout + ran.stderr).toBe(0);
            return `recovered in ${ran.seconds.toFixed(1)} s`;
          },
        );
      });
    }
  }

  for (let run = 0; run < Math.max(runs, 2); run++) {
    const death = deaths[(run * 5) % deaths.length] ?? deaths[0];
    const last = process.env.GALERA_DEATHS === 'all' ? deaths : [death];
    for (const point of run === 0 || last.length === 1 ? last : []) {
      it(`its recovery is killed at ${point} and run again`, async () => {
        const forget = async (): Promise<void> => {
          await killAll();
          await everywhere(`rm -f ${data}/gvwstate.dat`);
        };
        await survive(`killed at ${point}`, `k${run}-${Date.now()}`, forget, async () => {
          const first = await new Running(lab, recover, { failpoint: `${point}=kill` }).ended;
          const again = await deploy(lab, recover);
          expect(again.code, again.stdout + again.stderr).toBe(0);
          return `the first ended with ${first.code} after ${first.seconds.toFixed(1)} s, the second took ${again.seconds.toFixed(1)} s`;
        });
      });
    }
  }

  it('is not formed a second time within an hour unasked', async () => {
    await killAll();
    await everywhere(`rm -f ${data}/gvwstate.dat`);
    const first = await deploy(lab, recover);
    expect(first.code, first.stdout + first.stderr).toBe(0);
    await killAll();
    await everywhere(`rm -f ${data}/gvwstate.dat`);
    const second = await deploy(lab, ['mariadb', 'recover', '--yes']);
    expect(second.code, second.stdout + second.stderr).toBe(4);
    expect(second.stderr).toContain('--again');
    expect((await deploy(lab, recover)).code).toBe(0);
  });

  it('is only looked at by status and check', async () => {
    const volume = 'docker rm -f mariadb >/dev/null; docker volume rm mariadb >/dev/null; docker volume ls -q';
    await onNode('node3', volume);
    const status = await deploy(lab, ['mariadb', 'status']);
    expect(status.code, status.stderr).toBe(0);
    const check = await deploy(lab, ['mariadb', 'check']);
    expect(check.code).toBe(1);
    expect(check.stderr).toContain('node3: it has no container');
    expect((await onNode('node3', 'docker volume ls -q')).split('\n')).not.toContain('mariadb');
    expect((await deploy(lab, recover)).code).toBe(0);
  });
});
