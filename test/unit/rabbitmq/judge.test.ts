import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { MemberEvidence, QueueEvidence } from '../../../src/core/rabbitmq/evidence.ts';
import { isHealthy, judge } from '../../../src/core/rabbitmq/judge.ts';
import { notWhole } from '../../../src/core/rabbitmq/whole.ts';
import { seenBy, wholeCluster } from './cluster-of.ts';

const hosts = ['node1', 'node2', 'node3'];

function kinds(members: readonly MemberEvidence[], queues?: readonly QueueEvidence[]): string[] {
  return judge({ members, queues }).map(({ kind }) => kind);
}

function queue(name: string, more: Partial<QueueEvidence> = {}): QueueEvidence {
  const replicas = hosts.map((host) => `rabbit@${host}`);
  const base = { vhost: '/', name, type: 'quorum', leader: 'rabbit@node1', mirrored: false, heard: true, messages: 0 };
  return { ...base, replicas, online: replicas, ...more };
}

describe('judge', () => {
  it('finds nothing in a whole cluster', () => {
    expect(judge({ members: wholeCluster(), queues: [queue('q')] })).toEqual([]);
  });

  it('names members that cannot be heard', () => {
    const [first] = wholeCluster();
    const members: MemberEvidence[] = [
      ...(first ? [first] : []),
      { kind: 'down', host: 'node2', container: 'exited' },
      { kind: 'silent', host: 'node3', why: 'the broker has stopped' },
    ];
    const found = judge({ members });
    expect(found.map(({ kind, hosts: of }) => [kind, of])).toEqual([
      ['down', ['node2']],
      ['silent', ['node3']],
    ]);
    expect(isHealthy(found)).toBe(false);
  });

  it('tells a partition from a member that has lost its data', () => {
    const known = hosts.map((host) => `rabbit@${host}`);
    const apart = [
      seenBy('node1', ['node1', 'node2'], { known }),
      seenBy('node2', ['node1', 'node2'], { known }),
      seenBy('node3', ['node3'], { known }),
    ];
    expect(judge({ members: apart })).toMatchObject([{ kind: 'partition', hosts: ['node3', 'node1', 'node2'] }]);
    const empty = [...apart.slice(0, 2), seenBy('node3', ['node3'])];
    expect(judge({ members: empty })).toMatchObject([{ kind: 'lost-data', hosts: ['node3'] }]);
    const strange = [
      seenBy('node1', ['node1', 'node2']),
      seenBy('node2', ['node1', 'node2']),
      seenBy('node3', ['node3']),
    ];
    expect(kinds(strange)).toEqual(['two-clusters']);
  });

  it('finds a partition also where the members see each other again and have not come together', () => {
    const partitions = [{ node: 'rabbit@node3', lost: ['rabbit@node1', 'rabbit@node2'] }];
    const members = wholeCluster().map((member) => ({ ...member, partitions }));
    expect(judge({ members })).toMatchObject([{ kind: 'partition', hosts: ['node3', 'node1', 'node2'] }]);
  });

  it('finds alarms, maintenance, versions that mix and flags that are not enabled', () => {
    const [first, second, third] = hosts.map((host) => seenBy(host, hosts));
    if (!first || !second || !third) throw new Error('three members');
    expect(kinds([{ ...first, alarms: [{ node: 'rabbit@node1', resource: 'disk' }] }, second, third])).toEqual([
      'alarm',
    ]);
    expect(kinds([first, { ...second, drained: ['rabbit@node2'] }, third])).toEqual(['drained']);
    const mixed = judge({ members: [first, second, { ...third, version: '3.11.18' }] });
    expect(mixed).toMatchObject([{ kind: 'mixed-versions', grave: false }]);
    const flags = [{ name: 'stream_queue', state: 'disabled', stability: 'stable' } as const];
    expect(judge({ members: [{ ...first, flags }, second, third] })).toMatchObject([{ kind: 'flags', grave: false }]);
  });

  it('finds queues without a majority, and those with fewer replicas than there could be', () => {
    const lost = queue('a', { online: ['rabbit@node1'] });
    const thin = queue('b', { online: ['rabbit@node1', 'rabbit@node2'] });
    const classic = queue('c', { type: 'classic', replicas: ['rabbit@node1'], online: ['rabbit@node1'] });
    expect(kinds(wholeCluster(), [lost, thin, classic])).toEqual(['no-quorum', 'queue-thin']);
    expect(isHealthy(judge({ members: wholeCluster(), queues: [thin, classic] }))).toBe(true);
  });

  it('finds quorum queues that have replicas and no leader', () => {
    const dead = queue('a', { heard: false });
    const few = queue('b', { heard: false, online: ['rabbit@node1'] });
    const found = judge({
      members: wholeCluster(),
      queues: [dead, few, queue('c', { type: 'classic', heard: false })],
    });
    expect(found.map(({ kind }) => kind)).toEqual(['no-quorum', 'no-leader']);
    expect(found[1]).toMatchObject({ text: '1 queues whose leader says nothing: a', grave: true });
    expect(found[1]?.hint).toContain("delete_queue 'a'");
  });

  it('names a member that no host is', () => {
    const members = wholeCluster().map((m) => (m.kind === 'seen' ? { ...m, known: [...m.known, 'rabbit@old'] } : m));
    expect(judge({ members })).toMatchObject([{ kind: 'forgotten', grave: false }]);
  });

  it('never calls a cluster healthy in which one member does not see another', () => {
    const pair = fc.tuple(fc.integer({ min: 0, max: 4 }), fc.integer({ min: 0, max: 4 }));
    fc.assert(
      fc.property(
        fc.array(
          pair.filter(([a, b]) => a !== b),
          { minLength: 1, maxLength: 6 },
        ),
        (cuts) => {
          const names = ['a', 'b', 'c', 'd', 'e'];
          const members = names.map((host, i) => {
            const sees = names.filter((_, j) => !cuts.some(([x, y]) => (x === i && y === j) || (x === j && y === i)));
            return seenBy(host, sees, { known: names.map((name) => `rabbit@${name}`) });
          });
          // Members that do not see each other may both see a third one: then nobody is apart, and yet it is not whole.
          const found = members.every((member) => notWhole(member, { members: 5, leaves: true }).length === 0);
          expect(found).toBe(false);
          expect(isHealthy(judge({ members }))).toBe(false);
        },
      ),
    );
  });
});

describe('notWhole', () => {
  const expected = { members: 3, leaves: true };

  it('is content with a whole cluster, also when the member itself is in maintenance', () => {
    const drained = seenBy('node1', hosts, { drained: ['rabbit@node1'] });
    expect(notWhole(drained, expected)).toEqual([]);
  });

  it.each<[string, MemberEvidence]>([
    [
      '2 of 3 members run, not rabbit@node3',
      seenBy('node1', ['node1', 'node2'], { known: hosts.map((h) => `rabbit@${h}`) }),
    ],
    [
      'rabbit@node1 is cut off from rabbit@node2',
      seenBy('node1', hosts, { partitions: [{ node: 'rabbit@node1', lost: ['rabbit@node2'] }] }),
    ],
    ['alarm at rabbit@node2: disk', seenBy('node1', hosts, { alarms: [{ node: 'rabbit@node2', resource: 'disk' }] })],
    ['rabbit@node2 is in maintenance mode', seenBy('node1', hosts, { drained: ['rabbit@node2'] })],
    ['it waits', { kind: 'silent', host: 'node1', why: 'it waits' }],
  ])('%s', (text, member) => {
    expect(notWhole(member, expected)).toEqual([text]);
  });

  it('waits for no alarm once a member has come back', () => {
    const alarm = seenBy('node1', hosts, { alarms: [{ node: 'rabbit@node2', resource: 'disk' }] });
    expect(notWhole(alarm, { members: 3, leaves: false })).toEqual([]);
  });
});
