import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type ContainerSpec, createdFrom, label, nameless, type PinnedImage } from '../../src/core/model/node.ts';
import { Secret } from '../../src/core/model/secret.ts';
import type { OpenNode } from '../../src/edge/node/node.ts';
import { type OwnNode, startNode } from './own-node.ts';

const home = mkdtempSync(path.join(os.tmpdir(), 'deploy-drift-'));
let own: OwnNode;
let node: OpenNode;
let image: PinnedImage;

function docker(...argv: string[]): string {
  return execFileSync('docker', ['-H', `unix://${own.dockerd.socket}`, ...argv], { encoding: 'utf8' }).trim();
}

function spec(change: Partial<ContainerSpec> = {}): ContainerSpec {
  return {
    name: 'app',
    image,
    environment: { MODE: 'test', PASSWORD: new Secret('s3cret') },
    volumes: ['keys:/var/keys'],
    privileged: false,
    capAdd: ['NET_ADMIN'],
    healthcheck: { test: 'true', interval: 30, timeout: 20, retries: 3, startPeriod: 5 },
    dimensions: { mem_limit: '64m', ulimits: { nofile: { soft: 512, hard: 1024 } } },
    command: ['sh', '-c', 'trap "exit 0" TERM; while :; do sleep 0.1; done'],
    restart: 'unless-stopped',
    ...change,
  };
}

function labels() {
  return {
    [label.container]: 'app',
    [label.imageDigest]: image.digest,
    [label.image]: `${image.repository}:${image.tag}`,
  };
}

async function seen() {
  const found = (await node.observe()).containers.find((c) => c.name === 'app');
  if (!found) throw new Error('no app');
  return found;
}

beforeAll(async () => {
  own = await startNode(home);
  ({ node, image } = own);
}, 120_000);

afterEach(async () => {
  await node.remove('app');
});

afterAll(async () => {
  await own?.stop();
  rmSync(home, { recursive: true, force: true });
});

describe('the settings of a container', () => {
  it('are as they were made, whatever the engine and the image add', async () => {
    await node.create('app', spec(), labels());
    await node.start('app');
    expect(await node.settingsDiffering('app', spec())).toEqual([]);
    expect(await node.settingsDiffering('app', spec({ image: { ...image, digest: 'sha256:other' } }))).toEqual([
      `image ${image.repository}:zed`,
    ]);
  });

  it('may be as simple as can be', async () => {
    const simple = spec({ capAdd: [], dimensions: {}, volumes: [], healthcheck: undefined, command: undefined });
    await node.create('app', simple, labels());
    expect(await node.settingsDiffering('app', simple)).toEqual([]);
  });

  it('differ after docker update', async () => {
    await node.create('app', spec(), labels());
    await node.start('app');
    docker('update', '--memory', '128m', '--memory-swap', '256m', '--restart', 'no', 'app');
    expect(await node.settingsDiffering('app', spec())).toEqual([
      'restart policy unless-stopped → no',
      'Memory 67108864 → 134217728',
    ]);
  });

  it('of one made by hand differ by name, and values are never told', async () => {
    const own = ['-e', 'MODE=other', '-e', 'FOO=hidden', '-v', '/tmp:/mnt', '--privileged', '--network', 'host'];
    docker('create', '--name', 'app', ...own, `${image.repository}:zed`, 'sleep', 'forever');
    const differing = await node.settingsDiffering('app', spec());
    expect(differing).toEqual(
      expect.arrayContaining([
        'environment + FOO',
        'environment MODE',
        'environment − PASSWORD',
        'volume + /tmp:/mnt',
        'volume − keys:/var/keys',
        'capability − NET_ADMIN',
        'command',
        'health check',
        'privileged default → true',
        'restart policy unless-stopped → no',
        'Memory 67108864 → 0',
      ]),
    );
    expect(differing.join()).not.toMatch(/hidden|s3cret|forever/);
  });

  it('of none are no difference', async () => {
    expect(await node.settingsDiffering('absent', spec())).toEqual([]);
  });
});

describe('looking', () => {
  it('finds that an image’s name points elsewhere, what it was, and a pull gives it back', async () => {
    await node.create('app', spec(), labels());
    const name = `${image.repository}:zed`;
    expect(nameless(await seen())).toBe(false);
    docker('rmi', '-f', name);
    const astray = await seen();
    expect(nameless(astray)).toBe(true);
    expect(createdFrom(astray)).toBe(name);
    await node.pull(image);
    expect((await seen()).image).toBe(name);
  });

  it('finds it also when another image has got the name', async () => {
    await node.create('app', spec(), labels());
    const name = `${image.repository}:zed`;
    docker('commit', 'app', name);
    expect(nameless(await seen())).toBe(true);
    await node.pull(image);
    expect((await seen()).image).toBe(name);
  });

  it('tells the volumes a container has mounted', async () => {
    await node.create('app', spec(), labels());
    expect((await seen()).volumes).toEqual(['keys']);
  });
});

describe('what was done by hand', () => {
  it('a paused container goes on where it stood, or stops', async () => {
    await node.create('app', spec(), labels());
    await node.start('app');
    const before = await node.inspect('app');
    docker('pause', 'app');
    expect((await seen()).state).toBe('paused');
    await node.start('app');
    expect(await node.inspect('app')).toEqual(before);
    docker('pause', 'app');
    await node.stop('app', 2);
    expect((await node.inspect('app'))?.running).toBe(false);
  });

  it('a container that removes itself when it stops leaves its named volumes', async () => {
    docker(
      'run',
      '-d',
      '--rm',
      '--name',
      'app',
      '--network',
      'none',
      '-v',
      'data:/data',
      `${image.repository}:zed`,
      'sleep',
      '600',
    );
    await node.stop('app', 1);
    await node.remove('app');
    expect(await node.inspect('app')).toBeUndefined();
    expect((await node.observe()).volumes).toContain('data');
  });
});
