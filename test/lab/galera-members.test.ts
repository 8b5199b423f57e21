import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { deploy } from './job/deploy-command.ts';
import { databaseLab } from './job/deployed.ts';
import { data, everywhere, isWhole, onNode, survive } from './job/survival.ts';
import type { Lab } from './raise.ts';
import { printingReport } from './report.ts';

/** The lab's inventory with these hosts in the group of the database. */
function inventoryOf(lab: Lab, hosts: readonly string[]): string {
  const file = join(mkdtempSync(join(tmpdir(), 'inventory-')), 'inventory');
  const text = readFileSync(lab.variables.DEPLOY_INVENTORY ?? '', 'utf8');
  const group = `[mariadb]\n${hosts.join('\n')}\n`;
  writeFileSync(file, text.replace(/^\[mariadb:children\]\ncontrol\n/m, group));
  return file;
}

async function must(lab: Lab, ...args: string[]): Promise<string> {
  const ran = await deploy(lab, args);
  expect(ran.code, `${ran.command}\n${ran.stdout}${ran.stderr}`).toBe(0);
  return ran.stdout;
}

describe('a host that is taken out of the group of the database, and comes back', () => {
  let lab: Lab;
  const change = ['reconfigure', '--tags', 'mariadb', '--yes'] as const;

  beforeAll(async () => {
    lab = await databaseLab(printingReport());
  });

  afterAll(async () => {
    await deploy(lab, [...change]);
  });

  it('leaves when those that stay know of it, keeps its data, and joins anew, with and without it', async () => {
    const smaller = inventoryOf(lab, ['node1', 'node2']);
    await survive(
      lab,
      'a member leaves and comes back',
      'm',
      async () => {
        const changed = await must(lab, ...change, '-i', smaller);
        expect(changed).toContain('left over, because the host is no longer in its group: mariadb (node3)');
        // It runs on, and is in the cluster: that is named.
        const check = await deploy(lab, ['mariadb', 'check', '-i', smaller]);
        expect(check.code, check.stdout).toBe(1);
        expect(check.stderr).toMatch(/node3 \([\d.]+\) is in the cluster, and not in the group mariadb/);
        await must(lab, ...change, '--prune', '-i', smaller);
        expect(await must(lab, 'mariadb', 'check', '-i', smaller)).toContain('all 2 members are Synced');
        expect(await onNode('node3', 'docker ps -a --format {{.Names}}')).not.toMatch(/^mariadb/m);
        // It has left in order: its position stands in its files.
        expect(await onNode('node3', `cat ${data}/grastate.dat`)).toMatch(/^seqno: +\d+$/m);
        const balanced = await everywhere('grep -h "server node" /etc/kolla/haproxy/services.d/mariadb.cfg | wc -l');
        expect(balanced).toEqual(['2', '2', '2']);
        expect(await must(lab, ...change, '--prune', '-i', smaller)).toContain('nothing to do');
      },
      async () => {
        const history = await onNode('node1', `grep ^uuid: ${data}/grastate.dat`);
        const started = performance.now();
        await must(lab, ...change);
        const kept = (performance.now() - started) / 1000;
        await isWhole(lab);
        await must(lab, ...change, '--prune', '-i', smaller);
        await onNode('node3', 'docker volume rm mariadb');
        const again = performance.now();
        await must(lab, ...change);
        const empty = (performance.now() - again) / 1000;
        // The one history of the cluster, and no other.
        expect(new Set(await everywhere(`grep ^uuid: ${data}/grastate.dat`))).toEqual(new Set([history]));
        return `back with its data after ${kept.toFixed(1)} s, without after ${empty.toFixed(1)} s`;
      },
    );
  });
});
