import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { AmqpLoad } from '../amqp/load.ts';
import { sleep, waitFor } from './command.ts';
import { acceptTrafficFrom, dropTrafficFrom } from './faults.ts';
import { allContainers, changedContainers, deploy } from './job/deploy-command.ts';
import { findings, loadOn, loadText, rabbitLab, untilFound, untilPaused } from './job/rabbit-load.ts';
import { onNode } from './job/survival.ts';
import type { Lab } from './raise.ts';
import { printingReport } from './report.ts';
import { NODES, nodeByName } from './settings.ts';

const tags = ['--tags', 'rabbitmq', '--skip-tags', 'common', '--yes'] as const;
/** As long as the members take to notice that one does not answer any more, and a bit. */
const noticeMs = 150_000;

/** Neither of the two others gets through to node3, nor it to them. */
async function cut(action: typeof dropTrafficFrom): Promise<void> {
  for (const other of ['node1', 'node2'] as const) {
    await action('node3', nodeByName(other).address);
    await action(other, nodeByName('node3').address);
  }
}

describe('RabbitMQ after a fault', () => {
  let lab: Lab;
  let load: AmqpLoad;

  beforeAll(async () => {
    lab = await rabbitLab(printingReport());
  });

  afterEach(async () => {
    // Whatever a failure left; the next fault begins with a whole cluster.
    if ((await findings(lab)).includes('partition')) await deploy(lab, ['rabbitmq', 'recover', '--yes']);
    await deploy(lab, ['reconcile', ...tags]);
  });

  /** Messages are confirmed again, and none that was confirmed before has gone. */
  async function nothingLost(title: string, seconds: number): Promise<void> {
    const before = load.confirmed;
    expect(await waitFor(async () => load.confirmed > before + 100, 60_000), 'messages are confirmed again').toBe(true);
    const report = await load.stop();
    console.log(`${title}: whole again in ${seconds.toFixed(1)} s; ${loadText(report)}`);
    expect(report.lost).toBe(0);
    expect(await findings(lab)).toEqual([]);
  }

  it('a member that is cut off waits, is told, and goes on when the network is back, by itself or by recover', async () => {
    load = loadOn(lab, 'quorum');
    await load.start();
    await cut(dropTrafficFrom);
    try {
      await untilPaused(lab, 'node3', noticeMs);
      expect(await findings(lab)).toContain('silent');
    } finally {
      await cut(acceptTrafficFrom);
    }
    const back = performance.now();
    // RabbitMQ 3.10 may fail to start again where connections of before and after meet, and does not try it twice.
    const alone = await untilFound(lab, (kinds) => kinds.length === 0, 40_000).catch(() => undefined);
    if (alone === undefined) {
      const ran = await deploy(lab, ['rabbitmq', 'recover', '--yes']);
      expect(ran.code, ran.stdout + ran.stderr).toBe(0);
    }
    const title = `cut off, went on ${alone ? 'by itself' : 'by recover'}`;
    await nothingLost(title, (performance.now() - back) / 1000);
  });

  it('a partition that does not heal by itself is found, and healed by recover', async () => {
    const ignore = ['-e', 'rabbitmq_cluster_partition_handling=ignore'];
    expect((await deploy(lab, ['reconfigure', ...tags, ...ignore])).code).toBe(0);
    load = loadOn(lab, 'quorum');
    await load.start();
    await cut(dropTrafficFrom);
    try {
      await untilFound(lab, (kinds) => kinds.includes('partition'), noticeMs);
    } finally {
      await cut(acceptTrafficFrom);
    }
    const again = await untilFound(lab, (kinds) => kinds.includes('partition'), 60_000);
    expect(again).toContain('partition');
    const ran = await deploy(lab, ['rabbitmq', 'recover', '--yes']);
    expect(ran.code, ran.stdout + ran.stderr).toBe(0);
    await nothingLost('partition', ran.seconds);
  });

  it('a member whose container and volume are gone joins as a new one, with its replicas', async () => {
    load = loadOn(lab, 'quorum');
    await load.start();
    await onNode('node2', 'docker rm -f rabbitmq && docker volume rm rabbitmq');
    const ran = await deploy(lab, ['reconcile', ...tags]);
    expect(ran.code, ran.stdout + ran.stderr).toBe(0);
    await nothingLost('volume gone', ran.seconds);
  });

  it('a member that came up without its data is found, and joined by recover', async () => {
    load = loadOn(lab, 'quorum');
    await load.start();
    const data = '/var/lib/docker/volumes/rabbitmq/_data/mnesia';
    // RabbitMQ 3.10 joins the others again by itself where it knows of them.
    const alone = "sed -i '/cluster_formation/d' /etc/kolla/rabbitmq/rabbitmq.conf";
    await onNode('node2', `docker stop -t 60 rabbitmq && rm -rf ${data} && ${alone} && docker start rabbitmq`);
    await untilFound(lab, (kinds) => kinds.includes('lost-data'), 120_000);
    const ran = await deploy(lab, ['rabbitmq', 'recover', '--yes']);
    expect(ran.code, ran.stdout + ran.stderr).toBe(0);
    await nothingLost('data gone', ran.seconds);
  });

  it('all members that lose power come back', async () => {
    load = loadOn(lab, 'quorum');
    await load.start();
    // RabbitMQ 3.10 writes which replicas a node has to disk a moment after it has confirmed the first messages.
    await sleep(3000);
    await Promise.all(NODES.map(({ name }) => onNode(name, 'docker kill rabbitmq')));
    const ran = await deploy(lab, ['reconcile', ...tags]);
    expect(ran.code, ran.stdout + ran.stderr).toBe(0);
    await nothingLost('all killed', ran.seconds);
  });

  it('another cookie is refused while members run, and all of them get it from a standstill', async () => {
    load = loadOn(lab, 'quorum');
    await load.start();
    const cookie = ['-e', 'rabbitmq_cluster_cookie=cookie-of-this-test'];
    const before = await allContainers();
    const refused = await deploy(lab, ['reconfigure', ...tags, ...cookie]);
    expect(refused.code, refused.stdout + refused.stderr).toBe(4);
    expect(refused.stderr).toContain('the members on node1, node2, node3 run with another rabbitmq_cluster_cookie');
    expect(changedContainers(before, await allContainers())).toEqual([]);
    const begun = performance.now();
    try {
      await restart(cookie);
    } finally {
      await restart([]);
    }
    await nothingLost('another cookie, and back', (performance.now() - begun) / 1000);
  });

  async function restart(options: readonly string[]): Promise<void> {
    const stopped = await deploy(lab, ['stop', ...tags]);
    expect(stopped.code, stopped.stdout + stopped.stderr).toBe(0);
    const ran = await deploy(lab, ['reconfigure', ...tags, ...options]);
    expect(ran.code, ran.stdout + ran.stderr).toBe(0);
    expect(await findings(lab)).toEqual([]);
  }
});
