import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { waitFor } from './command.ts';
import { allContainers, changedContainers, deploy, inContainer, setGlobal } from './job/deploy-command.ts';
import { deployedLab } from './job/deployed.ts';
import { magnumSchema, makeTemplate, packageVersion } from './job/evidence.ts';
import { undoMagnumMigration } from './job/magnum-release.ts';
import { type JobState, mustDeploy, newMagnum, oldMagnum } from './job/main-job.ts';
import type { ClusterTemplate } from './job/openstack-client.ts';
import { printingReport } from './report.ts';
import { cloneRoot } from './settings.ts';

const upgrade = ['upgrade', '--tags', 'magnum', '--skip-tags', 'common', '--yes'];

describe('the runbooks that come with the program, on real nodes', () => {
  let state: JobState;
  let template: ClusterTemplate;
  let override: string;
  let stateHome: string;

  beforeAll(async () => {
    const report = printingReport();
    const lab = await deployedLab(report);
    stateHome = mkdtempSync(join(tmpdir(), 'deploy-state-'));
    state = { lab: { ...lab, variables: { ...lab.variables, XDG_STATE_HOME: stateHome } }, report };
    override = join(lab.files.config, 'config', 'heat', 'heat-engine.conf');
    setGlobal(lab, 'magnum_tag', oldMagnum);
    await undoMagnumMigration(lab);
    await mustDeploy(state, ...upgrade);
    rmSync(override, { force: true });
    await mustDeploy(state, 'reconfigure', '--yes');
    template = await makeTemplate(lab);
    setGlobal(lab, 'magnum_tag', newMagnum);
  });

  afterAll(async () => {
    rmSync(stateHome, { recursive: true, force: true });
    rmSync(override, { force: true });
    await deploy(state.lab, ['reconfigure', '--tags', 'heat', '--skip-tags', 'common', '--yes']);
  });

  /** Starts the runbook and kills it without warning as soon as it has said `word`. */
  async function killedAt(word: string, args: readonly string[]): Promise<string> {
    const main = join(cloneRoot(), 'dist', 'cli', 'main.js');
    const child = spawn(process.execPath, [main, ...args], { env: { ...process.env, ...state.lab.variables } });
    let said = '';
    child.stdout.on('data', (chunk: Buffer) => {
      said += chunk.toString();
    });
    const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    const heard = await waitFor(async () => said.includes(word) || child.exitCode !== null, 300_000, 20);
    child.kill('SIGKILL');
    await ended;
    if (!heard || !said.includes(word)) throw new Error(`it never said ${word}:\n${said}`);
    return said;
  }

  it('plans magnum-ahead as a whole and touches nothing', async () => {
    const before = await allContainers();
    const planned = await deploy(state.lab, ['run', 'magnum-ahead', '--plan', '-e', `template=${template.uuid}`]);
    expect(planned.code, planned.stderr).toBe(2);
    expect(planned.stdout).toMatch(/stage upgrade \(4 of 7\)[\s\S]*replace magnum_conductor on node1, node2, node3/);
    expect(changedContainers(before, await allContainers())).toEqual([]);
  });

  it('carries magnum-ahead out, goes on after a kill, and passes its gates', async () => {
    const args = ['run', 'magnum-ahead', '-e', `template=${template.uuid}`, '--yes'];
    const said = await killedAt('stop magnum_conductor and set it aside: done', args);
    expect(said).toContain('stage upgrade (4 of 7)');
    const before = await allContainers();
    const ran = await deploy(state.lab, args);
    state.report.line(`${ran.command} after a kill → ${ran.code} in ${ran.seconds.toFixed(1)} s`);
    expect(ran.code, ran.stdout + ran.stderr).toBe(0);
    expect(ran.stdout + ran.stderr).toContain('stages build, pull, precheck were finished by an earlier run');
    expect(ran.stdout).toContain(`cluster template ${template.uuid} is there`);
    expect(await magnumSchema(state.lab)).toBe('c0f832afc4fd');
    expect(new Set(await packageVersion('magnum_api', 'magnum-common')).size).toBe(1);
    const changed = changedContainers(before, await allContainers());
    expect(changed.filter((key) => !/\/magnum_(api|conductor)/.test(key))).toEqual([]);
    expect([...(await allContainers()).keys()].filter((key) => key.includes('__'))).toEqual([]);
  });

  it('carries an edit out with config-reconcile once its pause is approved, and nothing else', async () => {
    mkdirSync(join(override, '..'), { recursive: true });
    writeFileSync(override, '[DEFAULT]\nmax_resources_per_stack = 1234\n');
    const before = await allContainers();
    const args = ['run', 'config-reconcile', '-e', 'services=heat_engine', '--yes'];
    const asked = await deploy(state.lab, args);
    expect(asked.code, asked.stdout + asked.stderr).toBe(3);
    expect(asked.stderr).toContain('--approve apply');
    expect(changedContainers(before, await allContainers())).toEqual([]);
    const ran = await deploy(state.lab, [...args, '--approve', 'apply']);
    state.report.line(`${ran.command} → ${ran.code} in ${ran.seconds.toFixed(1)} s`);
    expect(ran.code, ran.stdout + ran.stderr).toBe(0);
    expect(ran.stdout).toContain('override file config/heat/heat-engine.conf');
    expect(changedContainers(before, await allContainers())).toEqual(
      ['node1', 'node2', 'node3'].map((node) => `${node}/heat_engine`),
    );
    expect(await inContainer('node2', 'heat_engine', 'cat /etc/heat/heat.conf')).toContain(
      'max_resources_per_stack = 1234',
    );
  });

  it('keeps no record of a runbook that was finished', () => {
    expect(readdirSync(join(stateHome, 'deploy', 'runbooks'))).toEqual([]);
  });
});
