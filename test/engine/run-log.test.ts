import { execFileSync } from 'node:child_process';
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
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import type { LockHolder } from '../../src/core/model/lock.ts';
import { runsOf } from '../../src/core/model/run-log.ts';
import { type OpenNode, openNode } from '../../src/edge/node/node.ts';
import { nodeHistoryText } from '../../src/report/node-history-text.ts';
import { startSshd, type TestSshd, targetOf } from './sshd.ts';

const home = mkdtempSync(path.join(os.tmpdir(), 'deploy-run-log-'));
let sshd: TestSshd;
let root: string;
let tests = 0;

beforeAll(async () => {
  sshd = await startSshd(path.join(home, 'ssh'));
});

afterAll(async () => {
  await sshd.stop();
  rmSync(home, { recursive: true, force: true });
});

beforeEach(() => {
  root = path.join(home, `etc${tests++}`);
});

const command = 'deploy upgrade --tags magnum';

function holder(run: string): LockHolder {
  return { run, verb: 'upgrade', command, user: 'op', from: 'control', pid: 4711 };
}

function start(run: string) {
  return { event: 'start', ...holder(run), version: '1.2.3' } as const;
}

function end(run: string) {
  return { event: 'end', run, outcome: 'done', exit: 0 } as const;
}

/** The same node over a connection of its own. */
async function connect(leaseSeconds = 30): Promise<OpenNode> {
  const lock = { directory: `${root}.lock`, leaseSeconds };
  const node = await openNode(targetOf(sshd), { knownHosts: [sshd.knownHosts], configRoot: root, lock });
  onTestFinished(() => node.close());
  return node;
}

async function locked(run: string, leaseSeconds?: number): Promise<OpenNode> {
  const node = await connect(leaseSeconds);
  expect((await node.lock(holder(run))).taken).toBe(true);
  return node;
}

const file = () => path.join(root, '.deploy', 'runs.log');

describe('the log of runs on a node', () => {
  it('has who began what from where, and how it ended, by the clock of the node', async () => {
    const node = await locked('one');
    expect(await node.readRunLog()).toEqual([]);
    const odd = `deploy upgrade -e 'x={"a": "b\\n%s $(id)"}' ümlaut`;
    expect(await node.logRun({ ...start('one'), command: odd })).toBe(true);
    expect(await node.logRun(end('one'))).toBe(true);
    const at = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    expect(await node.readRunLog()).toEqual([
      { ...start('one'), command: odd, at },
      { ...end('one'), at },
    ]);
    expect(statSync(file()).mode & 0o777).toBe(0o600);
    expect(statSync(root).mode & 0o777).toBe(0o770);
    expect(existsSync(`${file()}.new`)).toBe(false);
  });

  it('says of a run whose owner died that it did not end, unless it still holds the lock', async () => {
    const [node, other] = [await locked('killed'), await connect()];
    await node.logRun(start('killed'));
    const shown = async () =>
      nodeHistoryText('node1', runsOf(await other.readRunLog()), (await other.lockState())?.holder?.run);
    expect(await shown()).toMatch(/^killed {2}goes on {2}\S+Z {2}op@control {2}deploy upgrade --tags magnum$/);
    await node.close();
    const next = await locked('next');
    await next.logRun(start('next'));
    await next.logRun(end('next'));
    expect(await shown()).toMatch(/^next {4}done {9}\S+ {2}op@control.*\nkilled {2}did not end {2}/);
  });

  it('is written only while the lock is held', async () => {
    const node = await connect();
    expect(await node.logRun(start('none'))).toBe(false);
    const owner = await locked('one');
    await owner.close();
    expect(await owner.logRun(start('one'))).toBe(false);
    expect(existsSync(file())).toBe(false);
  });

  it('loses no line to the heartbeats it shares its session with, and answers them all', async () => {
    const node = await locked('one', 0.3);
    for (let i = 0; i < 60; i++) expect(await node.logRun(end(`run${i}`))).toBe(true);
    const all = Array.from({ length: 30 }, (_, i) => node.logRun(end(`more${i}`)));
    expect(await Promise.all(all)).not.toContain(false);
    expect(await node.readRunLog()).toHaveLength(90);
  });

  it('keeps the last 200 lines, and reads past what it does not understand', async () => {
    const node = await locked('one');
    mkdirSync(path.dirname(file()), { recursive: true });
    for (let i = 0; i < 300; i++)
      appendFileSync(file(), `{"at":"t","event":"end","run":"old${i}","outcome":"done","exit":0}\n`);
    appendFileSync(file(), '{"event":"of a later form"}\n');
    await node.logRun(start('one'));
    expect(readFileSync(file(), 'utf8').trimEnd().split('\n')).toHaveLength(200);
    const lines = await node.readRunLog();
    expect(lines).toHaveLength(199);
    expect(lines[0]?.run).toBe('old102');
    expect(lines.at(-1)?.run).toBe('one');
  });

  it('stays as it was when the disk is full, and so does the lock', async () => {
    mkdirSync(root);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', root]);
    onTestFinished(() => void execFileSync('umount', ['-l', root]));
    const node = await locked('one');
    expect(await node.logRun(start('one'))).toBe(true);
    const before = readFileSync(file(), 'utf8');
    try {
      writeFileSync(path.join(root, 'filler'), Buffer.alloc(200_000));
    } catch {
      // That it is full is the point.
    }
    expect(await node.logRun(end('one'))).toBe(false);
    expect(readFileSync(file(), 'utf8')).toBe(before);
    rmSync(path.join(root, 'filler'));
    expect(await node.logRun(end('one'))).toBe(true);
  });

  it('says who broke the lock of a run', async () => {
    const [node, other] = [await locked('one'), await connect()];
    await node.logRun(start('one'));
    const entry = { event: 'lock-broken', run: 'one', user: 'boss', from: 'elsewhere', version: '1' } as const;
    expect(await other.breakLock('two', { ...entry, run: 'two' })).toBe('not held');
    expect(await other.breakLock('one', entry)).toBe('broken');
    expect(nodeHistoryText('node1', runsOf(await other.readRunLog()))).toMatch(
      /^one {2}did not end .* deploy upgrade --tags magnum; its lock was broken by boss@elsewhere at 20\S+Z$/,
    );
  });
});
