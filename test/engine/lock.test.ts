import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { exitCode } from '../../src/core/model/diagnostic.ts';
import { describeHolder, type LockHolder } from '../../src/core/model/lock.ts';
import { breakLock, fenced, fencedOff, type Lease, lockState, takeLock } from '../../src/edge/node/lock.ts';
import { connectSsh } from '../../src/edge/ssh/connect.ts';
import type { SshConnection } from '../../src/edge/ssh/connection.ts';
import { startSshd, stopProcess, type TestSshd, targetOf, until } from './sshd.ts';

const home = mkdtempSync(path.join(os.tmpdir(), 'deploy-lock-'));
let sshd: TestSshd;
let directory: string;
let tests = 0;

beforeAll(async () => {
  sshd = await startSshd(path.join(home, 'ssh'));
});

afterAll(async () => {
  await sshd.stop();
  rmSync(home, { recursive: true, force: true });
});

beforeEach(() => {
  directory = path.join(home, `lock${tests++}`);
});

function holder(run: string): LockHolder {
  return { run, verb: 'upgrade', command: 'deploy upgrade --tags magnum', user: 'op', from: 'control', pid: 4711 };
}

function broken(run: string) {
  return { event: 'lock-broken', run, user: 'op', from: 'other', version: '0' } as const;
}

async function connect(): Promise<SshConnection> {
  const connection = await connectSsh(targetOf(sshd), { knownHosts: [sshd.knownHosts] });
  onTestFinished(() => connection.close());
  return connection;
}

async function taken(connection: SshConnection, run: string, leaseSeconds = 30): Promise<Lease> {
  const answer = await takeLock(connection, holder(run), { directory, leaseSeconds });
  if (!answer.taken) throw new Error(`held by ${describeHolder(answer.by)}`);
  return answer.lease;
}

/** Seconds until a second operator gets the lock. */
async function secondsUntilFree(connection: SshConnection, limit: number, abandonedBy?: string): Promise<number> {
  const started = performance.now();
  for (;;) {
    const answer = await takeLock(connection, holder('next'), { directory });
    const seconds = (performance.now() - started) / 1000;
    if (answer.taken) {
      if (abandonedBy !== undefined) expect(answer.abandoned?.run).toBe(abandonedBy);
      await answer.lease.release();
      return seconds;
    }
    if (seconds > limit) throw new Error(`not free after ${limit} s`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** A process of its own that takes the lock and keeps it until it is ended. */
async function otherProcess(leaseSeconds: number): Promise<ChildProcess> {
  const script = `
    const { connectSsh } = await import('${path.resolve('src/edge/ssh/connect.ts')}');
    const { takeLock } = await import('${path.resolve('src/edge/node/lock.ts')}');
    const target = { host: 'node1', address: '127.0.0.1', port: ${sshd.port}, user: 'root', identityFile: '${sshd.identityFile}' };
    const connection = await connectSsh(target, { knownHosts: ['${sshd.knownHosts}'] });
    const answer = await takeLock(connection, ${JSON.stringify(holder('other'))}, { directory: '${directory}', leaseSeconds: ${leaseSeconds} });
    console.log(answer.taken ? 'taken' : 'refused');
    connection.onClose(() => console.log('cut off'));
    process.on('SIGUSR1', () => { try { answer.lease.assertHeld(); console.log('still held'); } catch { console.log('lost'); } });
    setInterval(() => {}, 1000);
  `;
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => stopProcess(child, 'SIGKILL'));
  const said: string[] = [];
  child.stdout.on('data', (chunk: Buffer) => said.push(chunk.toString()));
  await until(
    'the other process',
    async () => said.join('').includes('taken'),
    () => said.join(''),
  );
  Object.assign(child, { said });
  return child;
}

describe('the lock of a node', () => {
  it('is refused to a second run, which learns who has it, in under a second', async () => {
    const [first, second] = [await connect(), await connect()];
    await taken(first, 'one');
    const started = performance.now();
    const answer = await takeLock(second, holder('two'), { directory });
    expect(performance.now() - started).toBeLessThan(1000);
    expect(answer).toMatchObject({ taken: false, by: { holder: holder('one'), orphan: false } });
    expect(answer.taken === false && describeHolder(answer.by)).toMatch(
      /^op@control \(pid 4711\), deploy upgrade --tags magnum, run one, for \d s$/,
    );
    expect((await lockState(second, { directory }))?.holder?.run).toBe('one');
  });

  it('is free after its release, and looking does not take it', async () => {
    const [first, second] = [await connect(), await connect()];
    const lease = await taken(first, 'one');
    lease.assertHeld();
    await lease.release();
    // The class of a lost node: the version that is being brought is not to blame, and is not put back.
    expect(() => lease.assertHeld()).toThrow(expect.objectContaining({ exit: exitCode.nodeNotUsable }));
    expect(await lockState(second, { directory })).toBeUndefined();
    expect(await takeLock(second, holder('two'), { directory })).toMatchObject({ taken: true, abandoned: undefined });
  });

  it('is free within a second of the death of its owner', async () => {
    const child = await otherProcess(30);
    const connection = await connect();
    expect((await lockState(connection, { directory }))?.holder?.run).toBe('other');
    child.kill('SIGKILL');
    expect(await secondsUntilFree(connection, 5, 'other')).toBeLessThan(1);
  });

  it('is given up by the node when the holder stands still, and the holder notices when it wakes', async () => {
    const child = await otherProcess(2);
    const connection = await connect();
    child.kill('SIGSTOP');
    const free = await secondsUntilFree(connection, 10);
    expect(free).toBeGreaterThan(1);
    expect(free).toBeLessThan(4);
    child.kill('SIGCONT');
    child.kill('SIGUSR1');
    const said = () => ('said' in child && Array.isArray(child.said) ? child.said.join('') : '');
    await until('the woken holder', async () => /lost|still held/.test(said()), said);
    expect(said()).toContain('lost');
    // Nothing it was about to ask of the engine when it stopped can arrive any more.
    await until('the end of its connection', async () => said().includes('cut off'), said);
  });

  it('is kept as long as the holder answers, longer than one lease', async () => {
    const [first, second] = [await connect(), await connect()];
    const lease = await taken(first, 'one', 1);
    await new Promise((resolve) => setTimeout(resolve, 2500));
    lease.assertHeld();
    expect((await takeLock(second, holder('two'), { directory })).taken).toBe(false);
  });

  it('is not given to anybody while a command of a dead run still works', async () => {
    const [first, second] = [await connect(), await connect()];
    await taken(first, 'one');
    const marker = path.join(home, 'worked');
    void first
      .exec(fenced(['sh', '-c', `date >'${marker}.begun'; sleep 6; date >'${marker}'`], 'one', directory))
      .catch(() => {});
    await until(
      'the command',
      async () => existsSync(`${marker}.begun`),
      () => '',
    );
    await first.close();
    await until(
      'the end of the session',
      async () => (await lockState(second, { directory })) === undefined,
      () => '',
    );
    const answer = await takeLock(second, holder('two'), { directory });
    expect(answer).toMatchObject({ taken: false, by: { orphan: true, holder: { run: 'one' } } });
    expect(await secondsUntilFree(second, 10)).toBeLessThan(7);
    expect(readFileSync(marker, 'utf8')).not.toBe('');
  });

  it('stops commands of a run that does not hold it', async () => {
    const [first, second] = [await connect(), await connect()];
    const lease = await taken(first, 'one');
    expect((await first.exec(fenced(['true'], 'one', directory))).code).toBe(0);
    expect((await second.exec(fenced(['true'], 'two', directory))).code).toBe(fencedOff);
    await lease.release();
    expect((await first.exec(fenced(['true'], 'one', directory))).code).toBe(fencedOff);
  });

  it('can be broken by the run’s name, and by no other', async () => {
    const [first, second] = [await connect(), await connect()];
    const lease = await taken(first, 'one');
    expect(await breakLock(second, 'two', broken('two'), { directory })).toBe('not held');
    lease.assertHeld();
    expect(await breakLock(second, 'one', broken('one'), { directory })).toBe('broken');
    await until(
      'the loss',
      async () => !held(lease),
      () => 'still held',
    );
    await until(
      'the end of the connection',
      async () => first.lost !== undefined,
      () => 'still open',
    );
    await taken(second, 'two');
  });

  it('can be broken while another run waits for it, which has it before the command that breaks it', async () => {
    const [first, second] = [await connect(), await connect()];
    const lease = await taken(first, 'one');
    const waiting = `cd '${directory}' && exec 9<>lock && flock 9 && echo them >holder && printf two >run && sleep 30`;
    const waiter = spawn('sh', ['-c', waiting], { stdio: 'ignore', detached: true });
    onTestFinished(() => void process.kill(-Number(waiter.pid), 'SIGKILL'));
    await until(
      'one who waits',
      async () => readFileSync('/proc/locks', 'utf8').includes(`-> FLOCK  ADVISORY  WRITE`),
      () => readFileSync('/proc/locks', 'utf8'),
    );
    expect(await breakLock(second, 'one', broken('one'), { directory })).toBe('broken');
    expect(held(lease)).toBe(false);
    expect(readFileSync(path.join(directory, 'run'), 'utf8')).toBe('two');
    expect(readFileSync(path.join(directory, 'holder'), 'utf8')).toBe('them\n');
  });
});

function held(lease: Lease): boolean {
  try {
    lease.assertHeld();
    return true;
  } catch {
    return false;
  }
}
