import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import Dockerode from 'dockerode';
import { pack } from 'tar-stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { planBuild } from '../../src/core/images/graph.ts';
import { selectImages } from '../../src/core/images/select.ts';
import { DeployError } from '../../src/core/model/diagnostic.ts';
import { openBuildEngine } from '../../src/edge/docker/build.ts';
import { openRegistry } from '../../src/edge/registry/registry.ts';
import { readImages } from '../../src/edge/store/read-images.ts';
import { runBuild } from '../../src/run/build.ts';
import type { BuildEvent, BuildOptions, BuildRow } from '../../src/run/build-ports.ts';

const dockerd = '/usr/sbin/dockerd';
const registryBinary = '/usr/bin/docker-registry';
const busybox = '/bin/busybox';

let folder = '';
let registryHost = '';
const processes: ChildProcess[] = [];
const tag = 'zed-debian-bookworm';

function start(command: string, args: readonly string[]): void {
  processes.push(spawn(command, args, { stdio: 'ignore' }));
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  await Promise.race([ended, delay(20_000).then(() => child.kill('SIGKILL'))]);
}

/** dockerd leaves the network namespace of `--network host` mounted when it ends. */
async function unmountLeftovers(): Promise<void> {
  if (!folder) return;
  const mounts = (await readFile('/proc/self/mounts', 'utf8')).split('\n').map((line) => line.split(' ')[1] ?? '');
  for (const mount of mounts.filter((path) => path.startsWith(`${folder}/`)).reverse()) execFileSync('umount', [mount]);
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address ? address.port : 0;
}

async function until(ready: () => Promise<unknown>): Promise<void> {
  const end = Date.now() + 60_000;
  for (;;) {
    try {
      await ready();
      return;
    } catch (thrown) {
      if (Date.now() > end) throw thrown;
      await delay(100);
    }
  }
}

function connect(): Dockerode {
  return new Dockerode({ socketPath: join(folder, 'docker.sock') });
}

/** A root file system of one static program, imported as the image everything starts from. */
async function importBase(docker: Dockerode): Promise<void> {
  const tar = pack();
  tar.entry({ name: 'bin/busybox', mode: 0o755 }, await readFile(busybox));
  tar.entry({ name: 'bin/sh', type: 'symlink', linkname: 'busybox' });
  tar.entry({ name: 'etc/empty' }, '');
  tar.finalize();
  const stream = await docker.importImage(tar as unknown as NodeJS.ReadableStream, {
    repo: 'lab/base',
    tag: 'bookworm',
  });
  for await (const _ of stream);
}

async function put(path: string, text: string, mode = 0o644): Promise<void> {
  const full = join(folder, 'services', path);
  await mkdir(dirname(full), { recursive: true });
  await writeFile(full, text);
  await chmod(full, mode);
}

interface Built {
  readonly rows: readonly BuildRow[];
  readonly events: readonly BuildEvent[];
  readonly statuses: Record<string, string>;
}

async function build(patterns: readonly string[], options: BuildOptions = {}): Promise<Built> {
  const definitions = await readImages(join(folder, 'services'));
  if (!definitions.ok) throw new DeployError(definitions.diagnostics, 3);
  const selected = selectImages(patterns, definitions.value, new Set(['common', 'demo']));
  if (!selected.ok) throw new DeployError(selected.diagnostics, 3);
  const plan = planBuild({
    definitions: definitions.value,
    selected: selected.value,
    tagsOf: () => [tag],
    repositoryOf: (name) => `${registryHost}/deploy/${name}`,
    baseImageOf: () => ({ reference: 'lab/base:bookworm' }),
    arch: 'x86_64',
  });
  if (!plan.ok) throw new DeployError(plan.diagnostics, 3);
  const events: BuildEvent[] = [];
  const ports = {
    engine: openBuildEngine(connect()),
    registry: openRegistry({ insecure: [registryHost] }),
    now: () => performance.now(),
    sleep: (ms: number) => delay(ms),
  };
  const templates = new Map(definitions.value.map(({ dockerfile }) => [dockerfile.file, dockerfile.text]));
  const rows = await runBuild(plan.value, ports, (event) => events.push(event), { templates, ...options });
  return { rows, events, statuses: Object.fromEntries(rows.map((row) => [row.image, row.status])) };
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'build-test-'));
  registryHost = `127.0.0.1:${await freePort()}`;
  const config = `version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: ${folder}/registry\nhttp:\n  addr: ${registryHost}\n`;
  await writeFile(join(folder, 'registry.yml'), config);
  start(registryBinary, ['serve', join(folder, 'registry.yml')]);
  const own = ['--data-root', `${folder}/data`, '--exec-root', `${folder}/exec`, '--pidfile', `${folder}/docker.pid`];
  start(dockerd, ['--bridge=none', '--iptables=false', '-H', `unix://${folder}/docker.sock`, ...own]);
  await until(() => connect().ping());
  await until(() => fetch(`http://${registryHost}/v2/`));
  await importBase(connect());
  await put('common/images/base/Dockerfile.hbs', 'FROM {{base_image}}\nCOPY hello /bin/hello\n');
  await put('common/images/base/hello', '#!/bin/sh\necho hello\n', 0o755);
  await put('demo/images/demo-base/Dockerfile.hbs', 'FROM {{parent "base"}}\nCOPY . /all/\nRUN /bin/hello > /made\n');
  await put('demo/images/demo-base/conf/deep/file', 'x');
  await put(
    'demo/images/demo-api/Dockerfile.hbs',
    'FROM {{parent "demo-base"}}\nENV NAME={{image_name}} RELEASE={{openstack_release}}\n',
  );
}, 120_000);

afterAll(async () => {
  await Promise.all(processes.map(stop));
  await unmountLeftovers();
  if (folder) await rm(folder, { recursive: true, force: true });
}, 60_000);

describe('deploy build on a real engine and registry', () => {
  it('builds a tree in order and pushes it', async () => {
    const { rows, events } = await build([], { push: true });
    expect(rows.map((row) => [row.image, row.status])).toEqual([
      ['base', 'pushed'],
      ['demo-base', 'pushed'],
      ['demo-api', 'pushed'],
    ]);
    const started = events.flatMap((event) => (event.kind === 'build-started' ? [event.image.name] : []));
    expect(started).toEqual(['base', 'demo-base', 'demo-api']);
    const registry = openRegistry({ insecure: [registryHost] });
    for (const row of rows) {
      const repository = `${registryHost}/deploy/${row.image}`;
      expect(await registry.resolveDigest({ repository, tag })).toBe(row.digest);
      expect(await registry.contentHashLabel({ repository, tag })).toMatch(/^[0-9a-f]{64}$/);
      expect(row.size).toBeGreaterThan(100_000);
    }
    const inspected = await connect().getImage(`${registryHost}/deploy/demo-api:${tag}`).inspect();
    expect(inspected.Config.Env).toEqual(expect.arrayContaining(['NAME=demo-api', 'RELEASE=zed']));
  });

  it('keeps its own files out of COPY and takes modes and folders as they are', async () => {
    await put(
      'demo/images/demo-list/Dockerfile.hbs',
      'FROM {{parent "demo-base"}}\nRUN /bin/busybox find /all /bin/hello -type f; /bin/busybox cat /made\n',
    );
    const { events } = await build(['demo-list']);
    const lines = events.flatMap((event) => (event.kind === 'line' ? [event.line] : []));
    expect(lines).toEqual(expect.arrayContaining(['/all/conf/deep/file', '/bin/hello', 'hello']));
    expect(lines.filter((line) => /dockerignore|\.deploy\.Dockerfile/.test(line))).toEqual([]);
    await rm(join(folder, 'services/demo/images/demo-list'), { recursive: true });
  });

  it('skips everything the second time, quickly', async () => {
    const started = performance.now();
    const { statuses } = await build([], { push: true });
    expect(performance.now() - started).toBeLessThan(2000);
    expect(statuses).toEqual({ base: 'skipped', 'demo-base': 'skipped', 'demo-api': 'skipped' });
    expect((await build([])).statuses).toEqual(statuses);
  });

  it('builds again what changed and what is built from it', async () => {
    await put('demo/images/demo-base/conf/deep/file', 'y');
    const { statuses } = await build([], { push: true });
    expect(statuses).toEqual({ base: 'skipped', 'demo-base': 'pushed', 'demo-api': 'pushed' });
  });

  it('pulls a parent that the engine has lost', async () => {
    await connect().getImage(`${registryHost}/deploy/demo-api:${tag}`).remove({ force: true });
    await connect().getImage(`${registryHost}/deploy/demo-base:${tag}`).remove({ force: true });
    const { statuses } = await build(['demo-api'], { push: true, force: true });
    expect(statuses).toEqual({ base: 'skipped', 'demo-base': 'skipped', 'demo-api': 'pushed' });
    expect((await connect().listImages()).flatMap((one) => one.RepoTags ?? [])).toContain(
      `${registryHost}/deploy/demo-base:${tag}`,
    );
  });

  it('reports the failing line with what it said, and blocks the children', async () => {
    const original =
      '{{#if (eq image_name "demo-base")}}\nFROM {{parent "base"}}\n{{/if}}\nRUN echo working; echo broken thing >&2; exit 3\n';
    await put('demo/images/demo-base/Dockerfile.hbs', original);
    const { rows, statuses } = await build([]);
    expect(statuses).toEqual({ base: 'skipped', 'demo-base': 'failed', 'demo-api': 'blocked' });
    const [, failed, blocked] = rows;
    expect(failed?.problem?.at).toEqual({ file: 'services/demo/images/demo-base/Dockerfile.hbs', line: 4, column: 1 });
    expect(failed?.problem?.message).toMatch(/step 2 of 3 failed: RUN echo working.*returned a non-zero code: 3/);
    expect(failed?.log).toEqual(expect.arrayContaining(['working', 'broken thing']));
    expect(blocked?.blockedBy).toBe(`demo-base:${tag}`);
  });

  it('reports a syntax error, which the engine refuses differently', async () => {
    await put('demo/images/demo-base/Dockerfile.hbs', 'FROM {{parent "base"}}\n\nFOO bar\n');
    const { rows } = await build(['demo-base']);
    expect(rows[1]?.status).toBe('failed');
    expect(rows[1]?.problem?.message).toMatch(/unknown instruction: FOO/);
    expect(rows[1]?.problem?.at?.line).toBe(3);
  });

  it('names the known tags when one is missing', async () => {
    const registry = openRegistry({ insecure: [registryHost] });
    const missing = registry.resolveDigest({
      repository: `${registryHost}/deploy/demo-api`,
      tag: 'zed-debian-bullseye',
    });
    await expect(missing).rejects.toThrow(
      `there is no tag zed-debian-bullseye of deploy/demo-api in the registry ${registryHost}; known tags: ${tag}`,
    );
    const unknown = registry.resolveDigest({ repository: `${registryHost}/deploy/nothing`, tag });
    await expect(unknown).rejects.toThrow('there is no image deploy/nothing');
  });

  it('reports a push that the registry refuses', async () => {
    const engine = openBuildEngine(connect());
    const port = await freePort();
    const reference = `127.0.0.1:${port}/deploy/x:${tag}`;
    expect(
      await engine.build({ reference, dockerfile: 'FROM lab/base:bookworm\n', context: [], nocache: false }, () => {}),
    ).toMatchObject({ ok: true });
    const answer = await engine.push({ repository: `127.0.0.1:${port}/deploy/x`, tag }, () => {});
    expect(answer).toMatchObject({ ok: false });
    expect(answer.ok ? '' : answer.message).toMatch(/connection refused/);
  });
});
