import { expect, it } from 'vitest';
import { judge } from '../../../src/core/rabbitmq/judge.ts';
import { readQueues } from '../../../src/edge/rabbitmq/queues.ts';
import { rabbitmqStatusText } from '../../../src/report/rabbitmq-text.ts';
import { seenBy, wholeCluster } from './cluster-of.ts';

const nodes = ['rabbit@node1', 'rabbit@node2', 'rabbit@node3'];

const body = [
  {
    vhost: '/',
    name: 'q',
    type: 'quorum',
    leader: nodes[1],
    node: nodes[1],
    members: nodes,
    online: nodes.slice(0, 2),
    messages: 5,
  },
  { vhost: '/', name: 'c', type: 'classic', node: nodes[0] },
  {
    vhost: '/',
    name: 'm',
    type: 'classic',
    node: nodes[0],
    slave_nodes: nodes.slice(1),
    synchronised_slave_nodes: [nodes[2]],
  },
];

it('reads quorum, plain and mirrored queues', () => {
  const base = { vhost: '/', messages: 0, mirrored: false, heard: false };
  expect(readQueues(body)).toEqual([
    {
      ...base,
      name: 'q',
      type: 'quorum',
      leader: nodes[1],
      replicas: nodes,
      online: nodes.slice(0, 2),
      heard: true,
      messages: 5,
    },
    { ...base, name: 'c', type: 'classic', leader: nodes[0], replicas: [nodes[0]], online: [nodes[0]] },
    {
      ...base,
      name: 'm',
      type: 'classic',
      leader: nodes[0],
      replicas: nodes,
      online: [nodes[0], nodes[2]],
      mirrored: true,
    },
  ]);
  expect(readQueues({ error: 'no' })).toEqual([]);
});

it('is told in a table people can read', () => {
  const whole = { members: wholeCluster(), queues: readQueues(body) };
  expect(rabbitmqStatusText(whole, judge(whole))).toBe(
    [
      '    host   member        version  Erlang  state    sees    alarms',
      'ok  node1  rabbit@node1  3.10.8   25      running  3 of 3  -',
      'ok  node2  rabbit@node2  3.10.8   25      running  3 of 3  -',
      'ok  node3  rabbit@node3  3.10.8   25      running  3 of 3  -',
      'queues: 2 classic, 1 quorum (1 mirrored); leaders: rabbit@node1 1, rabbit@node2 1; 5 messages',
      'note: 2 queues with fewer replicas in sync than members: q, m',
      '    if it lasts: deploy rabbitmq recover puts replicas on members that have none',
      'the cluster is whole',
    ].join('\n'),
  );
  const known = nodes;
  const members = [
    seenBy('node1', ['node1', 'node2'], { known }),
    seenBy('node2', ['node1', 'node2'], { known }),
    { kind: 'silent', host: 'node3', why: 'it waits' } as const,
  ];
  const text = rabbitmqStatusText({ members }, judge({ members }));
  expect(text).toContain('NOT OK  node3  -');
  expect(text).toContain('NOT OK: rabbitmq on node3: it waits');
  expect(text).toContain('the cluster is not whole');
  expect(text).toContain('queues: nobody could be asked for them');
});
