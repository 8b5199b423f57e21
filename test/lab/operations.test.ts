import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { allContainers, changedContainers, deploy, inContainer, type Ran, setGlobal } from './job/deploy-command.ts';
import { deployedLab } from './job/deployed.ts';
import { nodeExec } from './nodes.ts';
import type { Lab } from './raise.ts';
import { printingReport } from './report.ts';

const cfn = ['--tags', 'heat_api_cfn', '--skip-tags', 'common'];
const three = ['node1', 'node2', 'node3'].map((node) => `${node}/heat_api_cfn`);

/** What operators do beside the main job, each once on real nodes, with the smallest service there is. */
describe('daily operations', () => {
  let lab: Lab;
  let folder: string;
  let override: string;
  let hooks: string;

  beforeAll(async () => {
    const raised = await deployedLab(printingReport());
    folder = mkdtempSync(join(tmpdir(), 'deploy-operations-'));
    lab = { ...raised, variables: { ...raised.variables, XDG_STATE_HOME: folder } };
    override = join(lab.files.config, 'config', 'heat', 'heat-api-cfn.conf');
    hooks = join(lab.files.config, 'hooks');
    await clean();
  });

  afterAll(async () => {
    await clean();
    rmSync(folder, { recursive: true, force: true });
  });

  async function clean(): Promise<void> {
    rmSync(override, { force: true });
    rmSync(hooks, { recursive: true, force: true });
    await must('reconfigure', ...cfn, '--yes');
  }

  async function must(...args: string[]): Promise<Ran> {
    const ran = await deploy(lab, args);
    expect(ran.code, `${ran.command}: ${ran.stdout}${ran.stderr}`).toBe(0);
    return ran;
  }

  function tune(value: number): void {
    mkdirSync(join(override, '..'), { recursive: true });
    writeFileSync(override, `[DEFAULT]\nmax_resources_per_stack = ${value}\n`);
  }

  const configured = (): Promise<string> => inContainer('node3', 'heat_api_cfn', 'cat /etc/heat/heat.conf');

  it('says what would change in which file, because of what', async () => {
    tune(101);
    const planned = await deploy(lab, ['plan', 'reconfigure', ...cfn]);
    expect(planned.code, planned.stderr).toBe(2);
    expect(planned.stdout).toContain('override file config/heat/heat-api-cfn.conf');
    expect(planned.stdout).toMatch(
      /replace heat_api_cfn on node1, node2, node3, one after another: config heat\.conf \[DEFAULT\] max_resources_per_stack = 101 added; 1 of 3 replicas away, none below 2/,
    );
    expect(planned.stdout).toMatch(/^ +\+ *max_resources_per_stack = 101$/m);
    const again = await deploy(lab, ['plan', 'reconfigure', ...cfn]);
    expect(again.stdout).toBe(planned.stdout);
  });

  it('carries out a saved plan, and refuses one that was overtaken', async () => {
    const file = join(folder, 'tuned.plan');
    expect((await deploy(lab, ['plan', 'reconfigure', ...cfn, '--out', file])).code).toBe(2);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    tune(102);
    const overtaken = await deploy(lab, ['apply', file, '--yes']);
    expect(overtaken.code, overtaken.stdout).toBe(4);
    expect(overtaken.stderr).toContain('the configuration of heat_api_cfn changed');
    tune(101);
    const before = await allContainers();
    await must('apply', file, '--yes');
    expect(changedContainers(before, await allContainers())).toEqual(three);
    expect(await configured()).toContain('max_resources_per_stack = 101');
    const twice = await deploy(lab, ['apply', file, '--yes']);
    expect(twice.code).toBe(4);
  });

  it('rolls back to the form of before, and forward again', async () => {
    await must('rollback', ...cfn, '--yes');
    expect(await configured()).not.toContain('max_resources_per_stack = 101');
    const drifted = await deploy(lab, ['plan', 'reconfigure', ...cfn]);
    expect(drifted.code).toBe(2);
    await must('rollback', ...cfn, '--yes');
    expect(await configured()).toContain('max_resources_per_stack = 101');
    expect((await deploy(lab, ['plan', 'reconfigure', ...cfn])).code).toBe(0);
  });

  it('finds what was done by hand, and puts it right', async () => {
    await nodeExec('node1', 'docker stop heat_api_cfn');
    await nodeExec('node2', 'echo "# by hand" >> /etc/kolla/heat-api-cfn/heat.conf');
    const image = (await nodeExec('node3', "docker inspect -f '{{.Config.Image}}' heat_api_cfn")).stdout.trim();
    await nodeExec(
      'node3',
      `docker rm -f heat_api_cfn && docker run -d --name heat_api_cfn -e FOO=bar ${image} sleep 9999`,
    );
    const drift = await deploy(lab, ['status', '--drift', ...cfn]);
    expect(drift.code, drift.stdout).toBe(1);
    expect(drift.stdout).toMatch(/node1: heat_api_cfn: stopped/);
    expect(drift.stdout).toMatch(/node2: heat_api_cfn: .*edited heat\.conf/);
    expect(drift.stdout).toMatch(/node3: heat_api_cfn: recreated by hand \(without our labels/);
    expect(drift.stdout).toContain('environment + FOO');
    const before = await allContainers();
    await must('reconcile', ...cfn, '--yes');
    expect(changedContainers(before, await allContainers()).filter((key) => !three.includes(key))).toEqual([]);
    await must('status', '--drift', ...cfn);
    await must('status', '--tags', 'heat');
  });

  it('stops a rollout at a gate that does not pass, and goes on when it does', async () => {
    setGlobal(lab, 'heat_gates', "[{name: never, within: 2, command: {container: heat_api_cfn, argv: ['false']}}]");
    tune(103);
    const before = await allContainers();
    const stopped = await deploy(lab, ['reconfigure', ...cfn, '--yes']);
    expect(stopped.code, stopped.stdout).toBe(1);
    expect(stopped.stdout + stopped.stderr).toContain("the rollout of heat stops here: gate 'never' did not pass");
    expect(changedContainers(before, await allContainers())).toEqual(['node1/heat_api_cfn']);
    setGlobal(lab, 'heat_gates', '[]');
    await must('reconfigure', ...cfn, '--yes');
    expect(changedContainers(before, await allContainers())).toEqual(three);
  });

  it('runs the operator’s hooks around a run and its services', async () => {
    mkdirSync(hooks, { recursive: true });
    const log = join(folder, 'hooks.log');
    for (const name of ['pre-run', 'pre-service', 'post-service', 'post-run']) {
      const hook = join(hooks, name);
      writeFileSync(hook, `#!/bin/sh\necho "$DEPLOY_HOOK $DEPLOY_VERB $DEPLOY_SERVICE $DEPLOY_OUTCOME" >> '${log}'\n`);
      chmodSync(hook, 0o755);
    }
    tune(104);
    await must('reconfigure', ...cfn, '--yes');
    expect(
      readFileSync(log, 'utf8')
        .split('\n')
        .map((line) => line.trim()),
    ).toEqual([
      'pre-run reconfigure',
      'pre-service reconfigure heat',
      'post-service reconfigure heat',
      'post-run reconfigure  ok',
      '',
    ]);
  });
});
