import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { bringNodeBack, killNode, nodeRuns } from './faults.ts';
import { deploy } from './job/deploy-command.ts';
import { databaseLab } from './job/deployed.ts';
import { deaths } from './job/galera-deaths.ts';
import { Running } from './job/running.ts';
import { forgetView, killAll, onNode, recover, recovered, survive, turned } from './job/survival.ts';
import type { Lab } from './raise.ts';
import { printingReport } from './report.ts';
import { NODES } from './settings.ts';

/** How often each disaster is brought about. */
const runs = Number(process.env.GALERA_RUNS ?? 1);

interface Disaster {
  readonly title: string;
  readonly strike: (run: number) => Promise<void>;
  /** Not in a single run: what it shows of a decision another one shows too. */
  readonly counted?: true;
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
    counted: true,
    strike: async (run) => {
      const gone = turned(run).slice(0, 2);
      await Promise.all(gone.map(({ name }) => onNode(name, 'docker kill mariadb && docker rm mariadb')));
    },
  },
  {
    title: 'two of three nodes lose power',
    strike: async (run) => {
      const off = turned(run).slice(0, 2);
      await Promise.all(off.map(({ name }) => killNode(name)));
    },
    before: async (lab) => {
      // The one that is left must not go on alone: those that are off may have more.
      const unasked = await deploy(lab, recover);
      expect(unasked.code, unasked.stdout + unasked.stderr).toBe(4);
      await Promise.all(NODES.map(({ name }) => bringNodeBack(name, ['mariadb'])));
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

describe('a Galera cluster comes back without losing a commit', () => {
  let lab: Lab;

  beforeAll(async () => {
    lab = await databaseLab(printingReport());
  });

  afterEach(async () => {
    // Whatever a failure left; the next disaster begins with a whole cluster.
    for (const { name } of NODES) if (!(await nodeRuns(name))) await bringNodeBack(name);
    const check = await deploy(lab, ['mariadb', 'check']);
    if (check.code !== 0) await deploy(lab, recover);
  });

  for (const [number, { title, strike, before, counted }] of disasters.entries()) {
    for (let run = 0; run < runs; run++) {
      it.skipIf(counted && runs === 1)(`${title}${runs > 1 ? ` (${run + 1})` : ''}`, async () => {
        await survive(
          lab,
          title,
          `d${number}`,
          () => strike(run),
          async () => {
            await before?.(lab);
            return recovered(lab);
          },
        );
      });
    }
  }

  // Another point in each run; all of them with GALERA_DEATHS=all.
  const points = process.env.GALERA_DEATHS === 'all' ? deaths : deaths.slice(0, runs);
  for (const point of points) {
    it(`its recovery is killed at ${point} and run again`, async () => {
      await survive(lab, `recovery killed at ${point}`, 'k', forgetView, async () => {
        const first = await new Running(lab, recover, { failpoint: `${point}=kill` }).ended;
        expect(first.code, first.output).toBe(-1);
        const again = await deploy(lab, recover);
        expect(again.code, again.stdout + again.stderr).toBe(0);
        return `killed after ${first.seconds.toFixed(1)} s, all Synced after ${again.seconds.toFixed(1)} s more`;
      });
    });
  }
});
