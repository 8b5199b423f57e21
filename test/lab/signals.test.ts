import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { waitFor } from './command.ts';
import { allContainers, changedContainers, deploy } from './job/deploy-command.ts';
import { deployedLab } from './job/deployed.ts';
import { nodeExec } from './nodes.ts';
import type { Lab } from './raise.ts';
import { printingReport } from './report.ts';
import { cloneRoot } from './settings.ts';

const selected = ['--tags', 'heat_api_cfn', '--skip-tags', 'common', '--yes'];
const back = ['reconfigure', ...selected];

/** Each differs from what the one before left, so that there is always something to do. */
function changeTo(workers: number): string[] {
  return ['reconfigure', ...selected, '-e', `heat_api_cfn_workers=${workers}`];
}

interface Running {
  readonly child: ChildProcess;
  readonly ended: Promise<number | null>;
  out(): string;
  err(): string;
}

describe('a run on real nodes that is told to stop', () => {
  let lab: Lab;
  let state: string;

  beforeAll(async () => {
    state = mkdtempSync(join(tmpdir(), 'deploy-state-'));
    const raised = await deployedLab(printingReport());
    lab = { ...raised, variables: { ...raised.variables, XDG_STATE_HOME: state } };
    await deploy(lab, back);
  });

  afterAll(async () => {
    await deploy(lab, back);
    rmSync(state, { recursive: true, force: true });
  });

  function begin(args: readonly string[], failpoint = ''): Running {
    const main = join(cloneRoot(), 'dist', 'cli', 'main.js');
    const testing = failpoint === '' ? {} : { DEPLOY_TEST: '1', DEPLOY_FAILPOINT: failpoint };
    const child = spawn(process.execPath, [main, ...args], { env: { ...process.env, ...lab.variables, ...testing } });
    const said = { out: '', err: '' };
    child.stdout.on('data', (chunk: Buffer) => {
      said.out += chunk.toString();
    });
    child.stderr.on('data', (chunk: Buffer) => {
      said.err += chunk.toString();
    });
    const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
    return { child, ended, out: () => said.out, err: () => said.err };
  }

  async function drained({ out, err }: Running): Promise<void> {
    const seen = await waitFor(async () => /drain heat_api_cfn in 3 load balancers: done/.test(out()), 60_000, 50);
    expect(seen, out() + err()).toBe(true);
  }

  async function notRunning(): Promise<string[]> {
    return [...(await allContainers())].flatMap(([name, { running }]) => (running ? [] : [name]));
  }

  const ofNode = async () => (await deploy(lab, ['history', '--node', 'node1', '--last', '3'])).stdout;

  it('brings the replica back, lets go of the locks, and the command it names finishes the job', async () => {
    const before = await allContainers();
    const run = begin(changeTo(2));
    await drained(run);
    run.child.kill('SIGINT');
    expect(await run.ended, run.out() + run.err()).toBe(130);
    const changed = changedContainers(before, await allContainers()).map((name) => name.split('/')[1]);
    // The old one is removed by the next run, which first sees that the new one serves.
    expect(changed).toEqual(['heat_api_cfn', 'heat_api_cfn__previous']);
    expect((await notRunning()).map((name) => name.split('/')[1])).toEqual(['heat_api_cfn__previous']);
    const name = /to go on: deploy resume (\S+)/.exec(run.err())?.[1] ?? '';
    expect(await ofNode()).toMatch(
      new RegExp(`^${name} {2}interrupted {2}20\\S+Z {2}\\S+@\\S+ {2}deploy reconfigure `),
    );
    expect((await deploy(lab, ['lock', 'status'])).stdout).not.toContain('held');
    const again = await deploy(lab, ['resume', name]);
    expect(again.code, again.stdout + again.stderr).toBe(0);
    expect((await deploy(lab, ['plan', ...changeTo(2).filter((word) => word !== '--yes')])).code).toBe(0);
  });

  it('goes on to its end when nobody reads what it says', async () => {
    const run = begin(changeTo(3));
    await drained(run);
    run.child.stdout?.destroy();
    run.child.stderr?.destroy();
    expect(await run.ended).toBe(0);
    expect(await notRunning()).toEqual([]);
  });

  it('and was killed is known to its nodes as one that did not end, whose journal may be lost', async () => {
    const run = begin(changeTo(4), 'start:before:1=kill');
    await run.ended;
    expect(await ofNode()).toMatch(/^\S+ {2}did not end {2}/);
    rmSync(state, { recursive: true });
    expect((await deploy(lab, ['history'])).stdout).toBe('no run has been journaled here\n');
    const again = await deploy(lab, changeTo(4));
    expect(again.code, again.stdout + again.stderr).toBe(0);
    expect(await notRunning()).toEqual([]);
    const log = async () => (await nodeExec('node1', 'cat /etc/kolla/.deploy/runs.log')).stdout;
    const noted = await log();
    expect((await deploy(lab, changeTo(4))).stdout).toContain('nothing to do');
    expect(await log()).toBe(noted);
    expect((await nodeExec('node1', 'stat -c %a /etc/kolla/.deploy/runs.log')).stdout).toBe('600\n');
  });

  it('whose lock is broken: here and on the nodes it is known by whom', async () => {
    const run = begin(changeTo(5), 'stop:before:1=hang');
    await drained(run);
    const status = await deploy(lab, ['lock', 'status', '--json']);
    const seen = JSON.parse(status.stdout.split('\n')[0] ?? '') as {
      readonly lock: { readonly holder: { run: string } };
    };
    const name = seen.lock.holder.run;
    expect(await ofNode()).toMatch(new RegExp(`^${name} {2}goes on`));
    expect((await deploy(lab, ['lock', 'break', '--run', name])).code).toBe(0);
    run.child.kill('SIGKILL');
    await run.ended;
    expect(await ofNode()).toMatch(new RegExp(`^${name} {2}did not end .*; its lock was broken by \\S+@\\S+ at 20`));
    expect((await deploy(lab, ['history'])).stdout).toMatch(
      new RegExp(`^\\S+ {2}done .*deploy lock break --run ${name}\n`),
    );
    expect((await deploy(lab, ['show', name])).stdout).toContain('its lock was broken on node1, node2, node3 by');
    expect((await deploy(lab, ['show'])).stdout).toContain(
      `the lock of run ${name} was broken on node1, node2, node3; it was held by`,
    );
  });
});
