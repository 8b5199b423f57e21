import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { DeployError } from '../../../src/core/model/diagnostic.ts';
import { Secret } from '../../../src/core/model/secret.ts';
import type { RegistryOptions } from '../../../src/edge/registry/http.ts';
import { apiBase, parseRepository } from '../../../src/edge/registry/reference.ts';
import { openRegistry, type Registry } from '../../../src/edge/registry/registry.ts';

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

let server: Server | undefined;

afterEach(async () => {
  await new Promise((resolve) => (server ? server.close(resolve) : resolve(undefined)));
  server = undefined;
});

/** A registry speaking plain HTTP on loopback; `seen` lists its requests. */
async function serve(handler: Handler, more: (host: string) => RegistryOptions = () => ({})) {
  const seen: string[] = [];
  server = createServer((request, response) => {
    seen.push(`${request.method} ${request.url}`);
    response.setHeader('connection', 'close');
    handler(request, response);
  });
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const registry: Registry = openRegistry({ insecure: [host], retryDelaysMs: [1, 1], timeoutMs: 2000, ...more(host) });
  return { registry, seen, host, image: { repository: `${host}/deploy/magnum-api`, tag: 'zed-debian-bookworm' } };
}

async function problem(promise: Promise<unknown>): Promise<DeployError> {
  const thrown: unknown = await promise.then(
    () => undefined,
    (reason) => reason,
  );
  if (!(thrown instanceof DeployError)) throw new Error(`no DeployError but ${String(thrown)}`);
  return thrown;
}

it.each([
  ['172.31.77.1:5000/deploy/magnum-api', '172.31.77.1:5000', 'deploy/magnum-api'],
  ['localhost/x', 'localhost', 'x'],
  ['quay.io/openstack.kolla/base', 'quay.io', 'openstack.kolla/base'],
  ['kolla/base', 'docker.io', 'kolla/base'],
  ['debian', 'docker.io', 'library/debian'],
])('parses %s', (repository, registry, path) => expect(parseRepository(repository)).toEqual({ registry, path }));

it('speaks HTTPS unless told otherwise', () => {
  expect(apiBase('a:5000', false)).toBe('https://a:5000/v2');
  expect(apiBase('a:5000', true)).toBe('http://a:5000/v2');
});

describe('resolveDigest', () => {
  it('asks once, by HEAD, for all manifest types', async () => {
    let accept = '';
    const { registry, seen, image } = await serve((request, response) => {
      accept = request.headers.accept ?? '';
      response.setHeader('docker-content-digest', 'sha256:1').end();
    });
    expect(await registry.resolveDigest(image)).toBe('sha256:1');
    expect(seen).toEqual(['HEAD /v2/deploy/magnum-api/manifests/zed-debian-bookworm']);
    expect(accept).toContain('oci.image.index.v1+json');
    expect(accept).toContain('docker.distribution.manifest.v2+json');
  });

  it('names the known tags when the tag is missing', async () => {
    const { registry, image } = await serve((request, response) => {
      if (request.url?.includes('tags/list')) response.end('{"tags":["2025.1-debian-trixie","zed-debian-bullseye"]}');
      else response.writeHead(404).end();
    });
    const thrown = await problem(registry.resolveDigest(image));
    expect(thrown.exit).toBe(4);
    expect(thrown.message).toMatch(
      /there is no tag zed-debian-bookworm of deploy\/magnum-api in the registry 127.*; known tags: zed-debian-bullseye, 2025.1-debian-trixie/,
    );
  });

  it('says when the repository does not exist', async () => {
    const { registry, image } = await serve((_request, response) => response.writeHead(404).end('{}'));
    expect((await problem(registry.resolveDigest(image))).message).toContain('there is no image deploy/magnum-api');
  });
});

describe('retries', () => {
  it.each([429, 500, 503])('tries again after %i', async (status) => {
    let count = 0;
    const { registry, image } = await serve((_request, response) => {
      if (count++ === 0) response.writeHead(status, { 'retry-after': '0' }).end();
      else response.setHeader('docker-content-digest', 'sha256:2').end();
    });
    expect(await registry.resolveDigest(image)).toBe('sha256:2');
  });

  it('says what it waits for, and how long the registry asked it to', async () => {
    const told: string[] = [];
    const { registry, image, host } = await serve(
      (_request, response) => response.writeHead(429, { 'retry-after': '0.02' }).end(),
      () => ({ retryDelaysMs: [1, 1], onWait: (text) => told.push(text) }),
    );
    const thrown = await problem(registry.resolveDigest(image));
    expect(thrown.exit).toBe(4);
    expect(thrown.message).toMatch(/it answers 429 \(too many requests\)\n.*run the same command again later/);
    const sentence = `the registry ${host}: it answers 429 (too many requests); asked again in 0.02 s`;
    expect(told).toEqual([sentence, sentence]);
  });

  it('does not try again after 403, and asks for credentials', async () => {
    const { registry, image, seen } = await serve((_request, response) => response.writeHead(403).end());
    const thrown = await problem(registry.resolveDigest(image));
    expect(thrown.message).toContain('check docker_registry_username');
    expect(seen).toHaveLength(1);
  });

  it('gives the same error to everybody when the registry is away, and asks no more', async () => {
    const { registry, image, seen } = await serve((_request, response) => response.writeHead(503).end());
    const errors = await Promise.all([problem(registry.resolveDigest(image)), problem(registry.resolveDigest(image))]);
    expect(errors[0]).toBe(errors[1]);
    expect(errors[0]?.message).toMatch(/the registry 127\S+ cannot be used: it answers 503/);
    const before = seen.length;
    expect(await problem(registry.listTags(image.repository))).toBe(errors[0]);
    expect(seen).toHaveLength(before);
  });

  it('says that nobody listens', async () => {
    const { registry, image, host } = await serve(() => {});
    await new Promise((resolve) => server?.close(resolve));
    const thrown = await problem(registry.resolveDigest(image));
    expect(thrown.message).toContain(`the registry ${host} cannot be used: the connection was refused`);
  });

  it('says that the registry is slow', async () => {
    const { registry, image } = await serve(
      () => {},
      () => ({ timeoutMs: 50, retryDelaysMs: [] }),
    );
    const thrown = await problem(registry.resolveDigest(image));
    expect(thrown.message).toContain('does not answer in time');
    server?.closeAllConnections();
  });

  it('says that the registry speaks plain HTTP', async () => {
    const { registry, image } = await serve(
      (_request, response) => response.end(),
      () => ({ insecure: [] }),
    );
    expect((await problem(registry.resolveDigest(image))).message).toContain('docker_registry_insecure: true');
  });
});

describe('access', () => {
  const credentials = (host: string) => ({
    credentials: new Map([[host, { username: 'u', password: new Secret('p') }]]),
  });

  it('answers a Basic challenge', async () => {
    const { registry, image } = await serve((request, response) => {
      if (request.headers.authorization === `Basic ${btoa('u:p')}`)
        response.setHeader('docker-content-digest', 'd').end();
      else response.writeHead(401, { 'www-authenticate': 'Basic realm="r"' }).end();
    }, credentials);
    expect(await registry.resolveDigest(image)).toBe('d');
  });

  it('fetches a token for a Bearer challenge and keeps it', async () => {
    const { registry, image, seen } = await serve((request, response) => {
      if (request.url?.startsWith('/token')) {
        response.end(request.headers.authorization === `Basic ${btoa('u:p')}` ? '{"token":"t"}' : '{}');
      } else if (request.headers.authorization === 'Bearer t') {
        response.setHeader('docker-content-digest', 'd').end();
      } else {
        const realm = `http://${request.headers.host}/token`;
        const challenge = `Bearer realm="${realm}",service="s",scope="repository:deploy/magnum-api:pull"`;
        response.writeHead(401, { 'www-authenticate': challenge }).end();
      }
    }, credentials);
    expect(await registry.resolveDigest(image)).toBe('d');
    expect(await registry.resolveDigest(image)).toBe('d');
    expect(seen.filter((line) => line.includes('/token'))).toEqual([
      'GET /token?service=s&scope=repository%3Adeploy%2Fmagnum-api%3Apull',
    ]);
  });
});

describe('inspect', () => {
  it('follows an index to the labels of the amd64 image', async () => {
    const answers: Record<string, unknown> = {
      'manifests/zed-debian-bookworm': {
        manifests: [
          { digest: 'sha256:a', platform: { architecture: 'arm64' } },
          { digest: 'sha256:b', platform: { architecture: 'amd64' } },
        ],
      },
      'manifests/sha256:b': { config: { digest: 'sha256:c' } },
      'blobs/sha256:c': { config: { Labels: { 'deploy.content-hash': 'h' } } },
    };
    const { registry, image } = await serve((request, response) => {
      const body = answers[(request.url ?? '').replace('/v2/deploy/magnum-api/', '')];
      if (body) response.setHeader('docker-content-digest', 'sha256:top').end(JSON.stringify(body));
      else response.writeHead(404).end();
    });
    expect(await registry.inspect(image)).toEqual({ digest: 'sha256:top', labels: { 'deploy.content-hash': 'h' } });
    expect(await registry.contentHashLabel(image)).toBe('h');
    expect(await registry.inspect({ ...image, tag: 'none' })).toBeUndefined();
  });

  it('reads all pages of a tag list', async () => {
    const { registry, image } = await serve((request, response) => {
      if (request.url?.includes('last=a')) response.end('{"tags":["b"]}');
      else response.setHeader('link', '</v2/deploy/magnum-api/tags/list?last=a&n=1>; rel="next"').end('{"tags":["a"]}');
    });
    expect(await registry.listTags(image.repository)).toEqual(['a', 'b']);
  });
});
