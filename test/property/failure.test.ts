import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { closure } from '../../src/core/graph/dag.ts';
import { DeployError, error, exitCode } from '../../src/core/model/diagnostic.ts';
import { failedHost } from '../../src/core/plan/max-fail.ts';
import { rolloutSize } from '../../src/core/plan/rollout-limits.ts';
import type { Plan } from '../../src/core/plan/steps.ts';
import { underWay } from '../../src/core/plan/under-way.ts';
import type { RunResult } from '../../src/run/run.ts';
import { carryOut, emptyWorld, observe } from '../sim/scenario.ts';
import { type Choice, must, SimulatedSite } from '../sim/site.ts';
import type { SimulatedWorld } from '../sim/world.ts';
import { damage, damaged, linearised, runs, site } from './damage.ts';

const newer = new SimulatedSite({ globals: 'openstack_tag: 2025.1-debian-trixie\nheat_api_port: 18004\n' });

interface Fault {
  readonly host: string;
  readonly call: string;
  /** The node itself is at fault, not what runs on it. */
  readonly ofNode: boolean;
  /** How often it goes well before. */
  readonly spares: number;
}

const fault: fc.Arbitrary<Fault> = fc.record({
  host: fc.constantFrom(...site.hosts),
  call: fc.constantFrom('pull', 'write', 'create', 'stop', 'start', 'rename', 'remove', 'mark'),
  ofNode: fc.boolean(),
  spares: fc.nat(6),
});

const anyCase = fc.record({
  first: fc.boolean(),
  faults: fc.array(fault, { minLength: 1, maxLength: 3 }),
  forks: fc.constantFrom(1, 4, 30),
  maxFailed: fc.option(fc.nat(2), { nil: undefined }),
});

function faulty(world: SimulatedWorld, faults: readonly Fault[]): SimulatedWorld {
  const left = new Map(faults.map((one) => [one, one.spares]));
  world.before = ({ host, call }) => {
    for (const [one, spares] of left) {
      if (one.host !== host || one.call !== call) continue;
      if (spares > 0) left.set(one, spares - 1);
      else if (one.ofNode) throw new DeployError([error('lost', 'gone', { host })], exitCode.nodeNotUsable);
      else throw new Error('no space left on device');
    }
  };
  return world;
}

/** Steps that may rightly be left: what needs a failed one, and rollouts that went back with what needs them. */
function mayBeLeft(plan: Plan, { failed, reverted, notReverted }: RunResult): Set<string> {
  const back = new Set([...reverted, ...notReverted].map(({ way }) => way.rollout));
  const ways = plan.waysBack.filter((way) => back.has(way.rollout) || back.has(way.follows ?? ''));
  const lost = new Set([...failed.map(({ step }) => step.id), ...ways.flatMap((way) => way.triggers)]);
  const edges = new Map(plan.steps.map((step) => [step.id, step.needs]));
  const dependent = plan.steps.filter((step) => [...closure(edges, [step.id])].some((id) => lost.has(id)));
  return new Set([...lost, ...dependent.map((step) => step.id)]);
}

describe('whatever fails', { timeout: 60_000 }, () => {
  it('stops what depends on it and nothing else; too many hosts stop the rest; the next run finishes', async () => {
    await fc.assert(
      fc.asyncProperty(anyCase, async ({ first, faults, forks, maxFailed }) => {
        const world = faulty(first ? emptyWorld(newer) : damaged([]), faults);
        const verb = first ? 'deploy' : 'upgrade';
        const plan = must(newer.plan(verb, observe(world)));
        const hosts = new Set<string>();
        const late: string[] = [];
        const begun = new Set<string>();
        const result = await carryOut(plan, world, {
          forks,
          ...(maxFailed === undefined ? {} : { maxFailed }),
          onEvent: (event) => {
            const { step } = event;
            if (step.id.startsWith('back/')) return;
            if (event.event === 'failed') hosts.add(failedHost(event));
            const stopped = hosts.size > (maxFailed ?? Number.POSITIVE_INFINITY);
            if (event.event !== 'started') return;
            // What was taken away is brought back all the same.
            if (stopped && !underWay(plan, begun).has(step.id)) late.push(step.id);
            begun.add(step.id);
          },
        });
        const ids = [...result.left, ...result.failed.map(({ step }) => step)].map((step) => step.id);
        expect(new Set(ids).size).toBe(ids.length);
        expect(result.done + ids.length).toBe(plan.steps.length);
        // Others may begin in the very instant of the failure, as many as there is room for beside it.
        expect(late.length).toBeLessThan(forks);
        expect(result.tooManyFailed !== undefined).toBe(maxFailed !== undefined && hosts.size > maxFailed);
        if (result.tooManyFailed === undefined) {
          const rightly = mayBeLeft(plan, result);
          expect(result.left.map((step) => step.id).filter((id) => !rightly.has(id))).toEqual([]);
        }
        world.before = () => {};
        const rest = must(newer.plan(verb, observe(world)));
        expect((await carryOut(rest, world)).failed).toEqual([]);
        expect(must(newer.plan(verb, observe(world))).steps).toEqual([]);
      }),
      { numRuns: runs },
    );
  });
});

const withoutSome = fc.record({
  unreachable: fc.subarray([...site.hosts], { minLength: 1, maxLength: 2 }),
  tags: fc.constantFrom<readonly string[]>([], ['heat'], ['glance', 'keystone'], ['mariadb'], ['rabbitmq'], ['magnum']),
  verb: fc.constantFrom('deploy', 'upgrade', 'reconfigure', 'reconcile'),
  damages: fc.array(damage, { maxLength: 3 }),
  maxUnavailable: fc.option(fc.integer({ min: 1, max: 3 }), { nil: undefined }),
  batch: fc.option(fc.integer({ min: 1, max: 3 }), { nil: undefined }),
  seed: fc.integer({ min: 1, max: 1_000_000 }),
});

describe('without hosts that cannot be reached', { timeout: 60_000 }, () => {
  it('never more replicas are away than may be, those there included, and no cluster member is touched', () => {
    let carried = 0;
    fc.assert(
      fc.property(withoutSome, ({ unreachable, tags, verb, damages, maxUnavailable, batch, seed }) => {
        const world = damaged(damages);
        const limits = {
          ...(maxUnavailable === undefined ? {} : { maxUnavailable: { replicas: maxUnavailable } }),
          ...(batch === undefined ? {} : { batch: { replicas: batch } }),
        };
        const choice: Choice = { tags, unreachable };
        const result = newer.plan(verb, observe(world), choice, undefined, limits);
        if (!result.ok) return;
        carried += 1;
        for (const step of result.value.steps) expect(unreachable).not.toContain(step.host);
        const containers = newer
          .desired(choice)
          .desired.services.flatMap((service) =>
            service.containers.map((c) => ({ ...c, group: service.groupHosts.get(c.name) ?? [] })),
          );
        const away = new Map<string, Set<string>>();
        for (const step of linearised(result.value, seed).steps) {
          if (step.kind !== 'stop' && step.kind !== 'healthy') continue;
          const found = containers.find((c) => c.name === step.container);
          if (found === undefined) continue;
          const silent = found.group.filter((host) => unreachable.includes(host));
          const { strategy, batch: defined } = found.rollout;
          if (strategy !== 'rolling') {
            if (strategy !== 'together') expect(silent, step.id).toEqual([]);
            continue;
          }
          const now = away.get(step.container) ?? new Set(silent);
          away.set(step.container, now);
          const served = world.nodes.get(step.host)?.containers.get(step.container)?.state === 'running';
          if (step.kind === 'healthy') now.delete(step.host);
          else if (served) now.add(step.host);
          const may = found.group.length - rolloutSize(defined, found.group.length, limits).keep;
          if (step.kind === 'stop' && served) expect(now.size, step.id).toBeLessThanOrEqual(may);
        }
      }),
      { numRuns: runs * 4 },
    );
    expect(carried).toBeGreaterThan(0);
  });
});
