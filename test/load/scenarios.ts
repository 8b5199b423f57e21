import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { LabError } from '../lab/command.ts';
import { password } from '../lab/job/deploy-command.ts';
import { magnumSchema } from '../lab/job/evidence.ts';
import { newMagnum, oldMagnum } from '../lab/job/main-job.ts';
import { nodeExec } from '../lab/nodes.ts';
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

/** What the migration to the new release adds, as it is in its schema. */
const migrated = { to: 'c0f832afc4fd', from: '7da8489d6a68' };
const undoMigration = `ALTER TABLE magnum.cluster_template DROP COLUMN driver; UPDATE magnum.alembic_version SET version_num='${migrated.from}'`;

/**
 * Magnum at its old release with the old schema, so that the next upgrade is a whole one. The old release has no way
 * back of its own: its migration program does not know the new schema.
 */
async function backToOldMagnum(lab: Lab, deploy: RunDeploy): Promise<void> {
  if ((await magnumSchema(lab)) === migrated.to) {
    const client = `docker exec -i mariadb sh -c 'MYSQL_PWD="$(cat)" mariadb -h 172.31.77.11 -u root -e "${undoMigration}"'`;
    const undone = await nodeExec('node1', client, { input: password(lab, 'database_password') });
    if (undone.code !== 0) throw new LabError(`cannot undo the migration of Magnum: ${undone.stderr.trim()}`);
  }
  await deploy([...magnum, '-e', `magnum_tag=${oldMagnum}`]);
}

/** The release the lab's own globals.yml asks for. */
function wantsOldMagnum(lab: Lab): boolean {
  const globals = readFileSync(join(lab.files.config, 'globals.yml'), 'utf8');
  return !globals.includes(`magnum_tag: ${newMagnum}`);
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
  haproxy: toggled("a change of HAProxy's own configuration", 'loadbalancer', 'haproxy_client_timeout=2m'),
} as const satisfies Record<string, Scenario>;

export type ScenarioName = keyof typeof scenarios;
