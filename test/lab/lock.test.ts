import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { allCommands } from '../../src/cli/commands/all.ts';
import { waitFor } from './command.ts';
import { allContainers, changedContainers, deploy } from './job/deploy-command.ts';
import { deployedLab } from './job/deployed.ts';
import type { Lab } from './raise.ts';
import { printingReport } from './report.ts';
import { cloneRoot } from './settings.ts';

const change = [
  'reconfigure',
  '--tags',
  'heat_api_cfn',
  '--skip-tags',
  'common',
  '-e',
  'heat_api_cfn_workers=2',
  '--yes',
];
const back = ['reconfigure', '--tags', 'heat_api_cfn', '--skip-tags', 'common', '--yes'];

/** How each command that changes nodes is called here; one that is missing makes a test fail. */
const calls: Readonly<Record<string, readonly string[]>> = {
  pull: ['pull', '--tags', 'heat', '--yes'],
  deploy: ['deploy', '--tags', 'heat', '--yes'],
  reconfigure: change,
  upgrade: ['upgrade', '--tags', 'heat', '--yes'],
  reconcile: ['reconcile', '--tags', 'heat', '--yes'],
  rollback: ['rollback', '--tags', 'heat_api_cfn', '--yes'],
  stop: ['stop', '--tags', 'heat_api_cfn', '--yes'],
  destroy: ['destroy', '--tags', 'heat_api_cfn', '--yes'],
  apply: ['apply', 'PLAN', '--yes'],
  mariadb: ['mariadb', 'recover', '--yes'],
  'mariadb-recovery': ['mariadb-recovery', '--yes'],
  'mariadb-backup': ['mariadb-backup', '--yes'],
  rabbitmq: ['rabbitmq', 'recover', '--yes'],
  'rabbitmq-reset-state': ['rabbitmq-reset-state', '--yes'],
  run: ['run', 'config-reconcile', '-e', 'services=heat_api_cfn', '--yes', '--approve-all', '--from', 'apply'],
};

describe('the locks of real nodes', () => {
  let lab: Lab;
  let state: string;
  let plan: string;

  beforeAll(async () => {
    state = mkdtempSync(join(tmpdir(), 'deploy-state-'));
    const raised = await deployedLab(printingReport());
    lab = { ...raised, variables: { ...raised.variables, XDG_STATE_HOME: state } };
    plan = join(state, 'saved.plan');
    await deploy(lab, [...back]);
    const saved = await deploy(lab, ['plan', ...change.slice(0, -1), '--out', plan]);
    expect(saved.code, saved.stderr).toBe(2);
  });

  afterAll(async () => {
    await deploy(lab, [...back]);
    rmSync(state, { recursive: true, force: true });
  });

  /** A run that stands still before its first `stop`, with all its locks. */
  async function holding(): Promise<{ child: ChildProcess; run: string }> {
    const main = join(cloneRoot(), 'dist', 'cli', 'main.js');
    const failpoint = { DEPLOY_TEST: '1', DEPLOY_FAILPOINT: 'stop:before:1=hang' };
    const child = spawn(process.execPath, [main, ...change], {
      env: { ...process.env, ...lab.variables, ...failpoint },
    });
    let said = '';
    child.stdout.on('data', (chunk: Buffer) => {
      said += chunk.toString();
    });
    expect(await waitFor(async () => /drain heat_api_cfn in 3 load balancers: done/.test(said), 60_000)).toBe(true);
    const status = await deploy(lab, ['lock', 'status', '--json']);
    const [first = '{}'] = status.stdout.split('\n');
    const seen = JSON.parse(first) as { readonly lock?: { readonly holder?: { readonly run: string } } };
    return { child, run: seen.lock?.holder?.run ?? '' };
  }

  async function killed(child: ChildProcess): Promise<void> {
    const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    child.kill('SIGKILL');
    await ended;
  }

  it('refuse every command that changes nodes while a run holds them, with its name, and change nothing', async () => {
    const { child, run } = await holding();
    try {
      const before = await allContainers();
      for (const { name } of allCommands.filter((command) => command.mutating)) {
        const call = calls[name]?.map((word) => (word === 'PLAN' ? plan : word));
        if (call === undefined) throw new Error(`this test does not know how to call ${name}`);
        const ran = await deploy(lab, call);
        expect(ran.code, `${name}: ${ran.stdout}${ran.stderr}`).toBe(5);
        expect(ran.stderr).toContain(`run ${run}`);
        expect(ran.stderr).toMatch(/deploy reconfigure --tags heat_api_cfn .*-e … --yes/);
      }
      expect(changedContainers(before, await allContainers())).toEqual([]);
    } finally {
      await killed(child);
    }
  });

  it('are free within a second of the death of their run, whose successor says so and finishes the job', async () => {
    const { child, run } = await holding();
    await killed(child);
    const died = performance.now();
    const free = async () => !(await deploy(lab, ['lock', 'status'])).stdout.includes('held');
    expect(await waitFor(free, 5_000, 50)).toBe(true);
    // Asking costs most of it: a whole command with three connections.
    expect(performance.now() - died).toBeLessThan(2_000);
    const next = await deploy(lab, ['resume']);
    expect(next.code, next.stdout + next.stderr).toBe(0);
    expect(next.stderr).toContain(`run ${run}`);
    expect(next.stderr).toContain('did not end by itself');
    const planned = await deploy(lab, ['plan', ...change.slice(0, -1)]);
    expect(planned.code, planned.stdout).toBe(0);
  });

  it('can be waited for, and broken by name', async () => {
    await deploy(lab, [...back]);
    const { child, run } = await holding();
    const waiting = deploy(lab, [...change, '--lock-wait', '60s']);
    const broken = await deploy(lab, ['lock', 'break', '--run', run]);
    expect(broken.code, broken.stderr).toBe(0);
    expect(broken.stdout).toContain('node1, node2, node3');
    const waited = await waiting;
    expect(waited.code, waited.stdout + waited.stderr).toBe(0);
    await killed(child);
  });

  it('are journaled: history and show tell what became of each run', async () => {
    const history = await deploy(lab, ['history']);
    expect(history.stdout).toMatch(/not ended {2,}of \d+ steps/);
    expect(history.stdout).toMatch(/done {2,}\d+ of \d+ steps/);
    const unfinished = /^(\S+) +not ended/m.exec(history.stdout)?.[1] ?? '';
    const shown = await deploy(lab, ['show', unfinished]);
    expect(shown.stdout).toContain('stop heat_api_cfn and set it aside: begun, and not ended');
  });
});
