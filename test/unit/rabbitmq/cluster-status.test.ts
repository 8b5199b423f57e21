import { describe, expect, it } from 'vitest';
import { readClusterStatus } from '../../../src/core/rabbitmq/cluster-status.ts';

const running = { code: 0, stderr: '' };

const status = {
  alarms: [{ type: 'resource_limit', node: 'rabbit@node2', resource: 'disk' }],
  disk_nodes: ['rabbit@node2', 'rabbit@node1', 'rabbit@node3'],
  ram_nodes: [],
  running_nodes: ['rabbit@node2', 'rabbit@node1'],
  partitions: { 'rabbit@node1': ['rabbit@node3'], 'rabbit@node2': [] },
  maintenance_status: { 'rabbit@node1': 'not under maintenance', 'rabbit@node2': 'marked for maintenance' },
  versions: {
    'rabbit@node1': { erlang_version: '25', rabbitmq_name: 'RabbitMQ', rabbitmq_version: '3.10.8' },
    'rabbit@node2': { erlang_version: '26', rabbitmq_name: 'RabbitMQ', rabbitmq_version: '3.11.18' },
  },
  feature_flags: [
    { name: 'quorum_queue', state: 'enabled', stability: 'stable', desc: '…' },
    { name: 'khepri_db', state: 'disabled', stability: 'experimental' },
    { name: 'stream_queue', state: 'unavailable', stability: 'stable' },
  ],
};

describe('readClusterStatus', () => {
  it('reads what the asked member says, past what the tool prints before it', () => {
    const stdout = `rabbit@node1\nwarning: something\n${JSON.stringify(status)}\n`;
    expect(readClusterStatus('node1', { ...running, stdout })).toEqual({
      kind: 'seen',
      host: 'node1',
      node: 'rabbit@node1',
      version: '3.10.8',
      erlang: '25',
      known: ['rabbit@node1', 'rabbit@node2', 'rabbit@node3'],
      running: ['rabbit@node1', 'rabbit@node2'],
      partitions: [{ node: 'rabbit@node1', lost: ['rabbit@node3'] }],
      alarms: [{ node: 'rabbit@node2', resource: 'disk' }],
      drained: ['rabbit@node2'],
      flags: [
        { name: 'quorum_queue', state: 'enabled', stability: 'stable' },
        { name: 'khepri_db', state: 'disabled', stability: 'experimental' },
        { name: 'stream_queue', state: 'unavailable', stability: 'stable' },
      ],
    });
  });

  it.each([
    ["Error: this command requires the 'rabbit' app to be running on the target node. Start it with", 'has stopped'],
    ['Error: unable to perform an operation on node', 'does not answer'],
    ['Error: something else', 'rabbitmqctl ended with 69: Error: something else'],
  ])('tells why a member is silent: %s', (stderr, why) => {
    const evidence = readClusterStatus('node1', { code: 69, stdout: 'rabbit@node1\n', stderr });
    expect(evidence).toMatchObject({ kind: 'silent', host: 'node1', why: expect.stringContaining(why) });
  });

  it('takes what is no answer for silence', () => {
    for (const stdout of ['', 'rabbit@node1\n', '{"alarms": [', '[]']) {
      expect(readClusterStatus('node1', { ...running, stdout })).toMatchObject({ kind: 'silent' });
    }
  });
});
