import { expect, test } from 'vitest';
import { readStatus } from '../../../src/edge/mariadb/galera.ts';

test('reads a synced member', () => {
  const status = new Map([
    ['wsrep_cluster_status', 'Primary'],
    ['wsrep_cluster_size', '3'],
    ['wsrep_local_state', '4'],
    ['wsrep_local_state_comment', 'Synced'],
    ['wsrep_ready', 'ON'],
    ['wsrep_connected', 'ON'],
    ['wsrep_cluster_state_uuid', '6ff7df2c-0000-11f0-b1e7-1f6a5a3e0f2b'],
    ['wsrep_last_committed', '9007199254740993'],
    ['wsrep_incoming_addresses', '10.0.0.1:3306,10.0.0.2:3306,10.0.0.3:3306'],
  ]);
  expect(readStatus(status)).toMatchObject({
    clusterStatus: 'Primary',
    clusterSize: 3,
    localState: 4,
    ready: true,
    lastCommitted: '9007199254740993',
    incomingAddresses: ['10.0.0.1:3306', '10.0.0.2:3306', '10.0.0.3:3306'],
  });
});

test('a server without Galera claims nothing', () => {
  expect(readStatus(new Map())).toMatchObject({ clusterStatus: '', clusterSize: 0, ready: false, connected: false });
});
