import { createHash } from 'node:crypto';
import http from 'node:http';
import { gzipSync } from 'node:zlib';

/** A registry that serves one image read-only and can be told to fail. */
export interface TestRegistry {
  /** `127.0.0.1:port/lab/busybox` */
  readonly repository: string;
  /** Digest of the manifest. */
  readonly digest: string;
  /** Requests so far. */
  readonly requests: () => number;
  stop(): Promise<void>;
}

interface Content {
  readonly type: string;
  readonly body: Buffer;
  /** Of a manifest, which is told with it. */
  readonly digest?: string;
}

function digestOf(data: Buffer): string {
  return `sha256:${createHash('sha256').update(data).digest('hex')}`;
}

function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}

/** What is served for an image of one layer, by path, and the digest of its manifest. */
function imageOf(tar: Buffer): { readonly digest: string; readonly contents: ReadonlyMap<string, Content> } {
  const layer = gzipSync(tar, { level: 1 });
  const config = json({
    architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
    os: 'linux',
    config: { Cmd: ['sh'] },
    rootfs: { type: 'layers', diff_ids: [digestOf(tar)] },
  });
  const described = (mediaType: string, data: Buffer) => ({ mediaType, size: data.length, digest: digestOf(data) });
  const type = 'application/vnd.docker.distribution.manifest.v2+json';
  const manifest = json({
    schemaVersion: 2,
    mediaType: type,
    config: described('application/vnd.docker.container.image.v1+json', config),
    layers: [described('application/vnd.docker.image.rootfs.diff.tar.gzip', layer)],
  });
  const digest = digestOf(manifest);
  const blob = 'application/octet-stream';
  const contents = new Map<string, Content>([
    ['/v2/', { type: blob, body: Buffer.from('{}') }],
    ...[config, layer].map((body) => [`/v2/lab/busybox/blobs/${digestOf(body)}`, { type: blob, body }] as const),
    ...[digest, 'latest'].map(
      (name) => [`/v2/lab/busybox/manifests/${name}`, { type, body: manifest, digest }] as const,
    ),
  ]);
  return { digest, contents };
}

function answerWith(content: Content | undefined, method: string | undefined, answer: http.ServerResponse): void {
  if (!content) {
    answer.writeHead(404, { 'content-type': 'application/json' });
    answer.end(JSON.stringify({ errors: [{ code: 'MANIFEST_UNKNOWN', message: 'manifest unknown' }] }));
    return;
  }
  const { type, body, digest } = content;
  answer.writeHead(200, {
    'content-type': type,
    'content-length': body.length,
    ...(digest === undefined ? {} : { 'docker-content-digest': digest }),
  });
  answer.end(method === 'HEAD' ? undefined : body);
}

/** Serves `tar` as an image of one layer; engines trust registries on loopback without TLS. */
export async function startRegistry(tar: Buffer): Promise<TestRegistry> {
  const { digest, contents } = imageOf(tar);
  let requests = 0;
  const server = http.createServer(({ url, method }, answer) => {
    requests += 1;
    answerWith(contents.get(url ?? ''), method, answer);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  return {
    repository: `127.0.0.1:${port}/lab/busybox`,
    digest,
    requests: () => requests,
    stop: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
