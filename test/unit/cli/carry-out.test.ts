import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { carryOut } from '../../../src/cli/carry-out.ts';
import { changeOptions } from '../../../src/cli/invocation.ts';
import type { Output } from '../../../src/cli/output.ts';
import type { Survey } from '../../../src/cli/survey.ts';
import { DeployError, error, exitCode, formatDiagnostic } from '../../../src/core/model/diagnostic.ts';
import { withHooks } from '../../../src/core/plan/hooks.ts';
import { readHooks } from '../../../src/edge/store/read-hooks.ts';
import { change, copyOf, emptyWorld, observe } from '../../sim/scenario.ts';
import { must, SimulatedSite } from '../../sim/site.ts';

const site = new SimulatedSite();
const deployed = emptyWorld(site);
await change(site, deployed, 'deploy');
const changed = new SimulatedSite({ globals: 'memcached_max_memory: 77\n' });
const raw = { tags: ['memcached'], yes: true };
let root = '';

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'carry-out-'));
  await mkdir(join(root, 'hooks'));
});

afterEach(async () => {
  await rm(root, { recursive: true });
});

async function put(name: string, end: string): Promise<void> {
  const path = join(root, 'hooks', name);
  await writeFile(path, `#!/bin/sh\necho "$DEPLOY_SERVICE $DEPLOY_OUTCOME $DEPLOY_FAILED_STEPS"\n${end}\n`);
  await chmod(path, 0o755);
}

interface Given {
  readonly skipped?: Survey['skipped'];
  readonly maxFail?: string;
  /** Nodes that cannot write files. */
  readonly full?: readonly string[];
}

/** Real processes as hooks, simulated nodes; what a person would read, without the times. */
async function run(failing: string, lookAgain?: () => Promise<void>, given: Given = {}) {
  const names = ['pre-run', 'pre-service', 'post-service', 'on-failure', 'post-run'];
  for (const name of names) await put(name, name === failing ? 'exit 9' : '');
  const hooks = must(await readHooks(root));
  const world = copyOf(deployed);
  world.before = ({ host, call }) => {
    if (call === 'create' && given.full?.includes(host)) throw new Error('no space left on device');
  };
  const { target, desired } = changed.desired({ tags: ['memcached'] });
  const plan = withHooks(must(changed.plan('reconfigure', observe(world), { tags: ['memcached'] })), hooks, new Map());
  const lines: string[] = [];
  const say = (text: string) => void lines.push(text.replace(/^ *[\d.]+s {2}| in [\d.]+ s$/g, '').replaceAll(root, ''));
  const output: Output = {
    json: false,
    line: say,
    note: say,
    data: () => {},
    diagnostics: (list) => list.map(formatDiagnostic).forEach(say),
    failure: () => {},
    redactWith: () => {},
  };
  const simulated = { loaded: changed.loaded, target, desired, observed: observe(world), nodes: world.nodes };
  const survey = {
    ...simulated,
    digests: new Map(),
    hooks,
    hookTimeout: 20,
    skipped: given.skipped,
  } as unknown as Survey;
  const exit = await carryOut(plan, survey, changeOptions({ ...raw, maxFail: given.maxFail }), output, lookAgain).catch(
    (cause: unknown) => cause,
  );
  const told = lines.filter((line) => /^[a-z-]+: |^warning|^error/.test(line)).map((line) => line.trim());
  return { exit, told, lines, touched: world.log.length > 0 };
}

it('runs every hook in its turn', async () => {
  const { exit, told, touched } = await run('none');
  expect({ exit, touched }).toEqual({ exit: 0, touched: true });
  expect(told).toEqual(['pre-run:', 'pre-service: memcached', 'post-service: memcached', 'post-run:  ok']);
});

it('tells the hooks at the end of a service that was not to be touched', async () => {
  const { exit, told, touched } = await run('pre-service');
  expect({ exit, touched }).toEqual({ exit: 1, touched: false });
  const id = 'memcached/localhost/hook/pre-service';
  expect(told.slice(2)).toEqual([`on-failure:  failed ${id}`, `post-run:  failed ${id}`]);
});

it('changes nothing when pre-run fails', async () => {
  const { exit, touched } = await run('pre-run');
  expect({ exit, touched }).toMatchObject({ exit: { exit: 1 }, touched: false });
});

it('counts nodes that still differ as a failure', async () => {
  const rest = new DeployError([error('not-converged', 'the nodes still differ')], exitCode.failed);
  const { exit, told } = await run('none', () => Promise.reject(rest));
  expect(exit).toBe(rest);
  expect(told.slice(3)).toEqual(['on-failure:  failed', 'post-run:  failed']);
});

it('says at the very end which hosts it did without', async () => {
  const { exit, lines } = await run('none', undefined, { skipped: [{ host: 'node9', why: 'no answer' }] });
  expect(exit).toBe(0);
  expect(lines.at(-1)).toBe(
    'warning: node9: was skipped: nothing was done there\n    run the same command again when it is back',
  );
});

it('stops when more hosts have failed than may, and says so', async () => {
  const stopped = await run('none', undefined, { maxFail: '0', full: ['node1', 'node2'] });
  expect(stopped.exit).toBe(1);
  expect(stopped.lines).toContainEqual(
    expect.stringMatching(/^stopped: 1 host failed \(node1\), which is more than --max-fail 0 allows; \d+ steps/),
  );
  const { lines } = await run('none', undefined, { maxFail: '1', full: ['node1'] });
  expect(lines.filter((line) => line.startsWith('stopped'))).toEqual([]);
  expect(lines).toContainEqual(expect.stringContaining('1 step failed on node1:'));
});
