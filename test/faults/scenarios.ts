import { LabError } from '../lab/command.ts';
import { password } from '../lab/job/deploy-command.ts';
import { undoMagnumMigration, wantsOldMagnum } from '../lab/job/magnum-release.ts';
import { newMagnum, oldMagnum } from '../lab/job/main-job.ts';
import { nodeExec } from '../lab/nodes.ts';
import type { Lab } from '../lab/raise.ts';
import { nodeByName } from '../lab/settings.ts';
import type { Inside } from './inside.ts';

/** Each change leads from one end to the other and, as another change, back. */
export type End = 'there' | 'back';

export interface Scenario {
  readonly title: string;
  args(end: End): readonly string[];
  /** Before any run to that end. */
  prepare(lab: Lab, end: End): Promise<void>;
  /** Takes from the nodes what a run to that end would pull, where pulling is what it is about. */
  forget?(nodes: readonly Inside[], end: End): Promise<void>;
  /** The end that the lab's own variables ask for. */
  rest(lab: Lab): End;
  readonly replaced: readonly string[];
  readonly reloaded: readonly string[];
  /** Those of which two of three must always run, with what load balancers call them. */
  readonly apis: Readonly<Record<string, string>>;
  /** The migration that is part of it. */
  readonly oneShot?: string;
  /** What a migration may change, read from the database. */
  schema?(lab: Lab): Promise<string>;
}

function tagAt(end: End): string {
  return end === 'there' ? newMagnum : oldMagnum;
}

const magnum: Scenario = {
  title: 'upgrade --tags magnum, from release 15 to 20, and back to the images of 15',
  args: (end) => ['upgrade', '--tags', 'magnum', '--skip-tags', 'common', '-e', `magnum_tag=${tagAt(end)}`, '--yes'],
  prepare: async (lab, end) => {
    if (end === 'back') await undoMagnumMigration(lab);
  },
  forget: async (nodes, end) => {
    const tag = tagAt(end);
    for (const { engine } of nodes) {
      const names = (await engine.listImages()).flatMap(({ RepoTags }) => RepoTags ?? []);
      for (const name of names.filter((one) => one.endsWith(`:${tag}`) && one.includes('/magnum-'))) {
        await engine.getImage(name).remove();
      }
    }
  },
  rest: (lab) => (wantsOldMagnum(lab) ? 'back' : 'there'),
  replaced: ['magnum_conductor', 'magnum_api'],
  reloaded: [],
  apis: { magnum_api: 'magnum_api_back' },
  oneShot: 'bootstrap_magnum',
  schema: magnumTables,
};

const reconfigure: Scenario = {
  title: 'reconfigure of Heat, Keystone and the load balancer',
  args: (end) => [
    ...['reconfigure', '--tags', 'heat,keystone,loadbalancer', '--skip-tags', 'common', '--yes'],
    // One container of Heat: the graceful stop of each engine takes ten seconds and teaches nothing new.
    ...(end === 'there'
      ? ['heat_api_workers=2', 'fernet_token_expiry=86300', 'haproxy_client_timeout=2m']
      : []
    ).flatMap((variable) => ['-e', variable]),
  ],
  prepare: async () => undefined,
  rest: () => 'back',
  replaced: ['keystone', 'heat_api'],
  reloaded: ['haproxy'],
  apis: { keystone: 'keystone_internal_back', heat_api: 'heat_api_back', heat_api_cfn: 'heat_api_cfn_back' },
};

export const scenarios = { magnum, reconfigure } as const satisfies Record<string, Scenario>;

export type ScenarioName = keyof typeof scenarios;

/** Revision of Magnum's schema and all its columns. */
async function magnumTables(lab: Lab): Promise<string> {
  const query =
    'SELECT version_num FROM magnum.alembic_version; SET SESSION group_concat_max_len = 1000000; SELECT MD5(GROUP_CONCAT(' +
    'table_name, column_name, column_type, is_nullable ORDER BY table_name, column_name)) FROM ' +
    "information_schema.columns WHERE table_schema = 'magnum';";
  const client =
    'docker exec -i mariadb sh -c \'IFS= read -r MYSQL_PWD && export MYSQL_PWD && mariadb -N -h "$0" -u root\' ' +
    nodeByName('node1').address;
  const result = await nodeExec('node1', client, { input: `${password(lab, 'database_password')}\n${query}\n` });
  if (result.code !== 0) throw new LabError(`cannot read Magnum's schema: ${result.stderr.trim()}`);
  return result.stdout.trim().split('\n').join(' ');
}
