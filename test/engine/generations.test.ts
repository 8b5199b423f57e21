import { spawn } from 'node:child_process';
import {
  chmodSync,
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
import { buffer, text } from 'node:stream/consumers';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { formOf, type Generation } from '../../src/core/model/generation.ts';
import { isSecret, Secret } from '../../src/core/model/secret.ts';
import type { RunOnNode } from '../../src/edge/node/files.ts';
import {
  readGeneration,
  recordGeneration,
  removeGenerations,
  restoreGeneration,
} from '../../src/edge/node/generations.ts';

const home = mkdtempSync(path.join(os.tmpdir(), 'deploy-generations-'));
const tools = path.join(home, 'tools');
const counter = path.join(home, 'counter');
let root = '';
let directory = '';
let number = 0;

/** Commands the scripts use; each stand-in kills the script that called it when its turn has come. */
function standIns(): void {
  mkdirSync(tools, { recursive: true });
  for (const name of ['mkdir', 'cat', 'cp', 'chmod', 'readlink', 'mv', 'ln', 'rm', 'find']) {
    const script = `#!/bin/sh
read -r left <${counter}
echo $((left - 1)) >${counter}
[ "$left" = 1 ] && kill -9 $PPID && exit 9
exec /usr/bin/${name} "$@"
`;
    writeFileSync(path.join(tools, name), script, { mode: 0o755 });
  }
}

/** The node's shell is this machine's; `killAt` kills the script in place of its n-th command. */
function shell(killAt?: number): RunOnNode {
  return async ([command = '', ...args], stdin) => {
    if (killAt !== undefined) writeFileSync(counter, `${killAt}\n`);
    const found = killAt === undefined ? process.env.PATH : `${tools}:${process.env.PATH}`;
    const child = spawn(command, args, { env: { ...process.env, PATH: found }, stdio: 'pipe' });
    child.stdin.on('error', () => {});
    child.stdin.end(stdin);
    const code = new Promise<number>((resolve) => child.once('close', (status) => resolve(status ?? 137)));
    const [stdout, stderr] = await Promise.all([buffer(child.stdout), text(child.stderr)]);
    return { code: await code, stdout, stderr };
  };
}

function generation(configHash: string): Generation {
  return {
    format: 1,
    container: 'app',
    service: 'test',
    image: { repository: 'r:5000/n/app', tag: 'zed', digest: 'sha256:1' },
    specHash: 'spec',
    configHash,
    spec: {
      name: 'app',
      environment: { MODE: "it's", PASSWORD: new Secret('s3cret') },
      volumes: [],
      privileged: false,
      capAdd: [],
      dimensions: { ulimits: { nofile: { soft: 1 } } },
      restart: 'unless-stopped',
    },
    sources: { 'var:a': 'hash' },
    run: 'run1',
    previous: null,
  };
}

function write(files: Readonly<Record<string, string>>): void {
  rmSync(directory, { recursive: true, force: true });
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(path.dirname(directory + name), { recursive: true });
    writeFileSync(directory + name, content);
    chmodSync(directory + name, 0o640);
  }
}

function contents(): Record<string, string> {
  const names = readdirSync(directory, { recursive: true, encoding: 'utf8' }).sort();
  const files = names.filter((name) => statSync(directory + name).isFile());
  return Object.fromEntries(files.map((name) => [name, readFileSync(directory + name, 'utf8')]));
}

const record = (hash: string, run = shell()) => recordGeneration('node1', root, run, directory, generation(hash));
const restore = (run = shell()) => restoreGeneration('node1', root, run, 'app', directory);
const read = (which: 'current' | 'previous') => readGeneration('node1', root, shell(), 'app', directory, which);
const hashes = async () => [
  (await read('current'))?.generation.configHash,
  (await read('previous'))?.generation.configHash,
];

const first = { 'app.conf': 'first', 'with blank/and\nline': 'x' };
const second = { 'app.conf': 'second', 'new.conf': 'y' };

standIns();
beforeEach(() => {
  root = path.join(home, `etc kolla ${number++}`);
  directory = `${root}/app/`;
});
afterAll(() => rmSync(home, { recursive: true, force: true }));

describe('generations on a node', () => {
  it('keep what was recorded, secrets wrapped again when they are read', async () => {
    expect(await read('current')).toBeUndefined();
    write(first);
    await record('a');
    const stored = await read('current');
    const password = stored?.generation.spec.environment.PASSWORD;
    expect(stored?.generation).toEqual(generation('a'));
    expect(isSecret(password) && password.reveal()).toBe('s3cret');
    expect(JSON.stringify(stored)).not.toContain('s3cret');
    expect(stored?.files).toEqual([
      { path: `${directory}app.conf`, content: 'first', mode: '0640' },
      { path: `${directory}with blank/and\nline`, content: 'x', mode: '0640' },
    ]);
    expect(await read('previous')).toBeUndefined();
  });

  it('are the newest two, and the same form twice is one of them', async () => {
    for (const hash of ['a', 'b', 'b', 'c', 'c']) {
      write({ 'app.conf': hash });
      await record(hash);
    }
    expect(await hashes()).toEqual(['c', 'b']);
    expect((await read('previous'))?.files).toMatchObject([{ content: 'b' }]);
    const store = `${root}/.deploy/generations/app`;
    expect(readdirSync(store)).toHaveLength(3);
    for (const name of readdirSync(store).filter((one) => one !== 'current')) {
      expect(statSync(path.join(store, name)).mode & 0o777).toBe(0o700);
      expect(statSync(path.join(store, name, 'container.json')).mode & 0o777).toBe(0o600);
    }
    const current = JSON.parse(readFileSync(path.join(store, 'current', 'container.json'), 'utf8'));
    expect(existsSync(path.join(store, current.previous, 'files', 'app.conf'))).toBe(true);
  });

  it('put back exactly the files there were', async () => {
    expect(await restore()).toBe(false);
    write(first);
    await record('a');
    write(second);
    expect(await restore()).toBe(true);
    expect(contents()).toEqual(first);
    expect(statSync(`${directory}app.conf`).mode & 0o777).toBe(0o640);
    expect(readdirSync(`${root}/.deploy/staging`)).toEqual([]);
  });

  it('of a container without files, and none after they are removed', async () => {
    await record('a');
    expect((await read('current'))?.files).toEqual([]);
    await removeGenerations('node1', root, shell(), ['app', 'other']);
    expect(await read('current')).toBeUndefined();
  });

  it('refuse a name that is a path', async () => {
    await expect(removeGenerations('node1', root, shell(), ['../app'])).rejects.toThrow('cannot be the name');
  });
});

describe('a script that is killed', () => {
  it('while recording leaves the old generation or the new one, and the next recording is whole', async () => {
    const seen = new Set<string>();
    for (let at = 1; ; at++) {
      rmSync(root, { recursive: true, force: true });
      for (const hash of ['0', 'a']) {
        write({ ...first, 'app.conf': hash });
        await record(hash);
      }
      write(second);
      const killed = await record('b', shell(at)).then(
        () => false,
        () => true,
      );
      const [current = '', previous = ''] = await hashes();
      seen.add(`${current}${previous}`);
      expect((await read('current'))?.files[0]?.content).toBe(current === 'b' ? 'second' : 'a');
      await record('b');
      expect(await hashes()).toEqual(['b', 'a']);
      expect(readdirSync(`${root}/.deploy/generations/app`)).toHaveLength(3);
      expect(readdirSync(`${root}/.deploy/generations/app`, { encoding: 'utf8' })).toContain('current');
      if (!killed && at > 12) break;
    }
    expect([...seen].sort()).toEqual(['a0', 'ba']);
  });

  it('while restoring leaves each file old or new, and the next restoring ends it', async () => {
    for (let at = 1; ; at++) {
      rmSync(root, { recursive: true, force: true });
      write(first);
      await record('a');
      write(second);
      const killed = await restore(shell(at)).then(
        () => false,
        () => true,
      );
      expect(['first', 'second']).toContain(contents()['app.conf']);
      expect(await restore()).toBe(true);
      expect(contents()).toEqual(first);
      if (!killed && at > 8) break;
    }
  });
});

it('the form names settings, files and image', () => {
  expect(formOf(generation('a'))).toBe('spec a sha256:1');
});
