import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { allContainers, changedContainers, deploy } from './job/deploy-command.ts';
import { findings, loadOn, loadText, rabbitLab } from './job/rabbit-load.ts';
import type { Lab } from './raise.ts';
import { printingReport } from './report.ts';
import { NODES } from './settings.ts';

/** How often each change is made. */
const runs = Number(process.env.RABBITMQ_RUNS ?? 1);
const tags = ['--tags', 'rabbitmq', '--skip-tags', 'common', '--yes'] as const;

describe('the RabbitMQ cluster of the lab', () => {
  let lab: Lab;
  const figures: string[] = [];

  beforeAll(async () => {
    lab = await rabbitLab(printingReport());
  });

  afterAll(async () => {
    for (const line of figures) console.log(line);
    await deploy(lab, ['reconfigure', ...tags]);
  });

  it('is whole, which status says without changing anything', async () => {
    const before = await allContainers();
    const ran = await deploy(lab, ['rabbitmq', 'status']);
    expect(ran.code, ran.stdout + ran.stderr).toBe(0);
    expect(ran.stdout).toContain('the cluster is whole');
    for (const { name } of NODES) expect(ran.stdout).toMatch(new RegExp(`^ok +${name} +rabbit@${name} .*3 of 3`, 'm'));
    expect(changedContainers(before, await allContainers())).toEqual([]);
  });

  for (let run = 1; run <= runs; run++) {
    it(`loses no confirmed message of a quorum queue in a rolling restart (${run})`, async () => {
      const load = loadOn(lab, 'quorum');
      await load.start();
      const before = await allContainers();
      const ran = await deploy(lab, [
        'reconfigure',
        ...tags,
        '-e',
        `{"rabbitmq_extra_config": {"heartbeat": ${40 + run}}}`,
      ]);
      const after = load.confirmed;
      const report = await load.stop();
      figures.push(`rolling restart ${run}: ${ran.seconds.toFixed(1)} s; ${loadText(report)}`);
      console.log(figures.at(-1));
      expect(ran.code, ran.stdout + ran.stderr).toBe(0);
      const members = NODES.map(({ name }) => `${name}/rabbitmq`);
      expect(changedContainers(before, await allContainers())).toEqual(members);
      expect(after).toBeGreaterThan(100);
      expect(report.lost).toBe(0);
      expect(await findings(lab)).toEqual([]);
    });
  }

  it('is emptied by reset-state and is whole and usable afterwards', async () => {
    const old = loadOn(lab, 'quorum');
    await old.start();
    await old.stop(1000);
    const ran = await deploy(lab, ['rabbitmq-reset-state', '--yes']);
    expect(ran.code, ran.stdout + ran.stderr).toBe(0);
    const status = await deploy(lab, ['rabbitmq', 'status', '--json']);
    expect(status.code, status.stdout).toBe(0);
    // The services that run make theirs anew at once.
    const { queues } = JSON.parse(status.stdout) as { readonly queues: readonly { readonly name: string }[] };
    expect(queues.filter(({ name }) => name.startsWith('load-'))).toEqual([]);
    const load = loadOn(lab, 'quorum');
    await load.start();
    expect((await load.stop()).lost).toBe(0);
  });
});
