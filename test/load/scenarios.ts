import { undoMagnumMigration, wantsOldMagnum } from '../lab/job/magnum-release.ts';
import { newMagnum, oldMagnum } from '../lab/job/main-job.ts';
import type { Lab } from '../lab/raise.ts';

/** Runs the product with these arguments; it must succeed. */
export type RunDeploy = (args: readonly string[]) => Promise<unknown>;

/** A change that is made again and again under the load. */
export interface Scenario {
  readonly title: string;
  /** Carried out under the load in run number `run` (from 0 on). */
  change(run: number): readonly string[];
  /** Makes room for the next run, without any load. */
  before?(lab: Lab, deploy: RunDeploy): Promise<void>;
  /** Brings the lab to what its own variables say; before the first run and after the last. */
  rest(lab: Lab, deploy: RunDeploy): Promise<void>;
}

/** One variable set and, in the next run, not set again: each run is a change. */
function toggled(title: string, service: string, variable: string): Scenario {
  const plain = ['reconfigure', '--tags', service, '--skip-tags', 'common', '--yes'];
  return {
    title,
    change: (run) => (run % 2 === 0 ? [...plain, '-e', variable] : plain),
    rest: async (_lab, deploy) => {
      await deploy(plain);
    },
  };
}

const magnum = ['upgrade', '--tags', 'magnum', '--skip-tags', 'common', '--yes'];

/** Magnum at its old release with the old schema, so that the next upgrade is a whole one. */
async function backToOldMagnum(lab: Lab, deploy: RunDeploy): Promise<void> {
  await undoMagnumMigration(lab);
  await deploy([...magnum, '-e', `magnum_tag=${oldMagnum}`]);
}

export const scenarios = {
  magnum: {
    title: 'upgrade --tags magnum, release 15 to 20',
    change: () => [...magnum, '-e', `magnum_tag=${newMagnum}`],
    before: backToOldMagnum,
    rest: async (lab, deploy) => {
      if (wantsOldMagnum(lab)) await backToOldMagnum(lab, deploy);
      else await deploy(magnum);
    },
  },
  heat: toggled('reconfigure --tags heat', 'heat', 'database_connection_recycle_time=11'),
  keystone: toggled('reconfigure --tags keystone', 'keystone', 'database_connection_recycle_time=11'),
  mariadb: toggled('members of MariaDB one after the other', 'mariadb', 'mariadb_max_connections=9000'),
  rabbitmq: toggled(
    'members of RabbitMQ one after the other',
    'rabbitmq',
    '{"rabbitmq_extra_config": {"heartbeat": 61}}',
  ),
  haproxy: toggled("a change of HAProxy's own configuration", 'loadbalancer', 'haproxy_client_timeout=2m'),
} as const satisfies Record<string, Scenario>;

export type ScenarioName = keyof typeof scenarios;
