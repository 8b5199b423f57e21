import { execFileSync, spawn, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { DeployError } from '../../src/core/model/diagnostic.ts';
import { type ContainerSpec, label, type PinnedImage } from '../../src/core/model/node.ts';
import { Secret } from '../../src/core/model/secret.ts';
import type { StepOf } from '../../src/core/plan/steps.ts';
import { type NodeOptions, type OpenNode, openNode } from '../../src/edge/node/node.ts';
import type { SshTarget } from '../../src/edge/ssh/target.ts';
import type { StepContext } from '../../src/run/step-context.ts';
import { runTask } from '../../src/run/task.ts';
import { busyboxTar, startDockerd, type TestDockerd } from './dockerd.ts';
import { startRegistry, type TestRegistry } from './registry.ts';
import { freePort, makeKey, startSshd, stopProcess, type TestSshd, targetOf, until } from './sshd.ts';

const home = mkdtempSync(path.join(os.tmpdir(), 'deploy-node-'));
const root = path.join(home, 'etc kolla');
let sshd: TestSshd;
let dockerd: TestDockerd;
let registry: TestRegistry;
let node: OpenNode;
let image: PinnedImage;

function target(change: Partial<SshTarget> = {}): SshTarget {
  return targetOf(sshd, change);
}

function options(change: Partial<NodeOptions> = {}): NodeOptions {
  return { knownHosts: [sshd.knownHosts], dockerSocket: dockerd.socket, configRoot: root, ...change };
}

function spec(change: Partial<ContainerSpec> = {}): ContainerSpec {
  return {
    name: 'app',
    image,
    environment: { MODE: 'test', PASSWORD: new Secret('s3cret') },
    volumes: ['keys:/var/keys'],
    privileged: false,
    capAdd: [],
    dimensions: { mem_limit: '64m', ulimits: { nofile: { soft: 512, hard: 1024 } } },
    command: ['sh', '-c', 'echo started; echo oops >&2; trap "exit 7" TERM; while :; do sleep 0.1; done'],
    restart: 'no',
    ...change,
  };
}

const labels = { [label.container]: 'app', [label.service]: 'test' };

/** What a failed call tells the operator. */
async function problem(work: Promise<unknown>): Promise<DeployError> {
  try {
    await work;
  } catch (thrown) {
    if (thrown instanceof DeployError) return thrown;
    throw thrown;
  }
  throw new Error('the call did not fail');
}

beforeAll(async () => {
  [sshd, dockerd] = await Promise.all([startSshd(path.join(home, 'ssh')), startDockerd(path.join(home, 'engine'))]);
  registry = await startRegistry(busyboxTar(home));
  image = { repository: registry.repository, tag: 'zed', digest: registry.digest };
  node = await openNode(target(), options());
}, 120_000);

afterAll(async () => {
  await node?.close();
  await registry?.stop();
  await dockerd?.stop();
  await sshd?.stop();
  rmSync(home, { recursive: true, force: true });
});

describe('looking', () => {
  it('costs one session and a fixed number of engine calls, and finds nothing on an empty node', async () => {
    const fresh = await openNode(target(), options());
    const seen = await fresh.observe();
    expect(fresh.counters).toMatchObject({ connections: 1, sessions: 1, engineCalls: 3 });
    expect(seen).toMatchObject({ host: 'node1', hostname: os.hostname().split('.')[0], files: [], markers: {} });
    expect(seen.processors).toBe(os.cpus().length);
    expect(seen.memoryMb).toBe(Math.floor(os.totalmem() / 2 ** 20));
    expect(seen.addresses).toContain('127.0.0.1');
    expect(seen.engineVersion).toMatch(/^\d+\./);
    await fresh.close();
  });

  it('lists listening sockets when asked', async () => {
    const seen = await node.observe({ listening: true });
    expect(seen.listening).toContainEqual(expect.objectContaining({ address: '127.0.0.1', port: sshd.port }));
  });
});

describe('images', () => {
  it('pulls by digest, tags, and does not ask the registry again', async () => {
    const lines: string[] = [];
    expect(await node.pull(image, (line) => lines.push(line))).toEqual({ pulled: true });
    expect(lines.length).toBeGreaterThan(0);
    const before = registry.requests();
    expect(await node.pull(image)).toEqual({ pulled: false });
    expect(await node.pull({ ...image, tag: 'other' })).toEqual({ pulled: false });
    expect(registry.requests()).toBe(before);
    const seen = await node.observe({ images: true });
    expect(seen.images?.[0]?.tags).toEqual(
      expect.arrayContaining([`${image.repository}:zed`, `${image.repository}:other`]),
    );
    expect(seen.images?.[0]?.digests).toEqual([`${image.repository}@${image.digest}`]);
  });

  it('tells a missing image from a registry that is down', async () => {
    const digest = `sha256:${'0'.repeat(64)}`;
    const missing = await problem(node.pull({ ...image, digest }));
    expect(missing.diagnostics[0]).toMatchObject({ code: 'image-missing', host: 'node1' });
    const repository = `127.0.0.1:${await freePort()}/lab/busybox`;
    const patient = await openNode(target(), options({ pullDelaysMs: [10, 20] }));
    const lines: string[] = [];
    const down = await problem(patient.pull({ ...image, repository }, (line) => lines.push(line)));
    expect(down.diagnostics[0]).toMatchObject({ code: 'registry-down', host: 'node1' });
    expect(down.message).toContain(repository);
    expect(down.message).toContain('3 attempts were made');
    expect(down.exit).toBe(4);
    expect(lines.filter((line) => line.includes('again in'))).toHaveLength(2);
    await patient.close();
  });
});

describe('files', () => {
  it('writes in one session, with modes, and reads back names with blanks and newlines', async () => {
    const files = Array.from({ length: 50 }, (_, i) => ({
      path: `${root}/app ${i % 5}/file\n'${i}'$(x).conf`,
      content: `content ${i}\n`,
      mode: i % 2 ? '0660' : '0600',
    }));
    const before = node.counters.sessions;
    await node.writeFiles(files, []);
    expect(node.counters.sessions).toBe(before + 1);
    const seen = await node.observe();
    expect(seen.files).toHaveLength(50);
    expect(seen.files.map((file) => file.path).sort()).toEqual(files.map((file) => file.path).sort());
    expect(seen.files.find((file) => file.path === files[1]?.path)?.mode).toBe('0660');
    expect(readFileSync(files[7]?.path ?? '', 'utf8')).toBe('content 7\n');
    expect(statSync(`${root}/app 0`).mode & 0o777).toBe(0o770);
    await node.writeFiles([{ path: files[0]?.path ?? '', content: 'new', mode: '0600' }], [files[1]?.path ?? '']);
    expect((await node.observe()).files).toHaveLength(49);
    expect(readFileSync(files[0]?.path ?? '', 'utf8')).toBe('new');
  });

  it('names the path that cannot be written and refuses to remove what is not its own', async () => {
    writeFileSync(path.join(home, 'plain'), 'not a directory');
    const bad = await problem(node.writeFiles([{ path: `${home}/plain/x`, content: '', mode: '0600' }], []));
    expect(bad.diagnostics[0]?.message).toContain(`${home}/plain/x`);
    const outside = await problem(node.writeFiles([], ['/etc/passwd', `${root}/../x`]));
    expect(outside.diagnostics).toHaveLength(2);
  });

  it('meets a full disk before the first file is replaced', async () => {
    const small = path.join(home, 'small');
    mkdirSync(small);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', small]);
    try {
      const full = await openNode(target(), options({ configRoot: small }));
      await full.writeFiles([{ path: `${small}/a/x`, content: 'old', mode: '0600' }], []);
      const files = [
        { path: `${small}/a/x`, content: 'new', mode: '0600' },
        { path: `${small}/a/big`, content: 'x'.repeat(300_000), mode: '0600' },
      ];
      const thrown = await problem(full.writeFiles(files, []));
      expect(thrown.diagnostics[0]).toMatchObject({ code: 'no-space', host: 'node1' });
      expect(thrown.exit).toBe(4);
      expect(thrown.message).toContain(`${small}/a/big: no space left on its disk; the old files are still in place`);
      expect(readFileSync(`${small}/a/x`, 'utf8')).toBe('old');
      expect(readdirSync(`${small}/.deploy/staging`)).toEqual([]);
      await full.close();
    } finally {
      execFileSync('umount', [small]);
    }
  });

  it('keeps markers whatever their values, and forgets them', async () => {
    const value = 'two\nlines "quoted" ü $(x) :';
    await node.writeMarker('run.bootstrap_app', value);
    await node.writeMarker('other', '');
    expect((await node.observe()).markers).toEqual({ 'run.bootstrap_app': value, other: '' });
    await node.removeMarkers(['run.bootstrap_app', 'never-was']);
    expect((await node.observe()).markers).toEqual({ other: '' });
    expect((await problem(node.writeMarker('../x', ''))).diagnostics[0]?.code).toBe('bad-marker');
  });
});

describe('containers', () => {
  it('creates, fills a volume before the first start, starts, runs commands, stops, renames, removes', async () => {
    await node.create('app', spec(), labels);
    expect((await node.inspect('app'))?.running).toBe(false);
    const key = { name: 'key', content: Buffer.from([0, 1, 255]), mode: 0o600, uid: 42, gid: 43 };
    await node.putFiles('app', '/var/keys', [key]);
    await node.start('app');
    await node.start('app');
    const shown = await node.exec('app', [
      'sh',
      '-c',
      'stat -c "%a %u %g" /var/keys/key; echo "$MODE $PASSWORD" >&2; exit 3',
    ]);
    expect(shown).toEqual({ code: 3, stdout: '600 42 43\n', stderr: 'test s3cret\n' });
    expect([...(await node.getFiles('app', '/var/keys'))]).toEqual([['key', Buffer.from([0, 1, 255])]]);
    const seen = (await node.observe()).containers.find((one) => one.name === 'app');
    expect(seen).toMatchObject({ state: 'running', health: 'none', labels, image: `${image.repository}:zed` });
    expect((await problem(node.create('app', spec(), labels))).diagnostics[0]?.code).toBe('container-exists');
    expect((await node.logs('app', 10)).split('\n').sort()).toEqual(['', 'oops', 'started']);
    await node.signal('app', 'SIGTERM');
    expect(await node.wait('app', 10_000)).toBe(7);
    await node.stop('app', 1);
    await node.rename('app', 'old');
    expect(await node.inspect('app')).toBeUndefined();
    await node.remove('old');
    await node.remove('old');
    expect((await node.observe()).volumes).toContain('keys');
    await node.removeVolumes(['keys', 'never-was']);
    expect((await node.observe()).volumes).not.toContain('keys');
  });

  it('replaces a container that never ran, and refuses a tag that is another image', async () => {
    const first = await node.create('app', spec(), labels);
    expect(await node.create('app', spec(), labels)).not.toBe(first);
    await node.remove('app');
    const other = { ...image, digest: `sha256:${'1'.repeat(64)}` };
    const refused = await problem(node.create('app', spec({ image: other }), labels));
    expect(refused.diagnostics[0]).toMatchObject({ code: 'image-missing', host: 'node1' });
    const absent = await problem(node.create('app', spec({ image: { ...image, tag: 'absent' } }), labels));
    expect(absent.message).toContain('is not on the node');
  });

  it('tells a full disk of the engine from a container that cannot be created', async () => {
    const folder = path.join(home, 'engine', 'data', 'containers');
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4k', 'tmpfs', folder]);
    try {
      writeFileSync(path.join(folder, 'full'), 'x'.repeat(4096));
      const thrown = await problem(node.create('app', spec(), labels));
      expect(thrown.diagnostics[0]).toMatchObject({ code: 'no-space', host: 'node1' });
      expect(thrown.message).toMatch(
        /cannot create the container app: no space left on the engine’s disk \(.*\)\n.*make room/,
      );
      expect(thrown.exit).toBe(4);
    } finally {
      execFileSync('umount', ['-l', folder]);
    }
    await node.remove('app');
  });

  it('gives up a command and a wait after their time', async () => {
    await node.create('app', spec(), labels);
    await node.start('app');
    expect((await problem(node.exec('app', ['sleep', '30'], { timeoutMs: 300 }))).diagnostics[0]?.code).toBe('timeout');
    expect((await problem(node.wait('app', 300))).diagnostics[0]?.code).toBe('timeout');
    expect((await node.exec('app', ['true'])).code).toBe(0);
    await node.stop('app', 0);
    expect((await problem(node.exec('app', ['true']))).message).toContain('is not running');
    await node.remove('app');
  });

  it('has neither the container nor the password of a task that ran out of time', async () => {
    const password = 'nowhere-to-be-found';
    const holding = () => spawnSync('grep', ['-rlF', password, path.join(home, 'engine', 'data')]).stdout.toString();
    const files = [{ name: 'backup.cnf', content: new Secret(password) }];
    const task = { kind: 'task', name: 'app', spec: spec({ volumes: [] }), labels, directory: '/bin', files } as const;
    const step = { ...task, host: 'node1', timeoutSeconds: 2 } as unknown as StepOf<'task'>;
    const clock = { now: () => performance.now(), sleep: (ms: number) => sleep(ms) };
    let meanwhile = '';
    const progress = () => {
      meanwhile = holding();
    };
    const context = { node, clock, runId: 'run1', progress } as unknown as StepContext;
    expect((await problem(runTask(step, context))).message).toContain('app did not end within 2 s');
    expect(meanwhile).toContain('backup.cnf');
    expect(holding()).toBe('');
    expect(await node.inspect('app')).toBeUndefined();
  });

  it('looks at 20 containers and 50 files at the same cost as at one', async () => {
    const cost = async (): Promise<readonly number[]> => {
      const fresh = await openNode(target(), options());
      await fresh.observe();
      const { sessions, engineCalls } = fresh.counters;
      await fresh.close();
      return [sessions, engineCalls];
    };
    await node.create('app-0', spec({ name: 'app-0' }), labels);
    const one = await cost();
    for (let i = 1; i < 20; i++) await node.create(`app-${i}`, spec({ name: `app-${i}` }), labels);
    expect(await cost()).toEqual(one);
    expect(one).toEqual([1, 3]);
  });

  it('answers a warm engine call faster than a new connection, because a session is open', async () => {
    const first = performance.now();
    const fresh = await openNode(target(), options());
    await fresh.inspect('app-0');
    const cold = performance.now() - first;
    await fresh.pull(image);
    const times: number[] = [];
    for (let i = 0; i < 15; i++) {
      const start = performance.now();
      await fresh.inspect('app-0');
      times.push(performance.now() - start);
    }
    await fresh.close();
    // Side by side, on a machine that may be busy: a session for each call would cost half of the first one or more.
    expect(times.sort((a, b) => a - b)[7]).toBeLessThan(cold / 2);
  });
});

describe('what goes wrong', () => {
  const cases: readonly [string, () => Promise<{ target: SshTarget; options: NodeOptions }>, string, RegExp][] = [
    [
      'a key that is not accepted',
      async () => ({ target: target({ identityFile: makeKey(path.join(home, 'wrong')) }), options: options() }),
      'authentication-refused',
      /root@127\.0\.0\.1 port \d+ refused to log in: tried .*wrong/,
    ],
    [
      'a key file that does not exist',
      async () => ({ target: target({ identityFile: path.join(home, 'nowhere') }), options: options() }),
      'key-file',
      /nowhere does not exist/,
    ],
    [
      'a key with a passphrase',
      async () => ({
        target: target({ identityFile: makeKey(path.join(home, 'locked'), 'pass') }),
        options: options(),
      }),
      'key-passphrase',
      /protected by a passphrase/,
    ],
    [
      'an unknown host key',
      async () => ({ target: target(), options: options({ knownHosts: [path.join(home, 'empty')] }) }),
      'host-key-unknown',
      /SHA256:.*ssh-keyscan -p \d+ -t ed25519 127\.0\.0\.1 >> /s,
    ],
    [
      'a changed host key',
      async () => {
        const known = path.join(home, 'changed');
        const other = readFileSync(`${makeKey(path.join(home, 'other'))}.pub`, 'utf8');
        writeFileSync(known, `# comment\n[127.0.0.1]:${sshd.port} ${other}`);
        return { target: target(), options: options({ knownHosts: [known] }) };
      },
      'host-key-changed',
      /offers SHA256:\S+ .*known is SHA256:\S+ \(ssh-ed25519, \S+changed:2\)/,
    ],
    [
      'a port nobody listens on',
      async () => ({ target: target({ port: await freePort() }), options: options() }),
      'unreachable',
      /connection refused/,
    ],
    [
      'a name that does not exist',
      async () => ({ target: target({ address: 'node.invalid' }), options: options() }),
      'unreachable',
      /name cannot be resolved/,
    ],
  ];

  it.each(cases)('%s: one clear message', async (_name, make, code, words) => {
    const made = await make();
    const thrown = await problem(openNode(made.target, made.options));
    expect(thrown.exit).toBe(4);
    expect(thrown.diagnostics).toHaveLength(1);
    expect(thrown.diagnostics[0]).toMatchObject({ host: 'node1', code });
    expect(thrown.message).toMatch(words);
  });

  it('no engine: host and socket are named, once', async () => {
    const lonely = await openNode(target(), options({ dockerSocket: path.join(home, 'no.sock') }));
    const thrown = await problem(lonely.observe());
    expect(thrown.exit).toBe(4);
    expect(thrown.diagnostics).toHaveLength(1);
    expect(thrown.message).toMatch(/node1: no Docker Engine answers at .*no\.sock/);
    await lonely.close();
  });

  it('an sshd that forwards no sockets: the docker command carries the bytes', async () => {
    const strict = await startSshd(path.join(home, 'strict'), ['AllowStreamLocalForwarding no']);
    onTestFinished(strict.stop);
    const place = { port: strict.port, identityFile: strict.identityFile };
    const other = await openNode(target(place), options({ knownHosts: [strict.knownHosts] }));
    expect((await other.observe()).containers.length).toBe(20);
    await other.close();
  });

  it('an sshd that allows one session at a time: commands wait for each other', async () => {
    const narrow = await startSshd(path.join(home, 'narrow'), ['MaxSessions 1']);
    onTestFinished(narrow.stop);
    const place = { port: narrow.port, identityFile: narrow.identityFile };
    const other = await openNode(target(place), options({ knownHosts: [narrow.knownHosts] }));
    const words = ['a', 'b', 'c'].map((word) => other.connection.exec(['sh', '-c', 'sleep 0.1; echo "$0"', word]));
    expect((await Promise.all(words)).map((one) => String(one.stdout))).toEqual(['a\n', 'b\n', 'c\n']);
    await other.close();
  });

  it('goes through a hop and checks the keys of both', async () => {
    const hop = await startSshd(path.join(home, 'hop'));
    onTestFinished(hop.stop);
    const jump = target({ host: 'bastion', port: hop.port, identityFile: hop.identityFile });
    const known = options({ knownHosts: [hop.knownHosts, sshd.knownHosts] });
    const far = await openNode(target({ proxyJump: [jump] }), known);
    expect((await far.observe()).host).toBe('node1');
    expect(far.counters.connections).toBe(2);
    await far.close();
    const thrown = await problem(openNode(target({ proxyJump: [jump] }), options()));
    expect(thrown.diagnostics[0]).toMatchObject({ host: 'node1', code: 'host-key-unknown' });
    expect(thrown.message).toContain('through bastion');
  });

  it('a lost connection rejects what is pending and what comes later', async () => {
    const doomed = await openNode(target(), options());
    const pending = problem(doomed.connection.exec(['sh', '-c', 'kill -9 $PPID; sleep 20']));
    const waiting = problem(doomed.wait('app-0', 0).then(() => doomed.exec('app-0', ['true'])));
    expect((await pending).diagnostics[0]).toMatchObject({ code: 'connection-lost', host: 'node1' });
    await waiting;
    expect((await problem(doomed.observe())).diagnostics).toHaveLength(1);
    expect((await problem(doomed.inspect('app-0'))).exit).toBe(4);
    await doomed.close();
  });

  it('a peer that falls silent counts as lost', async () => {
    const silent = await openNode(target(), options({ keepaliveIntervalMs: 200 }));
    const pid = Number((await silent.connection.exec(['sh', '-c', 'echo $PPID'])).stdout);
    process.kill(pid, 'SIGSTOP');
    const thrown = await problem(silent.observe());
    expect(thrown.diagnostics).toHaveLength(1);
    expect(thrown.diagnostics[0]).toMatchObject({ code: 'connection-lost', host: 'node1' });
    process.kill(pid, 'SIGKILL');
    await silent.close();
  });

  it('the keys of an agent, and an agent that is not there', async () => {
    const socket = path.join(home, 'agent');
    const agent = spawn('ssh-agent', ['-D', '-a', socket], { stdio: 'ignore' });
    await until(
      'ssh-agent',
      async () => existsSync(socket),
      () => '',
    );
    execFileSync('ssh-add', ['-q', sshd.identityFile], { env: { ...process.env, SSH_AUTH_SOCK: socket } });
    const byAgent = await openNode(target({ identityFile: undefined, agent: socket }), options());
    await byAgent.close();
    await stopProcess(agent);
    const thrown = await problem(openNode(target({ identityFile: undefined, agent: socket }), options()));
    expect(thrown.diagnostics[0]?.code).toBe('authentication-refused');
    expect(thrown.message).toContain('the agent did not answer');
  });

  it('an engine that restarts: a clear error while it is down, and the same connection works afterwards', async () => {
    const other = await openNode(target(), options());
    await other.observe();
    await dockerd.stop();
    expect((await problem(other.observe())).diagnostics[0]?.code).toBe('no-engine');
    dockerd = await startDockerd(path.join(home, 'engine'));
    expect((await other.observe()).containers.length).toBe(20);
    await other.close();
  });

  it('connects from the node to an address there', async () => {
    const socket = await node.connect('127.0.0.1', sshd.port);
    const greeting = await new Promise<string>((resolve) =>
      socket.once('data', (data: Buffer) => resolve(String(data))),
    );
    expect(greeting).toMatch(/^SSH-2\.0/);
    socket.destroy();
    expect((await problem(node.connect('127.0.0.1', await freePort()))).diagnostics[0]?.code).toBe('forward-refused');
  });
});
