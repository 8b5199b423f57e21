import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Tried } from '../../src/cli/nodes.ts';
import type { Output } from '../../src/cli/output.ts';
import { type Reached, reach } from '../../src/cli/reach.ts';
import { DeployError, formatDiagnostic } from '../../src/core/model/diagnostic.ts';
import { type OpenNode, openNode } from '../../src/edge/node/node.ts';
import { SimulatedSite } from '../sim/site.ts';
import { startDockerd, type TestDockerd } from './dockerd.ts';
import { freePort, startSshd, type TestSshd, targetOf } from './sshd.ts';

const home = mkdtempSync(path.join(os.tmpdir(), 'deploy-reach-'));
const hosts = ['node1', 'node2', 'node3'];
const { loaded } = new SimulatedSite({ hosts });
const holder = { run: 'one', verb: 'upgrade', command: 'deploy upgrade', user: 'op', from: 'control', pid: 1 };
let sshd: TestSshd;
let dockerd: TestDockerd;
let silent: number;

beforeAll(async () => {
  [sshd, dockerd] = await Promise.all([startSshd(path.join(home, 'ssh')), startDockerd(path.join(home, 'engine'))]);
  silent = await freePort();
});

afterAll(async () => {
  await Promise.all([sshd.stop(), dockerd.stop()]);
  rmSync(home, { recursive: true, force: true });
});

/** The first is in order, nothing listens on the second's port, the third has no engine. */
async function openAll(all: readonly string[]): Promise<Tried<OpenNode>> {
  const done = new Map<string, OpenNode>();
  const failures = new Map<string, unknown>();
  for (const host of all) {
    const port = host === 'node2' ? silent : sshd.port;
    const dockerSocket = host === 'node3' ? path.join(home, 'none.sock') : dockerd.socket;
    const lock = { directory: path.join(home, `lock-${host}`) };
    const options = { knownHosts: [sshd.knownHosts], configRoot: path.join(home, 'etc'), dockerSocket, lock };
    await openNode(targetOf(sshd, { host, port }), options).then(
      (node) => done.set(host, node),
      (problem: unknown) => failures.set(host, problem),
    );
  }
  return { done, failures };
}

async function reachAll(skipUnreachable: boolean, said: string[] = []): Promise<Reached> {
  const output = {
    json: false,
    note: (text) => void said.push(text),
    diagnostics: (list) => void said.push(...list.map(formatDiagnostic)),
  } as Partial<Output> as Output;
  const lists = { inventory: [], extraVars: [], knownHosts: [], tags: [], skipTags: [] };
  const options = { configdir: home, ...lists, forks: 1, json: false, limit: undefined, rollout: {}, skipUnreachable };
  return reach({ loaded, hosts, others: [], options, want: {}, holder, output, open: openAll });
}

it('names a host where nothing listens and one without an engine at once', async () => {
  const problem = await reachAll(false).catch((cause: unknown) => cause);
  if (!(problem instanceof DeployError)) throw new Error('it was to be refused');
  expect(problem.exit).toBe(4);
  expect(problem.diagnostics.map(({ code, host }) => [code, host])).toEqual([
    ['unreachable', 'node2'],
    ['no-engine', 'node3'],
    ['hosts-silent', undefined],
  ]);
  expect(problem.diagnostics[0]?.message).toBe(`cannot reach 127.0.0.1 port ${silent}: connection refused`);
});

it('goes on with the one that answers, whose lock alone stays taken', async () => {
  const said: string[] = [];
  const { nodes, observed, skipped } = await reachAll(true, said);
  const others = await openAll(hosts);
  try {
    expect([...observed.keys()]).toEqual(['node1']);
    expect(observed.get('node1')?.engineVersion).toMatch(/^\d+\./);
    expect(skipped.map(({ host }) => host)).toEqual(['node2', 'node3']);
    expect(said).toContain(`warning: node2: skipped: cannot reach 127.0.0.1 port ${silent}: connection refused`);
    expect((await others.done.get('node1')?.lockState())?.holder?.run).toBe('one');
    expect(await others.done.get('node3')?.lockState()).toBeUndefined();
  } finally {
    await Promise.all([...nodes.values(), ...others.done.values()].map((node) => node.close()));
  }
});
