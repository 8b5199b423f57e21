import { describe, expect, it } from 'vitest';
import type { ChangeVerb } from '../../../src/core/plan/policy.ts';
import type { Plan, Step } from '../../../src/core/plan/steps.ts';
import { precedes, step, steps, subjectOf } from '../../sim/order.ts';
import { change, copyOf, emptyWorld, observe } from '../../sim/scenario.ts';
import { type Choice, digestOf, must, SimulatedSite } from '../../sim/site.ts';
import type { SimulatedWorld } from '../../sim/world.ts';

const site = new SimulatedSite();
const deployed = emptyWorld(site);
await change(site, deployed, 'deploy');
const newMagnum = new SimulatedSite({ globals: 'magnum_tag: 2025.1-debian-trixie\n' });

function planOn(world: SimulatedWorld, verb: ChangeVerb, choice: Choice = {}, of = site): Plan {
  return must(of.plan(verb, observe(world), choice));
}

function container(world: SimulatedWorld, host: string, name: string) {
  const found = world.nodes.get(host)?.containers.get(name);
  if (!found) throw new Error(`no ${name} on ${host}`);
  return found;
}

/** Containers a plan touches at all, as `name host`. */
function touched(plan: Plan): string[] {
  const kinds = ['create', 'stop', 'start', 'reload', 'remove', 'healthy'];
  return [...new Set(plan.steps.filter((s) => kinds.includes(s.kind)).map((s) => `${subjectOf(s)} ${s.host}`))].sort();
}

function everywhere(...names: string[]): string[] {
  return names.flatMap((name) => ['node1', 'node2', 'node3'].map((host) => `${name} ${host}`)).sort();
}

describe('when all is as wanted', () => {
  it.each(['pull', 'deploy', 'upgrade', 'reconfigure'] as const)('%s has nothing to do', (verb) => {
    expect(planOn(deployed, verb)).toMatchObject({ steps: [], notices: [] });
  });

  it.each([{ tags: ['magnum'] }, { tags: ['heat_engine'] }, { skipTags: ['common'] }])('with %j too', (choice) => {
    expect(planOn(deployed, 'deploy', choice).steps).toEqual([]);
  });
});

describe('an upgrade of magnum', () => {
  const plan = planOn(deployed, 'upgrade', { tags: ['magnum'] }, newMagnum);

  it('touches nothing else', () => {
    expect(new Set(plan.steps.map((s) => s.service))).toEqual(new Set(['magnum']));
    const kept = [...everywhere('magnum_api', 'magnum_conductor')];
    const left = everywhere('magnum_api__previous', 'magnum_conductor__previous');
    expect(touched(plan)).toEqual([...kept, ...left].sort());
  });

  it('pulls both images everywhere before the first change', () => {
    const changes = plan.steps.filter((s) => ['one-shot', 'stop', 'start', 'create'].includes(s.kind));
    expect(steps(plan, 'pull')).toHaveLength(6);
    expect(precedes(plan, steps(plan, 'pull'), changes)).toBe(true);
  });

  it('migrates once, with the new image, before any process is replaced', () => {
    const migration = step(plan, 'one-shot', 'bootstrap_magnum');
    expect(migration).toMatchObject({ spec: { image: { tag: '2025.1-debian-trixie' } } });
    expect(precedes(plan, migration, steps(plan, 'stop'))).toBe(true);
  });

  it('drains an API in every load balancer before it stops, and the next one only when it is back', () => {
    for (const host of ['node1', 'node2', 'node3']) {
      const drained = step(plan, 'drain', 'magnum_api', host);
      expect(drained).toMatchObject({ servers: [{ backend: 'magnum_api_back', server: host }] });
      expect(drained.kind === 'drain' && drained.balancers.map((b) => b.host)).toEqual(['node1', 'node2', 'node3']);
      expect(precedes(plan, drained, step(plan, 'stop', 'magnum_api', host))).toBe(true);
      expect(precedes(plan, step(plan, 'healthy', 'magnum_api', host), step(plan, 'undrain', 'magnum_api', host))).toBe(
        true,
      );
    }
    const [first, second] = [step(plan, 'undrain', 'magnum_api', 'node1'), step(plan, 'drain', 'magnum_api', 'node2')];
    expect(precedes(plan, first, second)).toBe(true);
  });

  it('creates every new conductor beforehand and stops every old one before a new one starts', () => {
    expect(precedes(plan, steps(plan, 'create', 'magnum_conductor'), steps(plan, 'stop', 'magnum_conductor'))).toBe(
      true,
    );
    expect(precedes(plan, steps(plan, 'stop', 'magnum_conductor'), steps(plan, 'start', 'magnum_conductor'))).toBe(
      true,
    );
    expect(steps(plan, 'stop', 'magnum_conductor')).toHaveLength(3);
  });

  it('replaces the APIs meanwhile, one host at a time, and lets none serve beside an old conductor', () => {
    const stops = steps(plan, 'stop', 'magnum_conductor');
    const conductors = steps(plan, 'healthy', 'magnum_conductor');
    for (const conductor of [...stops, ...conductors]) {
      expect(precedes(plan, conductor, step(plan, 'healthy', 'magnum_api', 'node1'))).toBe(false);
    }
    expect(precedes(plan, stops, steps(plan, 'undrain', 'magnum_api'))).toBe(true);
    expect(precedes(plan, conductors, steps(plan, 'remove', 'magnum_api__previous'))).toBe(true);
    for (const [one, next] of [
      ['node1', 'node2'],
      ['node2', 'node3'],
    ] as const) {
      const served = step(plan, 'healthy', 'magnum_api', one);
      expect(precedes(plan, served, step(plan, 'stop', 'magnum_api', next))).toBe(true);
    }
  });

  it('keeps each old container until its successor serves', () => {
    for (const name of ['magnum_api', 'magnum_conductor']) {
      for (const host of site.hosts) {
        const removed = step(plan, 'remove', `${name}__previous`, host);
        expect(precedes(plan, step(plan, 'healthy', name, host), removed)).toBe(true);
      }
    }
  });

  it('is only announced by a reconfigure', () => {
    const other = planOn(deployed, 'reconfigure', {}, newMagnum);
    expect(other.steps).toEqual([]);
    expect(other.notices).toEqual([expect.stringContaining('deploy upgrade --tags magnum'), expect.any(String)]);
  });
});

describe('a tag that was pushed anew', () => {
  it('is found by its digest and replaces what runs', () => {
    const moved = (image: string) => (image.includes('/memcached:') ? 'sha256:pushed' : digestOf(image));
    const plan = must(site.plan('deploy', observe(deployed), {}, moved));
    expect(new Set(plan.steps.map((s) => s.service))).toEqual(new Set(['memcached']));
    expect(step(plan, 'create', 'memcached', 'node2').reason).toContain('the tag moved');
  });
});

describe('changed configuration', () => {
  it.each([
    ['heat.conf', everywhere('heat_api', 'heat_api_cfn', 'heat_engine')],
    ['heat/heat-engine.conf', everywhere('heat_engine')],
    ['heat/node2/heat.conf', ['heat_api node2', 'heat_api_cfn node2', 'heat_engine node2']],
  ])('%s replaces exactly the containers that read it', (override, expected) => {
    const changed = new SimulatedSite({ overrides: { [override]: '[DEFAULT]\nmax_resources_per_stack = 7\n' } });
    const plan = planOn(deployed, 'reconfigure', {}, changed);
    expect(touched(plan).filter((name) => !name.includes('__previous'))).toEqual(expected);
    for (const write of steps(plan, 'write')) {
      expect(write.kind === 'write' && write.files.map((f) => f.path.split('/').pop())).toEqual(['heat.conf']);
    }
    expect(plan.steps.filter((s) => s.kind === 'pull' || s.kind === 'one-shot')).toEqual([]);
  });

  it('writes a file back that was changed by hand, and replaces nothing: the process never saw it', () => {
    const world = copyOf(deployed);
    world.nodes
      .get('node3')
      ?.files.set('/etc/kolla/heat-api/heat.conf', { content: 'by hand', mode: '0660', sha256: 'other' });
    expect(planOn(world, 'reconfigure').steps).toMatchObject([{ kind: 'write', host: 'node3', container: 'heat_api' }]);
  });

  it('reloads the load balancers, never restarts them, when an entry changes', () => {
    const moved = new SimulatedSite({ globals: 'heat_api_port: 18004\n' });
    const plan = planOn(deployed, 'reconfigure', {}, moved);
    expect(steps(plan, 'reload', 'haproxy')).toHaveLength(3);
    expect(
      plan.steps.filter((s) => subjectOf(s) === 'haproxy' && ['stop', 'start', 'create'].includes(s.kind)),
    ).toEqual([]);
  });

  it('reloads them also when only the service is selected, before its containers are touched', () => {
    const moved = new SimulatedSite({ globals: 'heat_api_port: 18004\n' });
    const plan = planOn(deployed, 'reconfigure', { tags: ['heat'] }, moved);
    for (const host of site.hosts) {
      const write = step(plan, 'write', 'haproxy', host);
      expect(write.kind === 'write' && write.files.map((f) => f.path)).toEqual([
        '/etc/kolla/haproxy/services.d/heat-api.cfg',
      ]);
      expect(precedes(plan, write, step(plan, 'reload', 'haproxy', host))).toBe(true);
    }
    expect(precedes(plan, steps(plan, 'reload'), steps(plan, 'stop', 'heat_api'))).toBe(true);
  });
});

describe('what is found on the nodes', () => {
  function stepsAfter(work: (world: SimulatedWorld) => void, verb: ChangeVerb = 'deploy'): readonly Step[] {
    const world = copyOf(deployed);
    work(world);
    return planOn(world, verb).steps;
  }

  it('starts a container that has stopped, the same one', () => {
    const found = stepsAfter((world) => {
      container(world, 'node2', 'heat_engine').state = 'exited';
    });
    expect(found.map((s) => [s.kind, s.host, s.impact])).toEqual([
      ['start', 'node2', 'none'],
      ['healthy', 'node2', 'none'],
    ]);
  });

  it('makes a container anew that was removed by hand', () => {
    const found = stepsAfter((world) => world.nodes.get('node1')?.containers.delete('magnum_api'));
    expect(found.map((s) => [s.kind, s.host])).toEqual([
      ['create', 'node1'],
      ['start', 'node1'],
      ['healthy', 'node1'],
      ['undrain', 'node1'],
    ]);
  });

  it('makes it from the image of its replicas when another one is due but not asked for', () => {
    const world = copyOf(deployed);
    world.nodes.get('node1')?.containers.delete('magnum_conductor');
    const plan = planOn(world, 'reconfigure', {}, newMagnum);
    expect(step(plan, 'create', 'magnum_conductor')).toMatchObject({ spec: { image: { tag: 'zed-debian-bookworm' } } });
  });

  it.each(['__previous', '__next'])('removes a leftover %s', (suffix) => {
    const found = stepsAfter((world) => {
      const old = container(world, 'node3', 'heat_api');
      world.nodes.get('node3')?.containers.set(`heat_api${suffix}`, { ...old, id: 'left', state: 'exited' });
    });
    expect(found).toMatchObject([{ kind: 'remove', host: 'node3', container: `heat_api${suffix}` }]);
  });

  it('removes a leftover beside a container that is only reloaded', () => {
    const world = copyOf(deployed);
    const old = container(world, 'node3', 'haproxy');
    world.nodes.get('node3')?.containers.set('haproxy__previous', { ...old, id: 'left', state: 'exited' });
    const moved = new SimulatedSite({ globals: 'heat_api_port: 18004\n' });
    const plan = planOn(world, 'reconfigure', {}, moved);
    expect(step(plan, 'remove', 'haproxy__previous', 'node3')).toBeDefined();
  });

  it('takes the first host of a service that is in the middle of its replacement for deployed', () => {
    const world = copyOf(deployed);
    const node = world.nodes.get('node1');
    const old = container(world, 'node1', 'glance_api');
    node?.containers.delete('glance_api');
    node?.containers.set('glance_api__previous', { ...old, state: 'exited' });
    node?.containers.set('glance_api__next', { ...old, id: 'next', state: 'created' });
    const plan = planOn(world, 'upgrade', { tags: ['glance'] });
    expect(plan.notices).toEqual([]);
    expect(steps(plan, 'start', 'glance_api')).toHaveLength(1);
    expect(steps(plan, 'remove').map(subjectOf).sort()).toEqual(['glance_api__next', 'glance_api__previous']);
  });

  it('brings stopped replicas up before it takes a serving one away', () => {
    const world = copyOf(deployed);
    container(world, 'node3', 'magnum_api').state = 'exited';
    const plan = planOn(world, 'upgrade', { tags: ['magnum'] }, newMagnum);
    expect(
      precedes(plan, step(plan, 'healthy', 'magnum_api', 'node3'), step(plan, 'stop', 'magnum_api', 'node1')),
    ).toBe(true);
  });

  it('copies the Fernet keys to a host that has lost its marker', () => {
    const world = copyOf(deployed);
    world.nodes.get('node2')?.containers.delete('keystone');
    world.nodes.get('node2')?.markers.delete('keys.keystone');
    const plan = planOn(world, 'deploy');
    const keys = step(plan, 'keys', 'keystone');
    expect(precedes(plan, keys, step(plan, 'start', 'keystone', 'node2'))).toBe(true);
    expect(keys.kind === 'keys' && keys.holders.map((h) => h.host).sort()).toEqual(['node1', 'node2', 'node3']);
  });
});

describe('a replica that an interrupted run left drained', () => {
  it('is put back, and nothing else is touched', () => {
    const world = copyOf(deployed);
    world.nodes.get('node2')?.markers.set('drained.magnum_api', 'yes');
    const plan = planOn(world, 'reconfigure');
    expect(plan.steps.map((s) => [s.kind, s.host, s.reason])).toEqual([
      ['undrain', 'node2', 'left drained by an interrupted run'],
    ]);
  });
});

describe('a limit', () => {
  const upgraded = new SimulatedSite({ globals: 'magnum_tag: other\n' });

  it.each([
    [{ tags: ['magnum'], limit: 'node2' }, ['limit-mixes-versions', 'limit-without-migrations']],
    [{ tags: ['magnum_api'], limit: 'node2,node3' }, ['limit-without-migrations']],
    [{ tags: ['magnum_conductor'], limit: 'node1' }, ['limit-mixes-versions']],
  ])('%j is refused', (choice, codes) => {
    const result = upgraded.plan('upgrade', observe(deployed), choice);
    expect(result.ok ? [] : result.diagnostics.map((d) => d.code).sort()).toEqual(codes);
  });

  it('plans nothing again that is recorded on a host it leaves out', () => {
    const result = new SimulatedSite({}).plan('deploy', observe(deployed), { limit: 'node2' });
    expect(result.ok && result.value.steps).toEqual([]);
  });
});

describe('a part of the site', () => {
  const changed = new SimulatedSite({ globals: 'openstack_logging_debug: true\nmagnum_tag: other\n' });

  it.each([
    [{ tags: ['heat_engine'] }, everywhere('heat_engine')],
    [{ tags: ['heat_api_cfn', 'heat_engine'], limit: 'node2' }, ['heat_api_cfn node2', 'heat_engine node2']],
    [{ tags: ['glance'] }, ['glance_api node1']],
    [{ tags: ['magnum'], skipTags: ['magnum_conductor'] }, everywhere('magnum_api')],
  ])('%j', (choice, expected) => {
    const plan = planOn(deployed, 'deploy', choice, changed);
    expect(touched(plan).filter((name) => !name.includes('__'))).toEqual(expected);
  });
});

describe('a host left out by a limit', () => {
  it('is named when something of a selected service is recorded there', () => {
    const plan = planOn(deployed, 'reconfigure', { tags: ['heat', 'memcached'], limit: 'node3' });
    expect(plan.notices).toEqual([
      'node1 is left out: databases, Keystone records and migrations of heat are recorded there and not looked at',
    ]);
    expect(planOn(deployed, 'reconfigure', { tags: ['memcached'], limit: 'node3' }).notices).toEqual([]);
  });
});
