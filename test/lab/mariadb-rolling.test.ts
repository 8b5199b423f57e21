import { beforeAll, describe, expect, it } from 'vitest';
import { underDatabaseLoad } from './job/database-load.ts';
import { deploy } from './job/deploy-command.ts';
import { databaseLab } from './job/deployed.ts';
import { nodeExec } from './nodes.ts';
import type { Lab } from './raise.ts';
import { printingReport } from './report.ts';

const mariadb = ['--tags', 'mariadb', '--yes'] as const;

describe('members of MariaDB are replaced one after the other under load', () => {
  let lab: Lab;

  beforeAll(async () => {
    lab = await databaseLab(printingReport());
  });

  it('no commit is lost, Keystone never fails, and only what cannot move breaks', async () => {
    try {
      const ran = await underDatabaseLoad(lab, 'reconfigure', () =>
        deploy(lab, ['reconfigure', ...mariadb, '-e', 'mariadb_max_connections=9000']),
      );
      expect(ran.code, ran.stdout + ran.stderr).toBe(0);
      const replaced = [...ran.stdout.matchAll(/^ *[\d.]+s {2}(node\d) {2}stop mariadb/gm)].map(([, host]) => host);
      expect(replaced).toEqual(['node3', 'node2', 'node1']);
    } finally {
      const back = await deploy(lab, ['reconfigure', ...mariadb]);
      expect(back.code, back.stdout + back.stderr).toBe(0);
    }
  });

  it('is refused while a member is not well, before anything is changed', async () => {
    await nodeExec('node2', 'docker stop -t 60 mariadb');
    try {
      const limited = await deploy(lab, [
        'reconfigure',
        ...mariadb,
        '-e',
        'mariadb_max_connections=9000',
        '--limit',
        'node1',
      ]);
      expect(limited.code, limited.stdout + limited.stderr).toBe(4);
      expect(limited.stderr).toContain('deploy mariadb recover');
      expect(limited.stdout).not.toContain('stop mariadb');
    } finally {
      const back = await deploy(lab, ['mariadb', 'recover', '--yes', '--again']);
      expect(back.code, back.stdout + back.stderr).toBe(0);
    }
  });
});
