import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { listRuns, readRun } from '../../src/edge/store/journal.ts';
import { runText } from '../../src/report/history-text.ts';
import { stopProcess, until } from './sshd.ts';

const program = path.resolve('test/sim/process.ts');
const command = ['--import', 'tsx', program];
const memcached = ['memcached', 'stop memcached node1'];
const migration = ['magnum', 'wait bootstrap_magnum node1'];

interface Run {
  readonly child: ChildProcess;
  readonly state: string;
  out(): string;
  err(): string;
  /** Resolves with the exit code once both streams have ended. */
  readonly ended: Promise<number | null>;
  waits(): Promise<void>;
  go(): void;
}

/** A run on simulated nodes that stands still in one call. Its state directory is `state`. */
function begin(
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
  state = stateDirectory(),
): Run {
  const child = spawn(process.execPath, [...command, ...args], {
    env: { ...process.env, NODE_OPTIONS: '', XDG_STATE_HOME: state, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  onTestFinished(() => stopProcess(child, 'SIGKILL'));
  const said = { out: '', err: '' };
  child.stdout.on('data', (chunk: Buffer) => (said.out += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (said.err += chunk.toString()));
  return {
    child,
    state,
    out: () => said.out,
    err: () => said.err,
    ended: new Promise((resolve) => child.once('exit', resolve)),
    waits: () =>
      until(
        'the run',
        async () => existsSync(path.join(state, 'waits')),
        () => said.out + said.err,
      ),
    go: () => writeFileSync(path.join(state, 'go'), ''),
  };
}

function stateDirectory(): string {
  const directory = mkdtempSync(path.join(os.tmpdir(), 'deploy-process-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

function world(state: string): { readonly versions: readonly string[]; readonly logged: readonly string[] } {
  return JSON.parse(readFileSync(path.join(state, 'world.json'), 'utf8'));
}

async function journal(state: string) {
  const found = await readRun(path.join(state, 'deploy'), 'run-1');
  if (found === undefined) throw new Error('there is no journal that can be read');
  return found;
}

const old = 'zed-debian-bookworm';
const fresh = '2025.1-debian-trixie';
const firstIsNew = [`node1 running ${fresh}`, `node2 running ${old}`, `node3 running ${old}`];

describe('the first signal', () => {
  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const)(
    '%s: the replica under way comes back, no other is touched, and the exit code says so',
    async (signal, code) => {
      const run = begin(memcached);
      await run.waits();
      run.child.kill(signal);
      await until('the answer', async () => run.err().includes('told to stop'), run.err);
      // A terminal that goes away says so more than once.
      if (signal === 'SIGHUP') run.child.kill(signal);
      run.go();
      expect(await run.ended).toBe(code);
      expect(world(run.state).versions).toEqual(firstIsNew);
      expect(run.err()).toContain('told to stop: nothing new is begun; SIGINT or SIGTERM once more stops at once\n');
      expect(run.err()).toContain('waiting for what is running:\n  node1  stop memcached and set it aside\n');
      expect(run.err()).toMatch(
        /stays away that was taken away:\n {2}node1 {2}start memcached\n {2}node1 {2}wait until .* \(at most \d+ s\)\n/,
      );
      expect(run.err()).toContain('to go on: deploy resume run-1\n');
      const { head, end } = await journal(run.state);
      expect(end).toMatchObject({ exit: code, failed: 0, done: expect.any(Number) });
      expect((end?.done ?? 0) + (end?.left ?? 0)).toBe(head.steps);
      expect(world(run.state).logged.filter((line) => line.startsWith('node1'))).toEqual(['node1 start', 'node1 end']);
    },
  );

  it('a migration is waited for, and nothing follows it', async () => {
    const run = begin(migration);
    await run.waits();
    run.child.kill('SIGTERM');
    await until('the answer', async () => run.err().includes('told to stop'), run.err);
    run.go();
    expect(await run.ended).toBe(143);
    expect(run.err()).toMatch(/waiting for what is running:\n {2}node1 {2}run bootstrap_magnum.* \(at most \d+ s\)\n/);
    expect(runText(await journal(run.state))).toMatch(/bootstrap_magnum.*: done in .*\n\nterminated \(exit 143\)/);
  });
});

describe('the second signal', () => {
  it('stops at once with the exit code of the first, and the journal says so', async () => {
    const run = begin(memcached);
    await run.waits();
    run.child.kill('SIGINT');
    await until('the answer', async () => run.err().includes('told to stop'), run.err);
    run.child.kill('SIGTERM');
    expect(await run.ended).toBe(130);
    const found = await journal(run.state);
    expect(found.end?.exit).toBe(130);
    expect(runText(found)).toMatch(
      /told to stop: nothing new is begun\n.*stop memcached and set it aside: begun, and not ended\n\ninterrupted \(exit 130\)/,
    );
    expect(world(run.state).logged.filter((line) => line.endsWith('end'))).toEqual([]);
  });
});

describe('a terminal', () => {
  it('that is not there, or narrow, or dumb, is no reason to fail, nor for colours', async () => {
    const run = begin(['memcached'], { COLUMNS: '20', NO_COLOR: '1', TERM: 'dumb' });
    expect(await run.ended, run.err()).toBe(0);
    expect(world(run.state).versions).toEqual(['node1', 'node2', 'node3'].map((host) => `${host} running ${fresh}`));
    expect(run.out() + run.err()).not.toContain('\u001b');
  });

  it('whose reader has gone ends nothing: the run goes on to its end, with the code it would have had', async () => {
    const run = begin(memcached);
    await run.waits();
    run.child.stdout?.destroy();
    run.child.stderr?.destroy();
    run.go();
    expect(await run.ended).toBe(0);
    expect(world(run.state).versions).toEqual(['node1', 'node2', 'node3'].map((host) => `${host} running ${fresh}`));
    expect((await journal(run.state)).end).toMatchObject({ exit: 0, left: 0 });
  });

  it('that goes away lets the run come to a good end', async () => {
    const state = stateDirectory();
    const shell = [process.execPath, ...command, 'memcached', "'stop memcached node1'"].join(' ');
    const child = spawn('script', ['-qec', shell, '/dev/null'], {
      env: { ...process.env, NODE_OPTIONS: '', XDG_STATE_HOME: state },
      stdio: ['pipe', 'ignore', 'inherit'],
    });
    onTestFinished(() => stopProcess(child, 'SIGKILL'));
    const there = (name: string) => async () => existsSync(path.join(state, name));
    await until('the run', there('waits'), () => '');
    child.kill('SIGKILL');
    const told = async () => (await journal(state)).entries.some((one) => one.event === 'note');
    await until('the answer', told, () => '');
    writeFileSync(path.join(state, 'go'), '');
    await until('the end', there('world.json'), () => '');
    expect(world(state).versions).toEqual(firstIsNew);
    expect((await journal(state)).end?.exit).toBe(129);
  });

  it('at which the question is answered with Ctrl-C or Ctrl-D', async () => {
    for (const [key, code] of [
      ['\u0003', 130],
      ['\u0004', 0],
      ['n\r', 0],
    ] as const) {
      const state = stateDirectory();
      const shell = [process.execPath, ...command, 'memcached', "''", 'ask'].join(' ');
      const child = spawn('script', ['-qec', shell, '/dev/null'], {
        env: { ...process.env, NODE_OPTIONS: '', XDG_STATE_HOME: state },
        stdio: ['pipe', 'pipe', 'inherit'],
      });
      onTestFinished(() => stopProcess(child, 'SIGKILL'));
      let said = '';
      child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
      await until(
        'the question',
        async () => said.includes('[y/N]'),
        () => said,
      );
      child.stdin.write(key);
      const ended = await new Promise((resolve) => child.once('exit', resolve));
      expect(ended, `${JSON.stringify(key)}: ${said}`).toBe(code);
      expect(existsSync(path.join(state, 'deploy'))).toBe(false);
    }
  });
});

describe('a state directory', () => {
  /** On a disk of its own, of 64 KiB. */
  function smallDisk(options = 'size=64k'): string {
    const directory = stateDirectory();
    execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', directory]);
    onTestFinished(() => void execFileSync('umount', ['-l', directory]));
    return directory;
  }

  function fill(directory: string): void {
    try {
      writeFileSync(path.join(directory, 'filler'), Buffer.alloc(200_000));
    } catch {
      // That it is full is the point.
    }
  }

  const spoiled: readonly [string, (disk: string) => void, RegExp][] = [
    ['is full', fill, /no space left/],
    ['is read-only', (disk) => execFileSync('mount', ['-o', 'remount,ro', disk]), /read-only/],
  ];

  it.each(spoiled)('that %s refuses the run before any change', async (_, spoil, cause) => {
    const disk = smallDisk();
    const state = path.join(disk, 'state');
    mkdirSync(state);
    const apart = stateDirectory();
    spoil(disk);
    // The journal there, what the simulation tells elsewhere.
    const run = begin(['memcached'], { SIMULATION: apart }, state);
    expect(await run.ended).toBe(4);
    expect(run.err()).toMatch(cause);
    expect(run.err()).toContain(`the journal ${state}/deploy/runs/run-1.ndjson cannot be written`);
    expect(run.err()).toContain('set XDG_STATE_HOME to another place');
    expect(await listRuns(path.join(state, 'deploy'))).toEqual([]);
    expect(world(apart)).toEqual({
      versions: ['node1', 'node2', 'node3'].map((host) => `${host} running ${old}`),
      logged: [],
    });
  });

  it('that fills up in the middle: what was taken away comes back, and nothing else is begun', async () => {
    const disk = smallDisk();
    const apart = stateDirectory();
    const run = begin(memcached, { SIMULATION: apart }, disk);
    await until(
      'the run',
      async () => existsSync(path.join(apart, 'waits')),
      () => run.out() + run.err(),
    );
    fill(disk);
    const file = path.join(disk, 'deploy', 'runs', 'run-1.ndjson');
    // Whole pages are given out: of the last one there shall be room for a part of a line.
    appendFileSync(file, '\n'.repeat((8192 - 10 - (statSync(file).size % 4096)) % 4096));
    const text = readFileSync(file, 'utf8');
    writeFileSync(path.join(apart, 'go'), '');
    expect(await run.ended).toBe(1);
    expect(world(apart).versions).toEqual(firstIsNew);
    expect(run.err()).toMatch(/the journal .*run-1.ndjson cannot be written: .*no space left/);
    expect(run.out()).toMatch(/0 failed, \d+ not started/);
    rmSync(path.join(disk, 'filler'));
    expect(readFileSync(file, 'utf8')).toBe(text);
    expect(runText(await journal(disk))).toMatch(
      /stop memcached and set it aside: begun, and not ended\n\nthe run did not end/,
    );
  });
});
