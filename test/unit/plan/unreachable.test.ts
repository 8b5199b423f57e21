import { describe, expect, it } from 'vitest';
import type { ChangeVerb } from '../../../src/core/plan/policy.ts';
import type { RolloutLimits } from '../../../src/core/plan/rollout-limits.ts';
import type { Plan } from '../../../src/core/plan/steps.ts';
import { planStop } from '../../../src/core/plan/teardown.ts';
import { checkMembers } from '../../../src/core/plan/unreachable.ts';
import { precedes, step, steps } from '../../sim/order.ts';
import { carryOut, change, copyOf, emptyWorld, observe } from '../../sim/scenario.ts';
import { type Choice, must, SimulatedSite } from '../../sim/site.ts';
import type { SimulatedWorld } from '../../sim/world.ts';

const site = new SimulatedSite();
const deployed = emptyWorld(site);
await change(site, deployed, 'deploy');
const newHeat = new SimulatedSite({ globals: 'heat_tag: other\n' });
const newMagnum = new SimulatedSite({ globals: 'magnum_tag: other\n' });
const two = { maxUnavailable: { replicas: 2 } };

interface Refusal {
  readonly code: string;
  readonly message: string;
  readonly hint?: string | undefined;
}

function refusals(
  of: SimulatedSite,
  verb: ChangeVerb,
  choice: Choice,
  limits: RolloutLimits = {},
  world: SimulatedWorld = deployed,
): Refusal[] {
  const result = of.plan(verb, observe(world), choice, undefined, limits);
  if (result.ok) return [];
  return result.diagnostics.flatMap((d) =>
    d.severity === 'error' ? [{ code: d.code, message: d.message, hint: d.hint }] : [],
  );
}

function planned(of: SimulatedSite, verb: ChangeVerb, choice: Choice, limits: RolloutLimits = {}): Plan {
  return must(of.plan(verb, observe(deployed), choice, undefined, limits));
}

const heat = { tags: ['heat'], unreachable: ['node2'] };

describe('a replica on a host that cannot be reached', () => {
  it('counts as away, and no other one is taken when only one may be', () => {
    expect(refusals(newHeat, 'upgrade', { ...heat, tags: ['heat_engine'] })).toEqual([
      {
        code: 'too-few-reachable',
        message:
          'heat: heat_engine on node1, node3 is not taken away while node2 cannot be reached: 2 of 3 replicas would be away, and 1 may be',
        hint: 'bring node2 back first, or leave this out with --skip-tags heat, or allow more to be away with --max-unavailable 2',
      },
    ]);
  });

  it('is no obstacle once two may be away, and nothing is planned there', () => {
    const plan = planned(newHeat, 'upgrade', heat, two);
    expect(new Set(plan.steps.map((s) => s.host))).toEqual(new Set(['node1', 'node3']));
    expect(
      precedes(plan, step(plan, 'healthy', 'heat_engine', 'node1'), step(plan, 'stop', 'heat_engine', 'node3')),
    ).toBe(true);
    expect(steps(plan, 'stop', 'heat_engine')[0]).toMatchObject({ away: { count: 2, of: 3 } });
  });

  it('makes a batch smaller', () => {
    const plan = planned(newHeat, 'upgrade', heat, { batch: { replicas: 2 } });
    expect(
      precedes(plan, step(plan, 'healthy', 'heat_engine', 'node1'), step(plan, 'stop', 'heat_engine', 'node3')),
    ).toBe(true);
  });

  it('takes no part in what does not take one away', () => {
    const world = copyOf(deployed);
    for (const host of ['node1', 'node3']) world.nodes.get(host)?.containers.delete('heat_engine');
    expect(refusals(site, 'reconfigure', { tags: ['heat_engine'], unreachable: ['node2'] }, {}, world)).toEqual([]);
    expect(planned(site, 'deploy', { unreachable: ['node2'] }).steps).toEqual([]);
    expect(planned(newHeat, 'pull', heat).steps.map((s) => [s.kind, s.host])).toEqual(
      expect.arrayContaining([['pull', 'node1']]),
    );
  });

  it('keeps versions from mixing, and an image from going without its migrations', () => {
    const conductor = refusals(newMagnum, 'upgrade', { tags: ['magnum'], unreachable: ['node2'] }, two);
    expect(conductor.map((d) => d.message)).toEqual([
      'versions of magnum_conductor must not mix, and node2 cannot be reached',
    ]);
    const home = refusals(newHeat, 'upgrade', { tags: ['heat_api'], unreachable: ['node1'] }, two);
    expect(home).toMatchObject([
      {
        code: 'limit-without-migrations',
        message: 'heat_api changes its image, and node1 cannot be reached, where its migrations are run',
        hint: 'bring node1 back first, or leave this out with --skip-tags heat',
      },
    ]);
  });

  it('is told apart from one that the limit leaves out', () => {
    const choice = { tags: ['magnum_conductor'], limit: 'node1,node2', unreachable: ['node2'] };
    expect(refusals(newMagnum, 'upgrade', choice)[0]?.message).toBe(
      'versions of magnum_conductor must not mix, and the limit leaves out node3 and node2 cannot be reached',
    );
  });
});

describe('a member of a cluster', () => {
  const changed = new SimulatedSite({
    globals: 'rabbitmq_tag: other\n',
    overrides: { 'galera.cnf': '[mysqld]\nmax_connections = 5\n' },
  });

  it.each([['mariadb'], ['rabbitmq']])('of %s is never touched while another one cannot be reached', (name) => {
    for (const limits of [{}, { maxUnavailable: { replicas: 3 } }]) {
      expect(refusals(changed, 'upgrade', { tags: [name], unreachable: ['node3'] }, limits)).toEqual([
        {
          code: 'member-unreachable',
          message: `${name}: ${name} on node1, node2 is not touched while node3 cannot be reached: a member is taken only from a whole cluster`,
          hint: `bring node3 back first, or leave this out with --skip-tags ${name}`,
        },
      ]);
    }
  });

  it('is not stopped either', () => {
    const { desired } = site.desired({ tags: ['rabbitmq', 'memcached'], unreachable: ['node3'] });
    const { steps: all } = planStop(desired, observe(deployed));
    expect(checkMembers(desired, ['node3'], all).map((d) => d.code)).toEqual(['member-unreachable']);
    const others = all.filter((s) => s.service !== 'rabbitmq');
    expect(checkMembers(desired, ['node3'], others)).toEqual([]);
  });

  it('forms no cluster without the others', () => {
    expect(refusals(site, 'deploy', { tags: ['mariadb'], unreachable: ['node2'] }, {}, emptyWorld(site))).toMatchObject(
      [
        {
          code: 'galera-incomplete',
          message: 'no mariadb runs, and node2 of its group cannot be reached',
          hint: 'a new Galera cluster is formed only when every member has been seen: bring them back first',
        },
      ],
    );
  });
});

describe('what may lie on a host that cannot be reached', () => {
  const withoutKeystone = copyOf(deployed);
  for (const node of withoutKeystone.nodes.values()) {
    node.containers.delete('keystone');
    node.markers.delete('keys.keystone');
  }

  it('is not made anew: keys', () => {
    const choice = { tags: ['keystone'], unreachable: ['node3'] };
    expect(refusals(site, 'deploy', choice, {}, withoutKeystone).map((d) => d.message)).toContain(
      'keystone: new keys would be made for keystone, and node3, which may hold some, cannot be reached',
    );
    const oneLeft = copyOf(deployed);
    oneLeft.nodes.get('node1')?.containers.delete('keystone');
    oneLeft.nodes.get('node1')?.markers.delete('keys.keystone');
    expect(refusals(site, 'deploy', choice, {}, oneLeft)).toEqual([]);
  });

  it('is not made anew: a service whose databases are made there', () => {
    const world = copyOf(deployed);
    for (const node of world.nodes.values()) {
      for (const name of [...node.containers.keys()].filter((n) => n.startsWith('heat'))) node.containers.delete(name);
    }
    const found = refusals(site, 'deploy', { tags: ['heat'], unreachable: ['node1'] }, {}, world);
    expect(found.map((d) => d.code)).toEqual(['home-unreachable']);
    expect(refusals(site, 'deploy', { tags: ['heat'], unreachable: ['node2'] }, {}, world)).toEqual([]);
  });
});

describe('a load balancer that cannot be reached', () => {
  it('is left out of drains, with a notice', () => {
    const plan = planned(newHeat, 'upgrade', heat, two);
    for (const drain of steps(plan, 'drain', 'heat_api')) {
      expect(drain).toMatchObject({ balancers: [{ host: 'node1' }, { host: 'node3' }] });
    }
    expect(plan.notices).toContainEqual(expect.stringContaining('load balancers on node2 cannot be reached'));
    expect(planned(site, 'reconfigure', heat).notices).toEqual([]);
  });

  it('is told by a later run what an earlier one had drained there', async () => {
    const world = copyOf(deployed);
    const marker = () => world.nodes.get('node1')?.markers.get('drained.heat_api');
    world.nodes.get('node1')?.markers.set('drained.heat_api', 'yes');
    await change(site, world, 'reconfigure', heat);
    expect(marker()).toBe('untold node2');
    expect(must(site.plan('reconfigure', observe(world), heat)).steps).toEqual([]);
    await carryOut(must(newHeat.plan('upgrade', observe(world), heat, undefined, two)), world);
    expect(marker()).toBe('untold node2');
    const plan = await change(newHeat, world, 'reconfigure', { tags: ['heat'] });
    expect(plan.steps.filter((s) => s.host === 'node1').map((s) => s.kind)).toEqual(['undrain']);
    expect(marker()).toBeUndefined();
  });
});
