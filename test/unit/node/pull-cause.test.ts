import { expect, it } from 'vitest';
import { pullCause } from '../../../src/edge/node/pull-cause.ts';

const digest = `sha256:404429500${'a'.repeat(55)}`;

/** As engines have said it. */
const said: readonly (readonly [words: string, code: string, passing: boolean])[] = [
  ['write /var/lib/docker/tmp/GetImageBlob3792039049: no space left on device', 'no-space', false],
  [
    'failed to register layer: Error processing tar file(exit status 1): write /x: no space left on device',
    'no-space',
    false,
  ],
  [`filesystem layer verification failed for digest ${digest}`, 'image-damaged', false],
  ['toomanyrequests: You have reached your limit', 'registry-busy', true],
  ['download failed after attempts=1: received unexpected HTTP status: 429 Too Many Requests', 'registry-busy', true],
  ['received unexpected HTTP status: 500 Internal Server Error', 'registry-down', true],
  ['Get "http://10.0.0.1:5000/v2/": dial tcp 10.0.0.1:5000: connect: connection refused', 'registry-down', true],
  ['read tcp 10.0.0.2:1->10.0.0.1:5000: read: connection reset by peer', 'registry-down', true],
  ['Get "https://registry/v2/": net/http: TLS handshake timeout', 'registry-down', true],
  ['Get "https://registry/v2/": dial tcp: lookup registry: no such host', 'registry-down', true],
  [`manifest for registry/x@${digest} not found: manifest unknown`, 'image-missing', false],
  ['denied: requested access to the resource is denied', 'registry-auth', false],
  ['http: server gave HTTP response to HTTPS client', 'registry-tls', false],
  [`something else about ${digest}`, 'pull-failed', false],
];

it.each(said)('%s', (words, code, passing) => {
  const found = pullCause(words, 'registry');
  expect(found).toMatchObject({ code });
  expect(found.passing ?? false).toBe(passing);
  expect(found.cause).toContain(words);
});
