import { describe, expect, it } from 'vitest';
import type { Plan } from '../../../src/core/plan/steps.ts';
import { precedes, step, steps } from '../../sim/order.ts';
import { carryOut, change, copyOf, emptyWorld, observe } from '../../sim/scenario.ts';
import { must, SimulatedSite } from '../../sim/site.ts';

const site = new SimulatedSite();
const deployed = emptyWorld(site);
await change(site, deployed, 'deploy');
const tags = { tags: ['rabbitmq'] };
const edited = new SimulatedSite({ globals: 'rabbitmq_extra_config: {heartbeat: 30}\n' });
const newer = new SimulatedSite({ globals: 'rabbitmq_tag: other\n' });
const hosts = ['node1', 'node2', 'node3'];

function orders(plan: Plan): string[] {
  return plan.steps.flatMap((one) => (one.kind === 'rabbitmq' ? [`${one.host} ${one.order}`] : []));
}

describe('members of a RabbitMQ cluster', () => {
  const plan = must(edited.plan('reconfigure', observe(deployed), tags));

  it('leave one at a time, each only from a whole cluster, handing over first', () => {
    for (const [i, host] of hosts.entries()) {
      const [leaves, joined] = steps(plan, 'rabbitmq-check', 'rabbitmq', host);
      const stop = step(plan, 'stop', 'rabbitmq', host);
      expect(leaves).toMatchObject({ leaves: true, members: 3 });
      expect(joined).toMatchObject({ leaves: false, members: 3 });
      expect(stop).toMatchObject({ maintenance: true });
      if (!leaves || !joined) throw new Error('two checks');
      expect(precedes(plan, leaves, stop)).toBe(true);
      expect(precedes(plan, step(plan, 'healthy', 'rabbitmq', host), joined)).toBe(true);
      const next = hosts[i + 1];
      if (next) expect(precedes(plan, joined, steps(plan, 'rabbitmq-check', 'rabbitmq', next).slice(0, 1))).toBe(true);
    }
    expect(orders(plan)).toEqual([]);
  });

  it('are not touched any more once the cluster is not whole', async () => {
    const world = copyOf(deployed);
    world.exec = (node, _, argv) =>
      node.host === 'node2' && argv.some((arg) => arg.includes('cluster_status'))
        ? { code: 69, stdout: '', stderr: "requires the 'rabbit' app to be running" }
        : undefined;
    const result = await carryOut(plan, world);
    expect(result.failed.map(({ step: one }) => `${one.host} ${one.kind}`)).toEqual(['node2 rabbitmq-check']);
    expect(world.log.filter(({ call }) => call === 'stop').map(({ host }) => host)).toEqual(['node1']);
  });

  it('are not stopped while a queue needs them', async () => {
    const world = copyOf(deployed);
    world.exec = (_, __, argv) =>
      argv.includes('check_if_node_is_quorum_critical') ? { code: 69, stdout: '', stderr: 'q1 needs it' } : undefined;
    const result = await carryOut(plan, world);
    expect(result.failed[0]?.diagnostics[0]?.message).toContain('would lose their majority with it: q1 needs it');
    expect(world.log.filter(({ call }) => call === 'stop')).toEqual([]);
  });

  it('get their feature flags enabled around a change of the image, and only then', () => {
    const upgrade = must(newer.plan('upgrade', observe(deployed), tags));
    expect(orders(upgrade)).toEqual(['node1 enable-flags', 'node3 enable-flags']);
    const [before, after] = upgrade.steps.filter((one) => one.kind === 'rabbitmq');
    if (!before || !after) throw new Error('two orders');
    expect(precedes(upgrade, before, steps(upgrade, 'stop', 'rabbitmq'))).toBe(true);
    expect(precedes(upgrade, steps(upgrade, 'rabbitmq-check', 'rabbitmq'), after)).toBe(true);
  });

  it('that are all down come back together, as each may wait for another one', () => {
    const world = copyOf(deployed);
    for (const node of world.nodes.values()) {
      const container = node.containers.get('rabbitmq');
      if (container) container.state = 'exited';
    }
    const back = must(site.plan('reconcile', observe(world), tags));
    const starts = steps(back, 'start', 'rabbitmq');
    const checks = steps(back, 'rabbitmq-check', 'rabbitmq');
    expect(starts.map(({ host }) => host)).toEqual(hosts);
    for (const check of checks) expect(check).toMatchObject({ members: 3, leaves: false });
    for (const start of starts) for (const check of checks) expect(precedes(back, check, start)).toBe(false);
    expect(orders(back)).toEqual([]);
  });

  it('join as new ones when their data is gone, known or not', () => {
    const world = copyOf(deployed);
    world.nodes.get('node2')?.containers.delete('rabbitmq');
    world.nodes.get('node2')?.volumes.delete('rabbitmq');
    const back = must(site.plan('reconcile', observe(world), tags));
    expect(orders(back)).toEqual(['node1 forget', 'node2 grow']);
    const [forget, grow] = back.steps.filter((one) => one.kind === 'rabbitmq');
    if (!forget || !grow) throw new Error('two orders');
    const others = steps(back, 'rabbitmq-check', 'rabbitmq', 'node1');
    expect(others).toMatchObject([{ members: 2, leaves: false }]);
    expect(precedes(back, others, forget)).toBe(true);
    expect(forget).toMatchObject({ member: 'rabbit@node2' });
    expect(precedes(back, forget, step(back, 'start', 'rabbitmq', 'node2'))).toBe(true);
    expect(precedes(back, steps(back, 'rabbitmq-check', 'rabbitmq'), grow)).toBe(true);
    const kept = copyOf(deployed);
    kept.nodes.get('node2')?.containers.delete('rabbitmq');
    expect(orders(must(site.plan('reconcile', observe(kept), tags)))).toEqual([]);
  });

  it.each([
    ['asked again', 2, []],
    ['told when a queue gets none', Number.POSITIVE_INFINITY, ['1 queues got no replica; q: error: busy']],
  ])('that get replicas of queues are %s', async (_, busy, failures) => {
    const world = copyOf(deployed);
    world.nodes.get('node2')?.containers.delete('rabbitmq');
    world.nodes.get('node2')?.volumes.delete('rabbitmq');
    let asked = 0;
    world.exec = (__, ___, argv) => {
      if (!argv.includes('grow')) return undefined;
      asked += 1;
      const result = asked <= busy ? 'error: busy' : 'ok';
      return { code: 0, stdout: `vhost\tname\tsize\tresult\n/\tq\t2\t${result}\n/\tr\t2\tok\n`, stderr: '' };
    };
    const result = await carryOut(must(site.plan('reconcile', observe(world), tags)), world);
    const said = result.failed.map(({ diagnostics: [first] }) => first?.message);
    expect(said).toEqual(failures);
    expect(asked).toBe(failures.length > 0 ? 10 : 3);
  });

  it('without data do not join others that are apart', async () => {
    const world = copyOf(deployed);
    world.nodes.get('node2')?.containers.delete('rabbitmq');
    world.nodes.get('node2')?.volumes.delete('rabbitmq');
    const back = must(site.plan('reconcile', observe(world), tags));
    const alone = { running_nodes: ['rabbit@node1'], disk_nodes: hosts.map((host) => `rabbit@${host}`) };
    const apart = { ...alone, partitions: { 'rabbit@node1': ['rabbit@node3'] }, versions: {}, alarms: [] };
    world.exec = (_, __, argv) =>
      argv.some((arg) => arg.includes('cluster_status'))
        ? { code: 0, stdout: JSON.stringify(apart), stderr: '' }
        : undefined;
    const result = await carryOut(back, world);
    expect(result.failed[0]?.diagnostics[0]?.message).toContain('rabbit@node1 is cut off from rabbit@node3');
    expect(world.log.filter(({ host, call }) => host === 'node2' && call === 'start')).toEqual([]);
  });

  it.each([
    ['are forgotten first where they have no data', false, 1],
    ['stay what they are where they have', true, 0],
  ])('that were made and never ran %s', async (_, data, forgotten) => {
    const world = copyOf(deployed);
    const node2 = world.nodes.get('node2');
    const container = node2?.containers.get('rabbitmq');
    if (!node2 || !container) throw new Error('no member');
    container.state = 'created';
    const path = '/volumes/rabbitmq/mnesia/rabbit@node2/cluster_nodes.config';
    if (data) node2.files.set(path, { content: '{[],[]}.', mode: '0640', sha256: '' });
    const asked: string[] = [];
    world.exec = (node, __, argv) => {
      if (argv.includes('forget_cluster_node')) asked.push(`${node.host}: ${argv.at(-1)}`);
      return undefined;
    };
    const result = await carryOut(must(site.plan('reconcile', observe(world), tags)), world);
    expect(result.failed).toEqual([]);
    expect(asked).toEqual(forgotten ? ['node1: rabbit@node2'] : []);
  });
});
