import { describe, expect, it } from 'vitest';
import type { Attempt, Death } from '../../faults/attempt.ts';
import { migratedTwice, tooFewRunning, tooFewTaking } from '../../faults/judge.ts';
import { scenarios } from '../../faults/scenarios.ts';
import { differences, fingerprint, type NodeState, type SeenContainer, staleProcesses } from '../../faults/state.ts';
import type { EngineEvent } from '../../faults/watch.ts';

const nodes = ['node1', 'node2', 'node3'] as const;

function container(more: Partial<SeenContainer> = {}): SeenContainer {
  return { name: 'magnum_api', id: 'old', running: true, health: 'healthy', startedAt: 1000, labels: {}, ...more };
}

function state(node: (typeof nodes)[number], more: Partial<NodeState> = {}): NodeState {
  return {
    node,
    containers: [container({ id: `old-${node}` })],
    files: new Map([['/etc/kolla/magnum-api/magnum.conf', { hash: 'h', mode: '660 0:0', writtenAt: 900 }]]),
    markers: new Map([['made.magnum_api', `old-${node} older`]]),
    generations: new Map(),
    servers: [],
    balancerStartedAt: 0,
    leftovers: [],
    volumes: 1,
    ...more,
  };
}

const before = nodes.map((node) => state(node));

function event(node: (typeof nodes)[number], action: string, more: Partial<EngineEvent> = {}): EngineEvent {
  const whole = { node, at: 0, action, id: `old-${node}`, name: 'magnum_api', container: 'magnum_api', digest: '' };
  return { ...whole, exitCode: '0', ...more };
}

describe('judging a killed run', () => {
  it('counts replicas by what the engines say, whatever the containers are called', () => {
    const one = [event('node1', 'die'), event('node1', 'start', { id: 'new', name: 'magnum_api__next' })];
    expect(tooFewRunning('magnum_api', before, [...one, event('node2', 'die')])).toEqual([]);
    expect(tooFewRunning('magnum_api', before, [event('node1', 'die'), event('node2', 'die')])).toEqual([
      'only 1 of magnum_api ran after magnum_api die on node2',
    ]);
  });

  it('counts the servers each load balancer sends to, and is not silent when none was asked', () => {
    const looks = [2, 1, 3].map((count, at) => ({ node: 'node1', at, taking: new Map([['api', count]]) }) as const);
    expect(tooFewTaking('api', looks)).toEqual(['node1 sent requests of api to 1 servers (1 looks in 0 ms)']);
    expect(tooFewTaking('api', looks.slice(2))).toEqual([]);
    expect(tooFewTaking('other', looks)).toEqual(['no load balancer said anything of other']);
    expect(tooFewTaking('api', [{ node: 'node1', at: 0 }])).toEqual(['no load balancer said anything of api']);
  });

  it('lets a migration run again only as long as it was not noted', () => {
    const ran = ['start', 'die', 'start', 'die'].map((action) =>
      event('node1', action, { container: 'bootstrap_magnum' }),
    );
    const course = (migrationNoted: boolean, events: readonly EngineEvent[]): Attempt =>
      ({ deaths: [{ migrationNoted } as Death], watched: { events, looks: [] } }) as unknown as Attempt;
    expect(migratedTwice(scenarios.magnum, course(false, ran))).toEqual([]);
    expect(migratedTwice(scenarios.magnum, course(true, ran))).toHaveLength(1);
    expect(migratedTwice(scenarios.magnum, course(true, []))).toEqual(['bootstrap_magnum never ran']);
    const [start, die] = ran;
    const atOnce = [start, start, die, die].flatMap((one) => one ?? []);
    expect(migratedTwice(scenarios.magnum, course(false, atOnce))).toEqual([
      '2 of bootstrap_magnum were at it at once',
    ]);
  });

  it('finds a process that is older than its files', () => {
    expect(staleProcesses(before, ['magnum_api'])).toEqual([]);
    const late = [state('node1', { containers: [container({ startedAt: 800 })] })];
    expect(staleProcesses(late, ['magnum_api'])).toEqual([
      'node1 magnum_api runs since 100 ms before its files were written',
    ]);
  });

  it('compares what nodes end with, but neither ids nor times', () => {
    const facts = fingerprint(before);
    const made = new Map([['made.magnum_api', 'new old']]);
    const again = nodes.map((node) =>
      state(node, { containers: [container({ id: 'new', startedAt: 5 })], markers: made }),
    );
    expect(differences(facts, fingerprint(again))).toEqual([]);
    const left = [...before.slice(1), state('node1', { leftovers: ['lock file run'], markers: new Map() })];
    expect(differences(facts, fingerprint(left))).toEqual([
      'node1 marker made.magnum_api: missing instead of of the container that runs',
      'node1 left over: lock file run instead of ',
    ]);
  });
});
