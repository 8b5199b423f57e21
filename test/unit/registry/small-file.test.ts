import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterEach, expect, it } from 'vitest';
import { packFiles } from '../../../src/edge/node/tar.ts';
import { openRegistry } from '../../../src/edge/registry/registry.ts';

let server: Server | undefined;

afterEach(async () => {
  await new Promise((resolve) => (server ? server.close(resolve) : resolve(undefined)));
});

const file = 'usr/local/share/kolla/rabbitmq-version';

async function layer(files: Readonly<Record<string, string>>): Promise<Buffer> {
  return packFiles(Object.entries(files).map(([name, content]) => ({ name, content, mode: 0o644 })));
}

/** An image of these layers, the last one last. */
async function serve(layers: readonly { readonly blob: Buffer; readonly size?: number }[]) {
  const asked: string[] = [];
  const manifest = {
    config: { digest: 'sha256:c' },
    layers: layers.map(({ blob, size }, i) => ({ digest: `sha256:${i}`, size: size ?? blob.length })),
  };
  server = createServer((request, response) => {
    const url = request.url ?? '';
    asked.push(url.slice(url.lastIndexOf('/') + 1));
    response.setHeader('connection', 'close');
    const blob = layers[Number(/blobs\/sha256:(\d)$/.exec(url)?.[1] ?? -1)]?.blob;
    response.end(url.includes('/manifests/') ? JSON.stringify(manifest) : blob);
  });
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const registry = openRegistry({ insecure: [host], timeoutMs: 2000 });
  return { asked, read: () => registry.smallFile({ repository: `${host}/deploy/rabbitmq`, tag: 't' }, `/${file}`) };
}

it('reads a file from the last small layer that has it, and fetches no large one', async () => {
  const large = { blob: await layer({ [file]: 'large' }), size: 100_000_000 };
  const older = { blob: gzipSync(await layer({ [file]: '3.9.1' })) };
  const newer = { blob: gzipSync(await layer({ [file]: '3.10.8-1.1\n', other: 'x' })) };
  const last = { blob: await layer({ 'etc/else': 'y' }) };
  const { asked, read } = await serve([large, older, newer, last]);
  expect(await read()).toBe('3.10.8-1.1\n');
  expect(asked).toEqual(['t', 'sha256:3', 'sha256:2']);
});

it('says that there is none', async () => {
  const { read } = await serve([{ blob: await layer({ 'etc/else': 'y' }) }]);
  expect(await read()).toBeUndefined();
});
