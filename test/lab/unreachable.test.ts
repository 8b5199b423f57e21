import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { allContainers, changedContainers, deploy } from './job/deploy-command.ts';
import { deployedLab } from './job/deployed.ts';
import type { Lab } from './raise.ts';
import { printingReport } from './report.ts';
import { SUBNET_PREFIX } from './settings.ts';

const selection = ['--tags', 'memcached', '--skip-tags', 'common'];
const change = ['reconfigure', ...selection, '-e', 'memcached_max_memory=77'];
const back = ['reconfigure', ...selection, '--yes'];

describe('a node that cannot be reached', () => {
  let whole: Lab;
  /** The same nodes, and nothing listens where the third is looked for. */
  let lab: Lab;
  let folder: string;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'deploy-unreachable-'));
    const raised = await deployedLab(printingReport());
    whole = { ...raised, variables: { ...raised.variables, XDG_STATE_HOME: folder } };
    const inventory = join(folder, 'inventory');
    const text = readFileSync(raised.files.inventory, 'utf8');
    writeFileSync(inventory, text.replace(/^node3 .*$/m, `node3 ansible_host=${SUBNET_PREFIX}13 ansible_port=2`));
    lab = { ...whole, variables: { ...whole.variables, DEPLOY_INVENTORY: inventory } };
    await deploy(whole, back);
  });

  afterAll(async () => {
    await deploy(whole, back);
    rmSync(folder, { recursive: true, force: true });
  });

  it('is named before anything is changed, and skipping it is offered', async () => {
    const before = await allContainers();
    const result = await deploy(lab, [...change, '--yes']);
    expect(result.stderr).toContain(`error: node3: cannot reach ${SUBNET_PREFIX}13 port 2: connection refused`);
    expect(result.stderr).toContain('error: nothing was changed: node3 does not answer');
    expect(result.stderr).toContain('--skip-unreachable');
    expect(result.code).toBe(4);
    expect(changedContainers(before, await allContainers())).toEqual([]);
  });

  it('counts as away', async () => {
    const before = await allContainers();
    const result = await deploy(lab, [...change, '--skip-unreachable', '--yes']);
    expect(result.stderr).toContain(
      'error: memcached: memcached on node1, node2 is not taken away while node3 cannot be reached: 2 of 3 replicas would be away, and 1 may be',
    );
    expect(result.code).toBe(4);
    const cluster = await deploy(lab, ['plan', 'stop', '--tags', 'rabbitmq', '--skip-unreachable']);
    expect(cluster.stderr).toContain('rabbitmq on node1, node2 is not touched while node3 cannot be reached');
    expect(cluster.code).toBe(4);
    expect(changedContainers(before, await allContainers())).toEqual([]);
  });

  it('is skipped where that leaves enough; the same command finishes when it is back', async () => {
    const before = await allContainers();
    const without = await deploy(lab, [
      ...change,
      '--skip-unreachable',
      '--max-unavailable',
      '2',
      '--max-fail',
      '0',
      '--yes',
    ]);
    expect(without.code, without.stderr).toBe(0);
    expect(without.stderr).toContain(
      `warning: node3: skipped: cannot reach ${SUBNET_PREFIX}13 port 2: connection refused`,
    );
    expect(without.stderr.trimEnd()).toMatch(
      /warning: node3: was skipped: nothing was done there\n {4}run the same command again when it is back$/,
    );
    const during = await allContainers();
    expect(changedContainers(before, during).sort()).toEqual(['node1/memcached', 'node2/memcached']);
    expect((await deploy(lab, ['history'])).stdout).toContain('done, without node3');
    expect((await deploy(lab, ['show'])).stdout).toContain(`without node3: cannot reach ${SUBNET_PREFIX}13 port 2`);
    const again = await deploy(whole, [...change, '--yes']);
    expect(again.code, again.stderr).toBe(0);
    expect(changedContainers(during, await allContainers())).toEqual(['node3/memcached']);
  });
});
