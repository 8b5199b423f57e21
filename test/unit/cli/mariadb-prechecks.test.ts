import { beforeEach, describe, expect, it } from 'vitest';
import { upgradeProblems } from '../../../src/cli/mariadb-prechecks.ts';
import { DeployError, type Diagnostic, error, exitCode } from '../../../src/core/model/diagnostic.ts';
import type { ChangeVerb } from '../../../src/core/plan/policy.ts';
import type { Plan } from '../../../src/core/plan/steps.ts';
import type { OpenNode } from '../../../src/edge/node/node.ts';
import type { ExecResult, VolumeLook } from '../../../src/run/ports.ts';
import { noteUpgrade } from '../../sim/mariadb.ts';
import { change, copyOf, emptyWorld, observe } from '../../sim/scenario.ts';
import { must, SimulatedSite } from '../../sim/site.ts';
import type { SimulatedWorld } from '../../sim/world.ts';
import { idAt } from '../mariadb-backup/backups.ts';

const tags = { tags: ['mariadb'] };
const site = new SimulatedSite();
const deployed = emptyWorld(site);
await change(site, deployed, 'deploy', { tags: ['common', 'loadbalancer', 'mariadb'] });
for (const node of deployed.nodes.values()) {
  const container = node.containers.get('mariadb');
  if (container) noteUpgrade(node, container);
}

const now = 1_000_000;
const hour = 3600;
const room = '/dev/vda1 41152736 20000000 21152736 49% /var/lib/mysql\n3145728\t/var/lib/mysql\n';

let world: SimulatedWorld;
/** What a member's container says of its disk. */
let rooms: Map<string, () => ExecResult>;
/** Ages of the backups of a host in hours; undefined where they cannot be listed. */
let backups: Map<string, readonly number[] | undefined>;
/** What the image says of itself. */
let inImage: string | undefined;

beforeEach(() => {
  world = copyOf(deployed);
  rooms = new Map();
  backups = new Map([['node3', [5]]]);
  inImage = '1:11.8.6-0+deb13u1\n';
});

function backupVolume(host: string, files: readonly string[]): VolumeLook | undefined {
  if (!backups.has(host)) return undefined;
  const ages = backups.get(host);
  const entries = ages?.map((_, i) => idAt(i));
  const facts = (age: number) => `kind=full\nsize=1\ndata_size=1\nfinished=${now - age * hour}\n`;
  const texts = (ages ?? []).map((age, i) => [`${idAt(i)}/facts`, facts(age)] as const);
  return {
    mountpoint: '/backup',
    entries,
    now: ages && now,
    texts: new Map(texts.filter(([file]) => files.includes(file))),
  };
}

function nodesOf(): ReadonlyMap<string, OpenNode> {
  return new Map(
    [...world.nodes].map(([host, node]) => {
      const exec = async (name: string, argv: readonly string[]) => {
        if (!argv.some((arg) => arg.includes('df -Pk'))) return node.exec(name, argv);
        return rooms.get(host)?.() ?? { code: 0, stdout: room, stderr: '' };
      };
      const readVolume = async (name: string, files: readonly string[]) =>
        name === 'mariadb_backup' ? backupVolume(host, files) : node.readVolume(name, files);
      return [host, { host, exec, readVolume } as unknown as OpenNode];
    }),
  );
}

/** What stands against a plan, most of it an upgrade of all members. */
async function problems(
  globals = '',
  only: (plan: Plan) => Plan = (plan) => plan,
  verb: ChangeVerb = 'upgrade',
): Promise<readonly Diagnostic[]> {
  const wanted = new SimulatedSite({ globals: `mariadb_tag: other\n${globals}` });
  const observed = observe(world);
  const plan = only(must(wanted.plan(verb, observed, tags)));
  const seen = { loaded: wanted.loaded, desired: wanted.desired(tags).desired, observed, nodes: nodesOf() };
  return upgradeProblems(plan, seen, async () => ({ smallFile: async () => inImage }));
}

function words(found: readonly Diagnostic[]): string[] {
  return found.map(({ severity, host, message }) => `${severity} ${host ?? '-'} ${message}`);
}

describe('before members get another image', () => {
  it('nothing stands against an upgrade with room and a backup, and nothing is asked without one', async () => {
    expect(await problems()).toEqual([]);
    const observed = observe(world);
    const same = new SimulatedSite({ overrides: { 'galera.cnf': '[mysqld]\nmax_connections = 5\n' } });
    const plan = must(same.plan('reconfigure', observed, tags));
    expect(plan.steps.filter(({ kind }) => kind === 'galera-check')).not.toEqual([]);
    const seen = { loaded: same.loaded, desired: same.desired(tags).desired, observed, nodes: new Map() };
    const asked = upgradeProblems(plan, seen, () => Promise.reject(new Error('the registry is asked')));
    expect(await asked).toEqual([]);
  });

  it('a version that must not take over the data is refused', async () => {
    inImage = '10.6.20\n';
    expect(words(await problems())).toEqual([
      'error - MariaDB 10.6.20 must not take over the data of 10.11.14: it is older, and there is no way back (node1, node2, node3)',
    ]);
    inImage = undefined;
    expect(words(await problems())).toEqual([
      expect.stringMatching(/^error - \S+:other does not say which version of MariaDB it holds/),
    ]);
    expect(await problems('mariadb_image_version: 11.8.6\n')).toEqual([]);
  });

  it('a full disk is refused, of the host whose it is', async () => {
    const stdout = room.replace('21152736', '1024');
    rooms.set('node2', () => ({ code: 0, stdout, stderr: '' }));
    expect(words(await problems())).toEqual([
      'error node2 no space left for an upgrade of the database: 1 MiB are free where its data lies, 512 are needed',
    ]);
  });

  it('a disk that cannot be looked at is told, and is no reason to refuse', async () => {
    rooms.set('node1', () => ({
      code: 127,
      stdout: '3145728\t/var/lib/mysql\n',
      stderr: '/bin/sh: 1: df: not found\n',
    }));
    rooms.set('node2', () => {
      const late = error('timeout', 'run /bin/sh in the container mariadb did not finish within 60 s');
      throw new DeployError([late], exitCode.nodeNotUsable);
    });
    world.nodes.get('node3')?.containers.forEach((container, name) => {
      if (name === 'mariadb') container.state = 'exited';
    });
    const unknown = 'nobody knows whether there is room for an upgrade of the database';
    expect(words(await problems())).toEqual([
      `warning node1 ${unknown}: /bin/sh: 1: df: not found`,
      `warning node2 ${unknown}: run /bin/sh in the container mariadb did not finish within 60 s`,
      `warning node3 ${unknown}: mariadb does not run`,
    ]);
  });

  it('a node that is lost meanwhile is no disk that cannot be looked at', async () => {
    const lost = new DeployError([error('connection-lost', 'the SSH connection was lost')], exitCode.nodeNotUsable);
    rooms.set('node2', () => {
      throw lost;
    });
    await expect(problems()).rejects.toBe(lost);
  });

  it('the newest backup must be as young as is wanted', async () => {
    expect(await problems('mariadb_backup_wanted_hours: 5\n')).toEqual([]);
    expect(words(await problems('mariadb_backup_wanted_hours: 4\n'))).toEqual([
      expect.stringContaining('error - the newest backup of the database is 5 hours old'),
    ]);
    backups.clear();
    expect(words(await problems())).toEqual([expect.stringContaining('warning - there is no backup of the database')]);
  });

  it('a backup of a member that has the image already is one', async () => {
    const last = (plan: Plan) => ({ ...plan, steps: plan.steps.filter(({ host }) => host === 'node1') });
    expect(await problems('mariadb_backup_wanted_hours: 5\n', last)).toEqual([]);
  });

  it('backups that cannot be read are told', async () => {
    backups.set('node2', undefined);
    expect(words(await problems('mariadb_backup_wanted_hours: 5\n'))).toEqual([
      'warning node2 the volume mariadb_backup could not be listed',
    ]);
    backups.delete('node3');
    expect(words(await problems('mariadb_backup_wanted_hours: 5\n'))).toEqual([
      'warning node2 the volume mariadb_backup could not be listed',
      expect.stringContaining('error - there is no backup of the database'),
    ]);
  });

  it('data of which nobody tells the version is refused, unless another member runs that image', async () => {
    loseContainer();
    expect(words((await problems()).filter(({ severity }) => severity === 'error'))).toEqual([
      'error node3 nobody tells which version the data of MariaDB is of',
    ]);
    world = copyOf(deployed);
    await change(new SimulatedSite({ globals: 'mariadb_tag: other\n' }), world, 'upgrade', tags);
    loseContainer();
    expect(words(await problems('', (plan) => plan, 'deploy'))).toEqual([
      expect.stringMatching(/^warning node3 .*mariadb does not run$/),
    ]);
  });
});

/** What a state transfer brought tells no version, and nobody has noted the image. */
function loseContainer(): void {
  const node = world.nodes.get('node3');
  node?.containers.delete('mariadb');
  node?.markers.delete('generation.mariadb');
  node?.files.delete('/volumes/mariadb/mariadb_upgrade_info');
}
