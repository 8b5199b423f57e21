import { expect, test } from 'vitest';
import { readCluster } from '../../../src/edge/rabbitmq/cluster.ts';

test('tells running members, alarms and who does not see whom', () => {
  const cluster = readCluster([
    { name: 'rabbit@node2', running: true, partitions: ['rabbit@node1'], mem_alarm: true, disk_free_alarm: false },
    { name: 'rabbit@node1', running: true, partitions: [], mem_alarm: false, disk_free_alarm: true },
    { name: 'rabbit@node3', running: false },
  ]);
  expect(cluster.running).toEqual(['rabbit@node1', 'rabbit@node2']);
  expect(cluster.alarms).toEqual(['rabbit@node1: disk', 'rabbit@node2: memory']);
  expect(cluster.partitions).toEqual(['rabbit@node2 does not see rabbit@node1']);
  expect(cluster.nodes[2]).toEqual({
    name: 'rabbit@node3',
    running: false,
    partitions: [],
    memoryAlarm: false,
    diskAlarm: false,
  });
});

test('an answer that is no list has no members', () => {
  expect(readCluster({}).nodes).toEqual([]);
});
