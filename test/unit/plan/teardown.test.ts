import { describe, expect, it } from 'vitest';
import type { Survey } from '../../../src/cli/survey.ts';
import { teardownPlan } from '../../../src/cli/verbs.ts';
import type { Hooks } from '../../../src/core/model/hook.ts';
import type { Plan } from '../../../src/core/plan/steps.ts';
import { precedes, step, steps, subjectOf } from '../../sim/order.ts';
import { carryOut, change, copyOf, emptyWorld, observe, stateOf } from '../../sim/scenario.ts';
import { type Choice, must, SimulatedSite } from '../../sim/site.ts';
import type { SimulatedWorld } from '../../sim/world.ts';

const site = new SimulatedSite();
const deployed = emptyWorld(site);
await change(site, deployed, 'deploy');

function teardown(
  verb: 'stop' | 'destroy',
  world: SimulatedWorld,
  choice: Choice = {},
  keepVolumes = false,
  hooks: Hooks = new Map(),
): Plan {
  const { target, desired } = site.desired(choice);
  const observed = new Map([...observe(world)].filter(([host]) => target.hosts.includes(host)));
  const survey: Survey = {
    loaded: site.loaded,
    target,
    desired,
    observed,
    nodes: new Map(),
    digests: new Map(),
    hooks,
    hookTimeout: 600,
    options: { tags: [], skipTags: [], rollout: {} },
  };
  return teardownPlan(verb, survey, keepVolumes);
}

describe('stop', () => {
  const plan = teardown('stop', deployed);

  it('stops everything, what needs others first', () => {
    expect(plan.steps.every((s) => s.kind === 'stop' && s.impact === 'service')).toBe(true);
    expect(plan.steps).toHaveLength(site.desired().desired.services.flatMap((s) => s.containers).length);
    for (const [first, then] of [
      ['magnum_api', 'heat_api'],
      ['heat_engine', 'keystone'],
      ['keystone', 'mariadb'],
    ] as const) {
      expect(precedes(plan, steps(plan, 'stop', first), steps(plan, 'stop', then))).toBe(true);
    }
  });

  it('stops only what is selected, and nothing twice', async () => {
    const choice = { tags: ['magnum_api'], limit: 'node3' };
    const part = teardown('stop', deployed, choice);
    expect(part.steps).toMatchObject([{ kind: 'stop', container: 'magnum_api', host: 'node3' }]);
    const world = copyOf(deployed);
    await carryOut(part, world);
    expect(teardown('stop', world, choice).steps).toEqual([]);
  });

  it('is undone by a deploy, with the same containers', async () => {
    const world = copyOf(deployed);
    await carryOut(teardown('stop', world, { tags: ['magnum'] }), world);
    expect(world.running('magnum_api')).toEqual([]);
    const back = await change(site, world, 'deploy', { tags: ['magnum'] });
    expect(new Set(back.steps.map((s) => s.kind))).toEqual(new Set(['start', 'healthy', 'undrain']));
    expect(stateOf(world)).toEqual(stateOf(deployed));
  });
});

describe('destroy', () => {
  it('removes containers, files, volumes and markers, so that a deploy begins anew', async () => {
    const world = copyOf(deployed);
    const plan = teardown('destroy', world);
    expect((await carryOut(plan, world)).failed).toEqual([]);
    for (const node of world.nodes.values()) {
      expect([...node.containers.keys()]).toEqual([]);
      expect([...node.files.keys()]).toEqual([]);
      expect([...node.markers.keys()]).toEqual([]);
      expect([...node.volumes.keys()]).toEqual(['kolla_logs']);
    }
    await change(site, world, 'deploy');
    expect(stateOf(world)).toEqual(stateOf(deployed));
  });

  it.each([{}, { tags: ['magnum'] }, { tags: ['keystone'], limit: 'node1,node2' }] as const)(
    'leaves nothing for a second look to find, volumes kept or not: %j',
    async (choice) => {
      for (const keepVolumes of [false, true]) {
        const world = copyOf(deployed);
        await carryOut(teardown('destroy', world, choice, keepVolumes), world);
        expect(teardown('destroy', world, choice, keepVolumes).steps).toEqual([]);
      }
    },
  );

  it('takes each service away after those that need it', () => {
    const plan = teardown('destroy', deployed);
    const magnum = plan.steps.filter((s) => s.service === 'magnum');
    expect(
      precedes(
        plan,
        magnum,
        plan.steps.filter((s) => s.service === 'heat' && s.kind === 'stop'),
      ),
    ).toBe(true);
    expect(precedes(plan, steps(plan, 'remove', 'mariadb'), steps(plan, 'wipe', 'mariadb'))).toBe(true);
  });

  it('of one service leaves all others as they are', async () => {
    const world = copyOf(deployed);
    const plan = teardown('destroy', world, { tags: ['magnum'] });
    expect(new Set(plan.steps.map((s) => s.service))).toEqual(new Set(['magnum']));
    await carryOut(plan, world);
    expect(must(site.plan('deploy', observe(world), { skipTags: ['magnum'] })).steps).toEqual([]);
    await change(site, world, 'deploy');
    expect(stateOf(world)).toEqual(stateOf(deployed));
  });

  it('forgets what was registered in it for others', () => {
    const markers = (tag: string) =>
      steps(teardown('destroy', deployed, { tags: [tag] }), 'wipe').flatMap((s) =>
        s.kind === 'wipe' ? s.markers : [],
      );
    expect(markers('keystone')).toEqual(
      expect.arrayContaining(['identity.keystone', 'identity.heat', 'identity.magnum']),
    );
    expect(markers('mariadb')).toEqual(
      expect.arrayContaining(['galera.formed', 'databases.keystone', 'databases.heat']),
    );
    expect(markers('magnum')).not.toContain('identity.heat');
  });

  it('can keep the volumes', () => {
    const plan = teardown('destroy', deployed, { tags: ['mariadb'] }, true);
    expect(steps(plan, 'wipe').flatMap((s) => (s.kind === 'wipe' ? s.volumes : []))).toEqual([]);
    expect(step(teardown('destroy', deployed, { tags: ['mariadb'] }), 'wipe', 'mariadb', 'node2')).toMatchObject({
      volumes: ['mariadb'],
    });
  });

  it('removes what an interrupted or failed run left behind, and never what is not ours', async () => {
    const world = copyOf(deployed);
    const node = world.nodes.get('node1');
    const old = node?.containers.get('magnum_conductor');
    if (!node || !old) throw new Error('no magnum_conductor');
    for (const name of ['magnum_conductor__previous', 'bootstrap_magnum']) {
      node.containers.set(name, { ...old, id: name, state: 'exited' });
    }
    node.containers.set('magnum_conductor_by_hand', {
      ...old,
      id: 'foreign',
      labels: {},
      spec: { ...old.spec, volumes: [] },
    });
    const plan = teardown('destroy', world, { tags: ['magnum'] });
    expect((await carryOut(plan, world)).failed).toEqual([]);
    expect([...node.containers.keys()].filter((name) => name.includes('magnum'))).toEqual(['magnum_conductor_by_hand']);
    expect(plan.steps.map(subjectOf)).toContain('bootstrap_magnum');
  });
});

describe('hooks', () => {
  it.each(['stop', 'destroy'] as const)(
    'of a service surround its %s, which still goes from the top down',
    async (verb) => {
      const world = copyOf(deployed);
      const hooks: Hooks = new Map([
        ['pre-service', [{ name: 'pre-service', path: '/h/pre-service' }]],
        ['post-service', [{ name: 'post-service', path: '/h/post-service' }]],
      ]);
      const plan = teardown(verb, world, {}, false, hooks);
      const hook = (name: string, service: string) =>
        plan.steps.filter((s) => s.kind === 'hook' && s.name === name && s.service === service);
      const of = (service: string) => plan.steps.filter((s) => s.service === service && s.kind !== 'hook');
      expect(precedes(plan, hook('pre-service', 'magnum'), of('magnum'))).toBe(true);
      expect(precedes(plan, of('magnum'), hook('pre-service', 'keystone'))).toBe(true);
      expect(precedes(plan, of('keystone'), hook('post-service', 'keystone'))).toBe(true);
      expect(await carryOut(plan, world)).toMatchObject({ done: plan.steps.length, failed: [], left: [] });
    },
  );
});
