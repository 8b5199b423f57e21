import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { DesiredContainer, ImagelessSpec } from '../../src/core/desired/model.ts';
import { hashOf, sha256 } from '../../src/core/hash.ts';
import type { ObservedNode, PinnedImage } from '../../src/core/model/node.ts';
import { compareFiles, judgeContainer } from '../../src/core/plan/compare.ts';
import type { Change } from '../../src/core/plan/replace.ts';
import { rolling } from '../../src/core/plan/rollout.ts';
import { type Plan, PlanBuilder } from '../../src/core/plan/steps.ts';
import type { OpenNode } from '../../src/edge/node/node.ts';
import { type RunResult, runPlan } from '../../src/run/run.ts';
import { type OwnNode, startNode } from './own-node.ts';

const home = mkdtempSync(path.join(os.tmpdir(), 'deploy-way-back-'));
const root = path.join(home, 'etc');
const directory = `${root}/app/`;
let own: OwnNode;
let node: OpenNode;
let image: PinnedImage;

const serves = ['sh', '-c', 'echo serving; trap "exit 0" TERM; while :; do sleep 0.1; done'];

interface Version {
  readonly command: readonly string[];
  readonly test: string;
  readonly conf: string;
}

function desired({ command, test, conf }: Version): DesiredContainer {
  const healthcheck = { test, interval: 30, timeout: 30, retries: 3, startPeriod: 5 };
  const spec: ImagelessSpec = {
    name: 'app',
    environment: {},
    volumes: [`${directory}:/conf:ro`],
    privileged: false,
    capAdd: [],
    healthcheck,
    dimensions: {},
    command,
    restart: 'unless-stopped',
  };
  const file = { path: `${directory}app.conf`, content: conf, mode: '0660', sha256: sha256(conf), service: 'test' };
  const rollout = {
    strategy: 'rolling',
    batch: 1,
    order: 'inventory',
    drain_time: 30,
    health_patience: 30,
    health_deadline: 180,
    stop_grace: 10,
  } as const;
  return {
    host: 'node1',
    service: 'test',
    name: 'app',
    key: 'app',
    directory,
    image,
    spec,
    specHash: hashOf({ command, test }),
    files: [file],
    rollout,
    reload: undefined,
    servers: [],
    sources: () => new Map(),
    ports: [],
  };
}

function planOf(container: DesiredContainer, seen: ObservedNode): Plan {
  const files = compareFiles(directory, container.files, seen.files, new Set());
  const change: Change = {
    container,
    image,
    files,
    verdict: judgeContainer(container, image, files, seen),
    node: seen,
  };
  const plan = new PlanBuilder();
  const nothing = {
    needs: [],
    gates: [],
    limits: {},
    missing: 0,
    balancers: [],
    unconfirmed: [],
    settled: [],
    whole: true,
  };
  if (change.verdict.kind !== 'same')
    rolling(plan, { site: 'lab', changes: [change], groupHosts: ['node1'], ...nothing });
  return {
    verb: 'upgrade',
    site: 'lab',
    steps: plan.steps,
    notices: plan.notices,
    causes: [],
    drift: [],
    diffs: [],
    waysBack: plan.waysBack,
  };
}

async function bring(version: Version): Promise<RunResult> {
  const nothing = async () => [];
  const clients = {
    ensureDatabases: nothing,
    ensureIdentity: nothing,
    ensureMessaging: nothing,
    ensureAccount: nothing,
    formPrimary: async () => {},
    askGalera: nothing,
    endIdleSessions: nothing,
    shutDownCleanly: async () => {},
  };
  const balancing = { setServers: async () => {}, countSessions: async () => 0, countOthers: async () => 0 };
  const checkGate = async () => ({ ok: true }) as const;
  return runPlan(
    planOf(desired(version), await node.observe()),
    {
      nodes: new Map([['node1', node]]),
      clients: { ...clients, ...balancing, checkGate },
      clock: { now: () => performance.now(), sleep: (ms) => sleep(ms) },
      hooks: { run: async () => ({ ok: true }) },
      randomBytes: (size) => new Uint8Array(size),
    },
    { runId: 'run', forks: 4, perHost: 4, signal: new AbortController().signal, onEvent: () => {} },
  );
}

const good: Version = { command: serves, test: 'grep -q good /conf/app.conf', conf: 'good\n' };

beforeAll(async () => {
  own = await startNode(home);
  ({ node, image } = own);
  expect((await bring(good)).failed).toEqual([]);
}, 120_000);

afterAll(async () => {
  await own?.stop();
  rmSync(home, { recursive: true, force: true });
});

const bad: readonly (readonly [string, Version, RegExp, number])[] = [
  ['exits at once', { ...good, command: ['sh', '-c', 'echo no; exit 3'] }, /does not stay up \(exit code 3\).*no/s, 15],
  ['ends well at once', { ...good, command: ['true'] }, /does not stay up/, 15],
  ['cannot be started', { ...good, command: ['/no/such/program'] }, /cannot start the container app/, 15],
  [
    'is never healthy, and logs every time it is asked',
    { ...good, conf: 'bad\n', test: 'echo asked $$ >/proc/1/fd/1; grep -q good /conf/app.conf' },
    /made no progress for 30 s/,
    55,
  ],
  [
    'hangs, its health check and its end too',
    { ...good, command: ['sleep', '1000'], test: 'sleep 1000' },
    /health check did not end in time/,
    60,
  ],
];

function withoutMade({ markers }: ObservedNode): object {
  return Object.fromEntries(Object.entries(markers).filter(([key]) => !key.startsWith('made.')));
}

it.each(bad)('a version that %s is put back in time', { timeout: 120_000 }, async (_, version, why, seconds) => {
  const before = await node.observe();
  const started = performance.now();
  const result = await bring(version);
  expect((performance.now() - started) / 1000).toBeLessThan(seconds);
  expect(result.failed[0]?.diagnostics[0]?.message).toMatch(why);
  expect(result.notReverted).toEqual([]);
  expect(result.reverted).toHaveLength(1);
  const after = await node.observe();
  const ids = (seen: ObservedNode) => seen.containers.map((c) => [c.name, c.id, c.state]);
  expect(ids(after)).toEqual(ids(before));
  expect(after.files).toEqual(before.files);
  // The failed one was made by a run as well, and is noted; that the old one was, too, the last line shows.
  expect(withoutMade(after)).toEqual(withoutMade(before));
  expect(readFileSync(`${directory}app.conf`, 'utf8')).toBe('good\n');
  expect(planOf(desired(version), after).steps.length).toBeGreaterThan(0);
  expect(planOf(desired(good), after).steps).toEqual([]);
});

it('a lost node is no bad version', { timeout: 60_000 }, async () => {
  const plan = bring({ ...good, test: 'sleep 5; false' });
  await sleep(3_000);
  await node.connection.close();
  const result = await plan;
  expect(result.failed).toHaveLength(1);
  expect([...result.reverted, ...result.notReverted]).toEqual([]);
});
