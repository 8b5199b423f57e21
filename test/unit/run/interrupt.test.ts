import { isDeepStrictEqual } from 'node:util';
import { describe, expect, it } from 'vitest';
import { closure } from '../../../src/core/graph/dag.ts';
import { DeployError, error, exitCode } from '../../../src/core/model/diagnostic.ts';
import type { ChangeVerb } from '../../../src/core/plan/policy.ts';
import type { Plan, Step } from '../../../src/core/plan/steps.ts';
import { underWay } from '../../../src/core/plan/under-way.ts';
import type { RunEvent } from '../../../src/run/run.ts';
import { step, steps } from '../../sim/order.ts';
import {
  carryOut,
  change,
  copyOf,
  emptyWorld,
  observe,
  type RunSettings,
  stateOf,
  watchForMixedVersions,
} from '../../sim/scenario.ts';
import { type Choice, must, SimulatedSite } from '../../sim/site.ts';
import type { SimulatedWorld } from '../../sim/world.ts';

const site = new SimulatedSite();
const deployed = emptyWorld(site);
await change(site, deployed, 'deploy');
const newer = new SimulatedSite({ globals: 'openstack_tag: 2025.1-debian-trixie\n' });
const tuned = new SimulatedSite({
  globals: 'heat_api_port: 18004\nmemcached_max_memory: 77\n',
  overrides: { 'magnum.conf': '[DEFAULT]\ndebug = true\n', 'galera.cnf': '[mysqld]\nmax_connections = 5\n' },
});
const magnum = { tags: ['magnum'] };
const upgrade = must(newer.plan('upgrade', observe(deployed), magnum));

const heat = must(newer.plan('upgrade', observe(deployed), { tags: ['heat_api'] }));

/** These steps and all that came before them. */
function begun(plan: Plan, ...of: readonly Step[]): ReadonlySet<string> {
  const needs = new Map(plan.steps.map((s) => [s.id, s.needs]));
  const ids = of.map(({ id }) => id);
  return new Set([...ids, ...closure(needs, ids)]);
}

function named(plan: Plan, ids: ReadonlySet<string>): string[] {
  return plan.steps.filter(({ id }) => ids.has(id)).map((s) => `${s.kind} ${s.host}`);
}

describe('what is under way', () => {
  it('is nothing before the first replica is taken away, nor what only prepares it', () => {
    expect(underWay(upgrade, begun(upgrade)).size).toBe(0);
    expect(underWay(heat, begun(heat, ...steps(heat, 'pull'))).size).toBe(0);
  });

  it('is one replica up to its return, and no other', () => {
    const [first] = steps(heat, 'drain', 'heat_api');
    if (first === undefined) throw new Error('nothing is drained');
    const rest = ['stop', 'start', 'healthy', 'undrain'].map((kind) => `${kind} ${first.host}`);
    expect(named(heat, underWay(heat, begun(heat, first)))).toEqual(rest);
    const stopped = [first, step(heat, 'stop', 'heat_api', first.host)];
    expect(named(heat, underWay(heat, begun(heat, ...stopped)))).toEqual(rest.slice(1));
  });

  it('is all replicas where versions must not mix', () => {
    const [first] = steps(upgrade, 'stop', 'magnum_conductor');
    if (first === undefined) throw new Error('nothing is stopped');
    const rest = underWay(upgrade, begun(upgrade, first));
    for (const kind of ['stop', 'start', 'healthy'] as const) {
      const left = steps(upgrade, kind, 'magnum_conductor').filter((s) => s.id !== first.id);
      expect(left.filter((s) => !rest.has(s.id))).toEqual([]);
    }
    expect(named(upgrade, rest).filter((one) => !/^(stop|start|healthy|undrain) /.test(one))).toEqual([]);
  });
});

/** Containers that ran before and do not run now, and what is left drained. */
function away(world: SimulatedWorld): string[] {
  return [...world.nodes.values()].flatMap((node) => {
    const before = deployed.nodes.get(node.host)?.containers ?? new Map();
    const stopped = [...before.keys()].filter((name) => node.containers.get(name)?.state !== 'running');
    const drained = [...node.markers.keys()].filter((key) => key.startsWith('drained.'));
    return [...stopped, ...drained].map((what) => `${what} on ${node.host}`);
  });
}

interface Case {
  readonly of: SimulatedSite;
  readonly verb: ChangeVerb;
  readonly choice: Choice;
}

/** Stops a run at each of its steps in turn; gives what is away then, and points from which the job is not finished. */
async function stoppedEverywhere({ of, verb, choice }: Case, settings: (at: number) => RunSettings) {
  const undisturbed = copyOf(deployed);
  const plan = await change(of, undisturbed, verb, choice);
  const wanted = stateOf(undisturbed);
  const problems: string[] = [];
  let early = 0;
  for (let at = 1; at < plan.steps.length; at++) {
    const world = copyOf(deployed);
    const mixed = watchForMixedVersions(world, 'magnum_conductor');
    const result = await carryOut(plan, world, settings(at));
    if (result.left.length > 0) early += 1;
    const found = [...away(world), ...mixed, ...result.failed.map(({ step: s }) => s.id)];
    await carryOut(must(of.plan(verb, observe(world), choice)), world);
    if (!isDeepStrictEqual(stateOf(world), wanted)) found.push('the same command does not finish it');
    problems.push(...found.map((what) => `stopped after ${at}: ${what}`));
  }
  return { points: plan.steps.length - 1, early, problems };
}

const cases: readonly [string, Case][] = [
  ['an upgrade of magnum', { of: newer, verb: 'upgrade', choice: magnum }],
  [
    'an upgrade of a database and a message broker',
    { of: newer, verb: 'upgrade', choice: { tags: ['mariadb', 'rabbitmq'] } },
  ],
  ['a reconfigure', { of: tuned, verb: 'reconfigure', choice: {} }],
];

describe('an interrupted run', () => {
  it.each(cases)('leaves nothing away, wherever it is told to stop: %s', { timeout: 120_000 }, async (_, one) => {
    for (const forks of [1, 30]) {
      const { points, early, problems } = await stoppedEverywhere(one, (stopAfter) => ({ stopAfter, forks }));
      expect(problems).toEqual([]);
      expect(early).toBeGreaterThan(points / 2);
    }
  });

  it('begins nothing that brings nothing back', async () => {
    const world = copyOf(deployed);
    const told: { running: string[]; still: string[] }[] = [];
    const started: string[] = [];
    const at = upgrade.steps.findIndex((s) => s.kind === 'drain');
    await carryOut(upgrade, world, {
      forks: 1,
      stopAfter: at + 1,
      onEvent: ({ event, step: s }) => {
        if (event === 'started') started.push(s.id);
      },
      onInterrupt: ({ running, still }) =>
        told.push({ running: running.map((s) => s.id), still: still.map((s) => s.id) }),
    });
    expect(told).toHaveLength(1);
    expect(started.slice(at + 1)).toEqual(told[0]?.still);
  });

  it('does not bring back what is stopped for good', () => {
    const gone = step(upgrade, 'stop', 'magnum_api', 'node1');
    expect(underWay({ steps: [gone] }, new Set([gone.id])).size).toBe(0);
  });
});

const full = new DeployError(
  [error('journal', 'the journal cannot be written: no space left')],
  exitCode.nodeNotUsable,
);

/** Notes `at` beginnings of steps, and none after. */
function fullAfter(at: number): RunSettings {
  let begins = 0;
  return {
    onEvent: ({ event }: RunEvent) => {
      if (event === 'started' && ++begins > at) throw full;
    },
  };
}

describe('a run whose steps can no longer be noted', () => {
  it.each(cases)('finishes what is under way and begins nothing else: %s', { timeout: 120_000 }, async (_, one) => {
    const { points, early, problems } = await stoppedEverywhere(one, fullAfter);
    expect(problems).toEqual([]);
    expect(early).toBeGreaterThan(points / 2);
  });

  it('says why, and has no failed step', async () => {
    const world = copyOf(deployed);
    const result = await carryOut(upgrade, world, fullAfter(0));
    expect(result).toMatchObject({
      done: 0,
      failed: [],
      left: { length: upgrade.steps.length },
      refused: full.diagnostics,
    });
    expect(world.log).toEqual([]);
  });

  it('still goes back from what does not serve', async () => {
    const world = copyOf(deployed);
    world.crashes = (container) =>
      container.spec.image.tag === '2025.1-debian-trixie' && /api/.test(container.spec.name);
    const at = upgrade.steps.findIndex((s) => s.kind === 'drain');
    const result = await carryOut(upgrade, world, { ...fullAfter(at + 1), forks: 1 });
    expect(result.reverted).toHaveLength(1);
    expect(away(world)).toEqual([]);
  });
});
