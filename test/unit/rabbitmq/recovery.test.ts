import { describe, expect, it } from 'vitest';
import {
  planRecovery,
  planReset,
  type RabbitmqCluster,
  rabbitmqCluster,
} from '../../../src/core/plan/rabbitmq-recovery.ts';
import type { Plan } from '../../../src/core/plan/steps.ts';
import type { MemberEvidence } from '../../../src/core/rabbitmq/evidence.ts';
import { precedes } from '../../sim/order.ts';
import { change, emptyWorld, observe } from '../../sim/scenario.ts';
import { must, SimulatedSite } from '../../sim/site.ts';
import { seenBy, wholeCluster } from './cluster-of.ts';

const site = new SimulatedSite();
const world = emptyWorld(site);
await change(site, world, 'deploy');
const observed = observe(world);
const cluster = rabbitmqCluster(site.desired().desired) as RabbitmqCluster;
const hosts = ['node1', 'node2', 'node3'];
const known = hosts.map((host) => `rabbit@${host}`);

function recovery(members: readonly MemberEvidence[]): Plan {
  return must(planRecovery('lab', cluster, { members }));
}

function words(plan: Plan): string[] {
  return plan.steps.map((step) => `${step.host} ${step.kind === 'rabbitmq' ? step.order : step.kind}`);
}

describe('a recovery', () => {
  it('does nothing to a whole cluster', () => {
    expect(recovery(wholeCluster()).steps).toEqual([]);
  });

  it('restarts the smaller side of a partition, all of it at once', () => {
    const names = ['a', 'b', 'c', 'd', 'e'];
    const both = names.map((name) => `rabbit@${name}`);
    const five = names.map((host, i) => seenBy(host, i < 3 ? names.slice(0, 3) : names.slice(3), { known: both }));
    const large: RabbitmqCluster = {
      ...cluster,
      members: names.flatMap((host) => cluster.members.slice(0, 1).map((member) => ({ ...member, host }))),
    };
    const plan = must(planRecovery('lab', large, { members: five }));
    expect(words(plan)).toEqual(['d stop', 'e stop', 'd start', 'e start', 'd rabbitmq-check', 'e rabbitmq-check']);
    const [d, e, ...starts] = plan.steps;
    for (const start of starts.slice(0, 2)) expect(start.needs).toEqual([d?.id, e?.id]);
  });

  it('joins a member anew that has lost its data', () => {
    const members = [
      seenBy('node1', ['node1', 'node2'], { known }),
      seenBy('node2', ['node1', 'node2'], { known }),
      seenBy('node3', ['node3']),
    ];
    const plan = recovery(members);
    expect(words(plan)).toEqual([
      'node3 stop',
      'node3 reset',
      'node1 forget',
      'node3 join',
      'node3 start',
      'node3 rabbitmq-check',
      'node3 grow',
    ]);
    for (const [i, step] of plan.steps.slice(1).entries()) {
      const before = plan.steps[i];
      if (before) expect(precedes(plan, before, step)).toBe(true);
    }
    expect(plan.steps[2]).toMatchObject({ member: 'rabbit@node3' });
  });

  it('puts replicas of quorum queues on members that have none, and on no more than needed', () => {
    const queue = (type: string, ...on: string[]) => {
      const replicas = on.map((host) => `rabbit@${host}`);
      return {
        vhost: '/',
        name: on.join(),
        type,
        leader: '',
        replicas,
        online: replicas,
        mirrored: false,
        heard: true,
        messages: 0,
      };
    };
    const grows = (names: readonly string[], ...queues: readonly ReturnType<typeof queue>[]) =>
      words(must(planRecovery('lab', cluster, { members: wholeCluster(names), queues })));
    expect(grows(hosts, queue('quorum', ...hosts), queue('classic', 'node1'))).toEqual([]);
    expect(grows(hosts, queue('quorum', 'node1', 'node3'), queue('quorum', 'node3'))).toEqual([
      'node1 grow',
      'node2 grow',
    ]);
    expect(grows(hosts, queue('quorum', 'node1', 'node2', 'node9'))).toEqual(['node3 grow']);
    expect(grows(hosts.slice(0, 2), queue('quorum', 'node1', 'node2'))).toEqual([]);
  });

  it('takes members out of maintenance and enables flags', () => {
    const flags = [{ name: 'stream_queue', state: 'disabled', stability: 'stable' } as const];
    const members = hosts.map((host) => seenBy(host, hosts, { drained: ['rabbit@node2'], flags }));
    expect(words(recovery(members))).toEqual(['node2 revive', 'node1 enable-flags']);
  });

  it('restarts members whose broker has stopped: one by one beside one that runs, or all together', () => {
    const stopped = (host: string): MemberEvidence => ({ kind: 'silent', host, why: 'stopped', stopped: true });
    const beside = recovery([stopped('node1'), seenBy('node2', hosts, { known }), stopped('node3')]);
    const restart = (host: string) => [`${host} stop`, `${host} start`];
    expect(words(beside)).toEqual(['node1', 'node3'].flatMap((host) => [...restart(host), `${host} rabbitmq-check`]));
    const [, , check, stop, , last] = beside.steps;
    expect(stop?.needs).toEqual([check?.id]);
    expect([check, last]).toMatchObject([{ members: 2 }, { members: 3 }]);
    const together = recovery(hosts.map(stopped));
    expect(words(together)).toEqual([...hosts.flatMap(restart), ...hosts.map((host) => `${host} rabbitmq-check`)]);
    for (const step of together.steps.filter(({ kind }) => kind === 'stop')) expect(step.needs).toEqual([]);
    const away = { kind: 'unreachable', why: 'no route' } as const;
    const few = [stopped('node1'), { ...away, host: 'node2' }, { ...away, host: 'node3' }];
    expect(planRecovery('lab', cluster, { members: few }).diagnostics.map(({ host }) => host)).toEqual(hosts);
  });

  it.each<[string, MemberEvidence]>([
    ['cannot be reached', { kind: 'unreachable', host: 'node3', why: 'no route' }],
    ['does not run', { kind: 'down', host: 'node3', container: 'exited' }],
    ['waits', { kind: 'silent', host: 'node3', why: 'it waits' }],
  ])('decides nothing while a member %s', (text, member) => {
    const result = planRecovery('lab', cluster, { members: [...wholeCluster(['node1', 'node2']), member] });
    expect(result.ok).toBe(false);
    expect(result.diagnostics[0]?.message).toContain(text);
  });

  it('brings together those that run where one that does not run cannot join them otherwise', () => {
    const five = ['node1', 'node2', 'node3', 'node4', 'node5'];
    const large: RabbitmqCluster = {
      ...cluster,
      members: five.flatMap((host) => cluster.members.slice(0, 1).map((member) => ({ ...member, host }))),
    };
    const all = { known: five.map((host) => `rabbit@${host}`) };
    const side = five.slice(0, 3).map((host) => seenBy(host, five.slice(0, 3), all));
    const down: MemberEvidence = { kind: 'down', host: 'node5', container: 'missing' };
    const plan = must(planRecovery('lab', large, { members: [...side, seenBy('node4', ['node4'], all), down] }));
    expect(words(plan)).toEqual(['node4 stop', 'node4 start', 'node4 rabbitmq-check']);
    // It may have been on the side of node4.
    const even = [...side.slice(0, 2), seenBy('node4', ['node4'], all), down];
    expect(planRecovery('lab', large, { members: even }).diagnostics[0]).toMatchObject({
      code: 'undecided',
      hint: expect.stringContaining('deploy reconcile --tags rabbitmq'),
    });
  });

  it('does not guess between sides of the same size', () => {
    const members = [seenBy('node1', ['node1'], { known }), seenBy('node2', ['node2'], { known })];
    const result = planRecovery('lab', cluster, { members });
    expect(result.diagnostics[0]?.message).toBe('node1 and node2 are apart, and nothing tells which to keep');
  });
});

describe('a reset', () => {
  it('empties all members before the first one starts again, and makes the users anew', () => {
    const plan = must(planReset('lab', cluster, observed));
    expect(words(plan)).toEqual([
      ...hosts.map((host) => `${host} stop`),
      ...hosts.map((host) => `${host} reset`),
      'node1 start',
      'node1 rabbitmq-check',
      ...['node2', 'node3'].flatMap((host) => [`${host} join`, `${host} start`, `${host} rabbitmq-check`]),
      'node1 messaging',
      'node2 grow',
      'node3 grow',
    ]);
    const starts = plan.steps.filter((step) => step.kind === 'rabbitmq' && step.order === 'start');
    const resets = plan.steps.filter((step) => step.kind === 'rabbitmq' && step.order === 'reset');
    for (const start of starts) expect(precedes(plan, resets, start)).toBe(true);
    const joins = plan.steps.filter((step) => step.kind === 'rabbitmq' && step.order === 'join');
    for (const join of joins) expect(join).toMatchObject({ member: 'rabbit@node1' });
  });

  it('needs every member of the group to run', () => {
    const without = new Map([...observed].filter(([host]) => host !== 'node2'));
    const result = planReset('lab', cluster, without);
    expect(result).toMatchObject({ ok: false, diagnostics: [{ host: 'node2', code: 'member-down' }] });
  });
});
