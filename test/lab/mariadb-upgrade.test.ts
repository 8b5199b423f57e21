import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bringDatabasesBack, copyDatabases } from './job/database-copy.ts';
import { underDatabaseLoad } from './job/database-load.ts';
import { deploy, inContainer } from './job/deploy-command.ts';
import { databaseLab } from './job/deployed.ts';
import { newMagnum } from './job/main-job.ts';
import { Running } from './job/running.ts';
import type { Lab } from './raise.ts';
import { printingReport } from './report.ts';
import { NODES } from './settings.ts';

const newer = ['--tags', 'mariadb', '--yes', '-e', `mariadb_tag=${newMagnum}`] as const;

/** The old version once more, in an image that says which one it is. */
const older = ['-e', 'mariadb_tag=older-debian-bookworm'] as const;

/** What each member's data directory and server say. */
function versions(): Promise<string[]> {
  const ask = 'cat /var/lib/mysql/mariadb_upgrade_info; mariadb --protocol=socket -N -e "SELECT VERSION()"';
  return Promise.all(NODES.map(({ name }) => inContainer(name, 'mariadb', ask)));
}

describe('MariaDB of Debian 12 becomes that of Debian 13, member by member under load', () => {
  let lab: Lab;
  let touched = false;

  beforeAll(async () => {
    lab = await databaseLab(printingReport());
    for (const tag of [newer.slice(-2), older]) {
      const built = await deploy(lab, ['build', 'mariadb', '--push', ...tag]);
      expect(built.code, built.stdout + built.stderr).toBe(0);
    }
    await copyDatabases(lab);
  });

  afterAll(async () => {
    if (touched) await bringDatabasesBack(lab);
  });

  it('also when it is killed between a start and the upgrade of its data', async () => {
    touched = true;
    const ran = await underDatabaseLoad(lab, 'upgrade', async () => {
      const first = await new Running(lab, ['upgrade', ...newer], { failpoint: 'galera-upgrade:before:2=kill' }).ended;
      expect(first.code, first.output).toBe(-1);
      const second = await deploy(lab, ['upgrade', ...newer]);
      return { ...second, stdout: `${first.output}\n${second.stdout}`, seconds: first.seconds + second.seconds };
    });
    expect(ran.code, ran.stdout + ran.stderr).toBe(0);
    // What a state transfer or a restore has brought does not say its version.
    const upgraded = [
      ...ran.stdout.matchAll(/(node\d) {2}upgrade the data of mariadb.*: done \(from (?:10|a version not noted)/g),
    ];
    expect(upgraded.map(([, host]) => host)).toEqual(['node3', 'node2', 'node1']);
    for (const said of await versions()) expect(said).toMatch(/^11\.8\.\d+-MariaDB\s+11\.8\.\d+-MariaDB/);
    const plan = await deploy(lab, ['plan', 'upgrade', ...newer.filter((word) => word !== '--yes')]);
    expect(plan.code, plan.stdout + plan.stderr).toBe(0);
  });

  it('and never the other way round', async () => {
    const back = await deploy(lab, ['upgrade', '--tags', 'mariadb', '--yes', ...older]);
    expect(back.code, back.stdout + back.stderr).toBe(4);
    expect(back.stderr).toMatch(/MariaDB 10\.11\.\d+ must not take over the data of 11\.8\.\d+: it is older/);
  });
});
