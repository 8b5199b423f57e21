import { describe, expect, it } from 'vitest';
import { sha256 } from '../../../src/core/hash.ts';
import { label } from '../../../src/core/model/node.ts';
import type { Plan } from '../../../src/core/plan/steps.ts';
import { precedes, step, steps, subjectOf } from '../../sim/order.ts';
import { carryOut, change, copyOf, emptyWorld, observe } from '../../sim/scenario.ts';
import { type Choice, must, SimulatedSite } from '../../sim/site.ts';
import type { SimulatedWorld } from '../../sim/world.ts';

const site = new SimulatedSite();
const deployed = emptyWorld(site);
await change(site, deployed, 'deploy');
const withoutMagnum = new SimulatedSite({ globals: 'enable_magnum: false\n' });
const smaller = new SimulatedSite({ hosts: ['node1', 'node2'] });

function planOn(world: SimulatedWorld, of: SimulatedSite, choice: Choice = {}): Plan {
  return must(of.plan('reconfigure', observe(world), choice));
}

function nodeOf(world: SimulatedWorld, host: string) {
  const node = world.nodes.get(host);
  if (!node) throw new Error(`no ${host}`);
  return node;
}

/** Everything on the nodes whose name tells of magnum, but volumes. */
function tracesOfMagnum(world: SimulatedWorld): string[] {
  return [...world.nodes.values()].flatMap((node) =>
    [
      ...node.containers.keys(),
      ...node.files.keys(),
      ...[...node.markers.keys()].filter((key) => /^(made|loaded)\./.test(key)),
    ].filter((name) => name.includes('magnum')),
  );
}

describe('a service that was disabled', () => {
  it('is named and left alone without --prune', () => {
    const plan = planOn(deployed, withoutMagnum);
    expect(plan.notices).toEqual([
      'left over, because its service is disabled: magnum_api (node1, node2, node3), magnum_conductor (node1, node2, node3); --prune removes it',
    ]);
    expect(plan.steps.every((s) => s.service === 'loadbalancer')).toBe(true);
  });

  it('is removed with --prune: load balancer entries, then containers with their grace, then files', async () => {
    const world = copyOf(deployed);
    const plan = planOn(world, withoutMagnum, { prune: true });
    const stops = steps(plan, 'stop');
    expect(stops.map(subjectOf).sort()).toEqual([
      ...['magnum_api', 'magnum_api', 'magnum_api', 'magnum_conductor', 'magnum_conductor', 'magnum_conductor'],
    ]);
    expect(stops.every((s) => s.kind === 'stop' && s.graceSeconds > 0 && s.reason === 'its service is disabled')).toBe(
      true,
    );
    expect(precedes(plan, steps(plan, 'reload', 'haproxy'), stops)).toBe(true);
    const wipes = steps(plan, 'wipe', 'magnum', 'node1').filter((s) => s.id.endsWith('magnum_api'));
    expect(precedes(plan, step(plan, 'remove', 'magnum_api', 'node1'), wipes)).toBe(wipes.length === 1);
    expect((await carryOut(plan, world)).failed).toEqual([]);
    expect(tracesOfMagnum(world)).toEqual([]);
    const again = planOn(world, withoutMagnum, { prune: true });
    expect({ steps: again.steps, notices: again.notices, drift: again.drift }).toEqual({
      steps: [],
      notices: [],
      drift: [],
    });
  });

  it('keeps its volumes, and says which', async () => {
    const world = copyOf(deployed);
    const node = nodeOf(world, 'node2');
    const api = node.containers.get('magnum_api');
    if (api) node.containers.set('magnum_api', { ...api, spec: { ...api.spec, volumes: ['precious:/data'] } });
    node.volumes.set('precious', new Map([['precious', new Uint8Array(1)]]));
    const before = [...world.nodes.values()].map((n) => [...n.volumes]);
    const plan = planOn(world, withoutMagnum, { prune: true });
    expect(plan.notices.join('\n')).toMatch(/^volumes that stay, with their data: .*precious \(node2\)/m);
    await carryOut(plan, world);
    expect([...world.nodes.values()].map((n) => [...n.volumes])).toEqual(before);
  });

  it('leaves the load balancers first also when they are not selected', async () => {
    const world = copyOf(deployed);
    const choice = { prune: true, skipTags: ['loadbalancer', 'common'] };
    const plan = planOn(world, withoutMagnum, choice);
    const writes = steps(plan, 'write', 'haproxy');
    expect(writes.map((s) => s.kind === 'write' && s.remove)).toEqual(
      site.hosts.map(() => ['/etc/kolla/haproxy/services.d/magnum-api.cfg']),
    );
    expect(precedes(plan, steps(plan, 'reload', 'haproxy'), steps(plan, 'stop'))).toBe(true);
    expect((await carryOut(plan, world)).failed).toEqual([]);
    expect(planOn(world, withoutMagnum, choice).steps).toEqual([]);
    expect(planOn(world, withoutMagnum).steps).toEqual([]);
  });

  it('comes after all that is done to those that stay', () => {
    const changed = new SimulatedSite({ globals: 'enable_magnum: false\nheat_api_port: 18004\n' });
    const plan = planOn(deployed, changed, { prune: true, skipTags: ['loadbalancer'] });
    const staying = plan.steps.filter((s) => s.service === 'heat');
    expect(precedes(plan, staying, steps(plan, 'stop', 'magnum_api'))).toBe(true);
  });

  it('is no leftover of a run that is about others, or skips it', () => {
    for (const choice of [{ tags: ['heat'] }, { skipTags: ['magnum'] }]) {
      const plan = planOn(deployed, withoutMagnum, { ...choice, prune: true });
      expect(plan.notices).toEqual([]);
      expect(plan.steps.filter((s) => s.service === 'magnum')).toEqual([]);
    }
  });

  it('is found by the marker of its making when its containers were removed by hand', async () => {
    const world = copyOf(deployed);
    nodeOf(world, 'node1').containers.delete('magnum_api');
    const plan = planOn(world, withoutMagnum, { prune: true });
    await carryOut(plan, world);
    expect(tracesOfMagnum(world)).toEqual([]);
  });
});

describe('a host that was taken out of its groups', () => {
  it('is cleared, one host after another being the last to go', async () => {
    const world = copyOf(deployed);
    await change(smaller, world, 'reconfigure');
    const untouched = observe(world).get('node3');
    const plan = planOn(world, smaller, { prune: true });
    const changing = plan.steps.filter(({ kind }) => kind !== 'galera-check' && kind !== 'galera-synced');
    expect(new Set(changing.map((s) => s.host))).toEqual(new Set(['node3']));
    expect(new Set(changing.map((s) => s.reason))).toEqual(new Set(['the host is no longer in its group']));
    expect((await carryOut(plan, world)).failed).toEqual([]);
    expect([...nodeOf(world, 'node3').containers.keys()]).toEqual([]);
    expect([...nodeOf(world, 'node3').files.keys()]).toEqual([]);
    expect(observe(world).get('node3')?.volumes).toEqual(untouched?.volumes);
  });
});

describe('a short-lived container that failed', () => {
  it('is kept for its log while its service is enabled, and goes with it', () => {
    const world = copyOf(deployed);
    const node = nodeOf(world, 'node1');
    const api = node.containers.get('magnum_api');
    if (!api) throw new Error('no magnum_api');
    const labels = { ...api.labels, [label.container]: 'bootstrap_magnum' };
    node.containers.set('bootstrap_magnum', { ...api, labels, id: 'failed', state: 'exited' });
    const kept = planOn(world, site, { prune: true });
    expect({ steps: kept.steps, notices: kept.notices }).toEqual({ steps: [], notices: [] });
    const gone = planOn(world, withoutMagnum, { prune: true });
    expect(step(gone, 'remove', 'bootstrap_magnum')).toMatchObject({ host: 'node1' });
  });
});

describe('what is not ours', () => {
  it('keeps the directory it may use', async () => {
    const world = copyOf(deployed);
    const node = nodeOf(world, 'node2');
    const api = node.containers.get('magnum_api');
    if (api) node.containers.set('magnum_api', { ...api, id: 'by hand', labels: {} });
    await carryOut(planOn(world, withoutMagnum, { prune: true }), world);
    expect(node.containers.get('magnum_api')).toMatchObject({ id: 'by hand', state: 'running' });
    expect([...node.files.keys()].filter((path) => path.includes('/magnum-api/')).length).toBeGreaterThan(2);
  });

  it('may have left a marker where another site is at home too', async () => {
    const world = copyOf(deployed);
    const node = nodeOf(world, 'node2');
    const other = node.containers.get('magnum_api');
    if (!other) throw new Error('no magnum_api');
    node.containers.delete('magnum_api');
    node.containers.set('theirs', { ...other, labels: { ...other.labels, [label.site]: 'other' } });
    await carryOut(planOn(world, withoutMagnum, { prune: true }), world);
    expect(node.markers.has('made.magnum_api')).toBe(true);
    expect([...node.files.keys()].filter((path) => path.includes('/magnum-api/')).length).toBeGreaterThan(2);
  });

  it('is never touched: other containers, other sites, their directories', async () => {
    const world = copyOf(deployed);
    const node = nodeOf(world, 'node2');
    const api = node.containers.get('magnum_api');
    const conductor = node.containers.get('magnum_conductor');
    if (!api || !conductor) throw new Error('no magnum');
    node.containers.set('magnum_api', { ...api, id: 'by hand', labels: {} });
    node.containers.set('magnum_conductor', {
      ...conductor,
      labels: { ...conductor.labels, [label.site]: 'other' },
    });
    node.containers.set('registry', { ...api, id: 'registry', labels: {} });
    node.files.set('/etc/kolla/registry/config.yml', { content: '', mode: '0644', sha256: sha256('') });
    const state = () => ({
      containers: ['magnum_api', 'magnum_conductor', 'registry'].map((name) => node.containers.get(name)),
      files: [...node.files.keys()].filter((path) => /magnum-(api|conductor)\/|registry/.test(path)),
    });
    const before = JSON.stringify(state());
    expect(state().files.length).toBeGreaterThan(4);
    await carryOut(planOn(world, withoutMagnum, { prune: true }), world);
    expect(JSON.stringify(state()) === before).toBe(true);
  });
});
