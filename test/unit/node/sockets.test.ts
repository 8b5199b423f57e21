import { expect, it } from 'vitest';
import { hostPath } from '../../../src/edge/node/sockets.ts';

const mounts = [
  { Source: '/etc/kolla/haproxy', Destination: '/var/lib/kolla/config_files' },
  { Source: '/volumes/all/_data', Destination: '/var/lib/kolla' },
  { Source: '/volumes/haproxy_socket/_data', Destination: '/var/lib/kolla/haproxy/' },
];

it.each([
  ['/var/lib/kolla/haproxy/haproxy.sock', '/volumes/haproxy_socket/_data/haproxy.sock'],
  ['/var/lib/kolla/other/x.sock', '/volumes/all/_data/other/x.sock'],
  // A name that only begins alike is another folder.
  ['/var/lib/kolla-2/x.sock', undefined],
  ['/run/x.sock', undefined],
])('%s lies at %s on the node', (inside, outside) => {
  expect(hostPath(mounts, inside)).toBe(outside);
});
