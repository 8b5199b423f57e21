import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { label } from '../../src/core/model/node.ts';
import type { Plan } from '../../src/core/plan/steps.ts';
import {
  carryOut,
  change,
  copyOf,
  emptyWorld,
  observe,
  stateOf,
  watchForCallsFromAhead,
  watchForMixedVersions,
} from '../sim/scenario.ts';
import { type Choice, must, SimulatedSite } from '../sim/site.ts';
import type { SimulatedWorld } from '../sim/world.ts';

/** Set PROPERTY_RUNS to look longer than an ordinary test may. */
const runs = Number(process.env.PROPERTY_RUNS ?? 25);

const old = 'zed-debian-bookworm';
const wanted = '2025.1-debian-trixie';
const site = new SimulatedSite();
const deployed = emptyWorld(site);
await change(site, deployed, 'deploy');
const newer = new SimulatedSite({
  globals: `openstack_tag: ${wanted}\n`,
  overrides: { 'magnum.conf': '[DEFAULT]\ndebug = true\n', 'heat.conf': '[DEFAULT]\ndebug = true\n' },
});
const choices: readonly Choice[] = [{ tags: ['magnum'] }, { tags: ['heat'] }, { tags: ['magnum', 'heat', 'keystone'] }];
const containers = ['magnum_api', 'magnum_conductor', 'heat_api', 'heat_api_cfn', 'heat_engine', 'keystone'];

interface Case {
  readonly choice: Choice;
  /** What fails: the new version of these, as `host container`. */
  readonly bad: readonly string[];
  readonly how: 'crash' | 'unhealthy';
  /** Kill the run after this many changes and begin again; 0 for never. */
  readonly killAt: number;
  readonly forks: number;
}

const anyCase: fc.Arbitrary<Case> = fc.record({
  choice: fc.constantFrom(...choices),
  bad: fc.uniqueArray(
    fc.tuple(fc.constantFrom(...site.hosts), fc.constantFrom(...containers)).map((pair) => pair.join(' ')),
    { minLength: 1, maxLength: 3 },
  ),
  how: fc.constantFrom('crash', 'unhealthy'),
  killAt: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 120 })),
  forks: fc.constantFrom(1, 2, 30),
});

function breakNew(world: SimulatedWorld, { bad, how }: Case): void {
  const isBad = (host: string, name: string, tag: string | undefined) =>
    tag === wanted && bad.includes(`${host} ${name}`);
  if (how === 'unhealthy') {
    world.exec = (node, name) =>
      isBad(node.host, name, node.containers.get(name)?.spec.image.tag) && name !== 'haproxy'
        ? { code: 1, stdout: '', stderr: 'refused' }
        : undefined;
  } else {
    world.crashes = (c) =>
      [...world.nodes.values()].some(
        (node) => [...node.containers.values()].includes(c) && isBad(node.host, c.spec.name, c.spec.image.tag),
      );
  }
}

/** Rolling containers of which fewer than two served at some moment; a kill may leave one replica away for the next run. */
function watchServing(world: SimulatedWorld): string[] {
  const moments: string[] = [];
  const previous = world.after;
  const rolling = containers.filter((name) => name !== 'magnum_conductor');
  world.after = (operation) => {
    previous(operation);
    for (const name of rolling)
      if (world.running(name).length < 2)
        moments.push(`${name}: ${operation.host} ${operation.call} ${operation.subject}`);
  };
  return moments;
}

function watchVersions(world: SimulatedWorld): string[][] {
  return [watchForMixedVersions(world, 'magnum_conductor'), watchForCallsFromAhead(world, old)];
}

function plan(world: SimulatedWorld, choice: Choice): Plan {
  return must(newer.plan('upgrade', observe(world), choice));
}

function versions(world: SimulatedWorld, name: string): (string | undefined)[] {
  return world.running(name).map((c) => c.labels[label.imageDigest]);
}

describe('any rollout that fails', () => {
  it('leaves enough replicas serving at every moment, mixes nothing, and is finished once its cause is gone', {
    timeout: 30_000 + runs * 2_000,
  }, async () => {
    const finished = new Map<string, unknown>();
    for (const choice of choices) {
      const world = copyOf(deployed);
      await change(newer, world, 'upgrade', choice);
      finished.set(JSON.stringify(choice), stateOf(world));
    }
    await fc.assert(
      fc.asyncProperty(anyCase, async (one) => {
        let world = copyOf(deployed);
        const problems = [watchServing(world), ...watchVersions(world)];
        breakNew(world, one);
        if (one.killAt > 0) {
          let killed: SimulatedWorld | undefined;
          const watch = world.after;
          let changes = 0;
          world.after = (operation) => {
            watch(operation);
            if (++changes === one.killAt) killed = copyOf(world);
          };
          await carryOut(plan(world, one.choice), world, { forks: one.forks });
          world = killed ?? world;
          problems.push(watchServing(world), ...watchVersions(world));
          breakNew(world, one);
        }
        const result = await carryOut(plan(world, one.choice), world, { forks: one.forks });
        expect(problems.flat()).toEqual([]);
        expect(result.notReverted).toEqual([]);
        const own = result.reverted.filter(({ way, because }) => way.triggers.includes(because.step.id));
        expect(own).toHaveLength(result.failed.length);
        for (const name of containers) expect(world.running(name), name).toHaveLength(3);
        expect(new Set(versions(world, 'magnum_conductor')).size).toBe(1);
        world.exec = () => undefined;
        world.crashes = () => false;
        await change(newer, world, 'upgrade', one.choice);
        expect(stateOf(world)).toEqual(finished.get(JSON.stringify(one.choice)));
      }),
      { numRuns: runs },
    );
  });
});
