import { describe, expect, it } from 'vitest';
import { allDrift } from '../../../src/cli/commands/drift.ts';
import type { Survey } from '../../../src/cli/survey.ts';
import { sha256 } from '../../../src/core/hash.ts';
import { imageName, label } from '../../../src/core/model/node.ts';
import type { ChangeVerb } from '../../../src/core/plan/policy.ts';
import type { Plan } from '../../../src/core/plan/steps.ts';
import type { OpenNode } from '../../../src/edge/node/node.ts';
import { driftText } from '../../../src/report/drift-text.ts';
import { step, steps } from '../../sim/order.ts';
import { carryOut, change, copyOf, emptyWorld, observe, stateOf } from '../../sim/scenario.ts';
import { digestOf, must, SimulatedSite } from '../../sim/site.ts';
import type { SimulatedWorld } from '../../sim/world.ts';

const site = new SimulatedSite();
const deployed = emptyWorld(site);
await change(site, deployed, 'deploy');

function nodeOf(world: SimulatedWorld, host: string) {
  const node = world.nodes.get(host);
  if (!node) throw new Error(`no ${host}`);
  return node;
}

function container(world: SimulatedWorld, host: string, name: string) {
  const found = nodeOf(world, host).containers.get(name);
  if (!found) throw new Error(`no ${name} on ${host}`);
  return found;
}

/** The same as ours in all that labels tell, but another one. */
function recreate(world: SimulatedWorld, host: string, name: string, labels?: Record<string, string>) {
  const old = container(world, host, name);
  nodeOf(world, host).containers.set(name, { ...old, id: world.newId(), labels: labels ?? old.labels });
}

function retag(world: SimulatedWorld, host: string, name: string) {
  const node = nodeOf(world, host);
  const { image } = container(world, host, name).spec;
  for (const tags of node.images.values()) tags.delete(imageName(image));
  node.images.set('elsewhere@sha256:other', new Set([imageName(image)]));
}

function edit(world: SimulatedWorld, host: string, path: string, content: string) {
  nodeOf(world, host).files.set(path, { content, mode: '0660', sha256: sha256(content) });
}

function planAfter(damage: (world: SimulatedWorld) => void, verb: ChangeVerb = 'reconfigure', of = site, choice = {}) {
  const world = copyOf(deployed);
  damage(world);
  return {
    world,
    plan: must(of.plan(verb, observe(world, { images: verb !== 'reconfigure', listening: false }), choice)),
  };
}

function summary(plan: Plan): string[] {
  return plan.drift.map(
    ({ host, container: name, what, detail }) => `${host} ${name}: ${what}${detail && ` (${detail})`}`,
  );
}

const verbs = ['deploy', 'upgrade', 'reconfigure', 'reconcile'] as const;

describe('drift', () => {
  it.each([...verbs, 'pull'] as const)('is nothing after a deployment (%s)', (verb) => {
    expect(must(site.plan(verb, observe(deployed))).drift).toEqual([]);
  });

  it('is nothing on nodes that never held anything', () => {
    expect(must(site.plan('deploy', observe(emptyWorld(site)))).drift).toEqual([]);
  });

  it('is no change of the configuration', () => {
    const changed = new SimulatedSite({ globals: 'openstack_logging_debug: true\nheat_api_port: 18004\n' });
    const plan = must(changed.plan('reconfigure', observe(deployed)));
    expect(plan.steps.length).toBeGreaterThan(10);
    expect(plan.drift).toEqual([]);
  });

  it('is nothing that an interrupted run leaves behind', { timeout: 30_000 }, async () => {
    const changed = new SimulatedSite({ overrides: { 'heat.conf': '[DEFAULT]\nmax_resources_per_stack = 7\n' } });
    const choice = { tags: ['heat_engine'] };
    const plan = must(changed.plan('reconfigure', observe(deployed), choice));
    for (let done = 0; done < plan.steps.length; done += 1) {
      const world = copyOf(deployed);
      await carryOut(plan, world, { forks: 1, stopAfter: done });
      expect(must(changed.plan('reconfigure', observe(world), choice)).drift, `after ${done} steps`).toEqual([]);
    }
  });

  describe.each(verbs)('under %s', (verb) => {
    it('names edited, deleted and added files, and puts them right without touching the process', () => {
      const { plan } = planAfter((world) => {
        edit(world, 'node2', '/etc/kolla/heat-api/heat.conf', 'by hand');
        nodeOf(world, 'node2').files.delete('/etc/kolla/heat-api/config.json');
        edit(world, 'node2', '/etc/kolla/heat-api/notes', 'mine');
      }, verb);
      expect(summary(plan)).toEqual([
        'node2 heat_api: changed on the node (edited heat.conf; deleted config.json; added notes)',
      ]);
      expect(plan.steps).toMatchObject([{ kind: 'write', host: 'node2', reason: 'changed on the node' }]);
    });

    it('replaces a container that was recreated by hand, though its labels are those of ours', () => {
      const { plan } = planAfter((world) => recreate(world, 'node3', 'magnum_api'), verb);
      expect(summary(plan)).toEqual(['node3 magnum_api: recreated by hand']);
      expect(step(plan, 'create', 'magnum_api', 'node3').reason).toBe('recreated by hand');
      expect(plan.steps.every((s) => s.host === 'node3' && s.service === 'magnum')).toBe(true);
    });

    it('replaces one that was recreated without our labels, and sets it aside first', () => {
      const { plan } = planAfter((world) => recreate(world, 'node3', 'magnum_api', {}), verb);
      expect(summary(plan)).toEqual(['node3 magnum_api: recreated by hand (without our labels)']);
      expect(step(plan, 'stop', 'magnum_api', 'node3')).toMatchObject({ aside: 'magnum_api__previous' });
      expect(step(plan, 'create', 'magnum_api', 'node3')).toMatchObject({
        as: 'magnum_api__next',
        reason: 'recreated by hand (without our labels)',
      });
    });

    it('starts what was stopped, lets go on what was paused, and makes anew what was removed', () => {
      const { plan } = planAfter((world) => {
        container(world, 'node1', 'heat_engine').state = 'exited';
        container(world, 'node2', 'heat_engine').state = 'paused';
        nodeOf(world, 'node3').containers.delete('heat_engine');
      }, verb);
      expect(summary(plan)).toEqual([
        'node1 heat_engine: stopped',
        'node2 heat_engine: paused',
        'node3 heat_engine: missing',
      ]);
      expect(
        steps(plan, 'start', 'heat_engine')
          .map((s) => `${s.host} ${s.reason}`)
          .sort(),
      ).toEqual(['node1 stopped', 'node2 paused', 'node3 missing']);
      expect(steps(plan, 'create').map((s) => s.host)).toEqual(['node3']);
    });

    it('gives an image its name back, and touches no container for that', () => {
      const { plan } = planAfter((world) => retag(world, 'node2', 'keystone'), verb);
      expect(summary(plan)).toEqual([
        expect.stringMatching(/^node2 keystone: image name points elsewhere \(keystone:/),
      ]);
      expect(plan.steps).toMatchObject([
        { kind: 'pull', host: 'node2', reason: 'the tag points elsewhere on this node' },
      ]);
    });
  });

  it('knows the image a container was made from when its name is another one’s', async () => {
    const changed = new SimulatedSite({ globals: 'openstack_logging_debug: true\n' });
    const { world, plan } = planAfter((one) => retag(one, 'node2', 'keystone'), 'reconfigure', changed);
    expect(plan.notices).toEqual([]);
    expect((await carryOut(plan, world)).failed).toEqual([]);
    const { repository, digest } = container(world, 'node2', 'keystone').spec.image;
    expect(nodeOf(world, 'node2').images.has(`${repository}@${digest}`)).toBe(true);
  });

  it('is no tag that was pulled ahead of its upgrade', async () => {
    const pushed = (image: string) => (image.includes('/memcached:') ? 'sha256:pushed' : digestOf(image));
    const world = copyOf(deployed);
    await carryOut(must(site.plan('pull', observe(world), {}, pushed)), world);
    expect(must(site.plan('upgrade', observe(world), {}, pushed)).drift).toEqual([]);
  });

  it('tells an edit from a change of the configuration only as far as that can be told', () => {
    const changed = new SimulatedSite({ overrides: { 'heat.conf': '[DEFAULT]\nmax_resources_per_stack = 7\n' } });
    const { plan } = planAfter(
      (world) => edit(world, 'node2', '/etc/kolla/heat-api/heat.conf', 'by hand'),
      'reconfigure',
      changed,
    );
    expect(summary(plan)).toEqual([
      'node2 heat_api: changed on the node (neither what it started with nor what is wanted: among heat.conf)',
    ]);
  });

  it('finds entries of a selected service in a load balancer that is not selected', () => {
    const path = '/etc/kolla/haproxy/services.d/heat-api.cfg';
    const damage = (world: SimulatedWorld) => edit(world, 'node1', path, 'by hand');
    const found = ['node1 haproxy: changed on the node (edited services.d/heat-api.cfg)'];
    expect(summary(planAfter(damage, 'reconfigure', site, { tags: ['heat'] }).plan)).toEqual(found);
    expect(summary(planAfter(damage, 'reconfigure', site, { tags: ['loadbalancer'] }).plan)).toEqual([]);
    expect(summary(planAfter(damage).plan)).toEqual(found);
  });

  it('leaves alone what stands in a place that was never ours', () => {
    const world = copyOf(deployed);
    recreate(world, 'node3', 'magnum_api', {});
    nodeOf(world, 'node3').markers.delete('made.magnum_api');
    const result = site.plan('reconcile', observe(world));
    expect(result.ok ? [] : result.diagnostics.map((d) => d.code)).toEqual(['foreign-container']);
  });

  it('leaves alone what belongs to another site', () => {
    const world = copyOf(deployed);
    recreate(world, 'node3', 'magnum_api', { [label.site]: 'other', [label.container]: 'magnum_api' });
    const result = site.plan('reconcile', observe(world));
    expect(result.ok ? [] : result.diagnostics.map((d) => d.code)).toEqual(['foreign-container']);
  });
});

describe('status --drift', () => {
  function surveyOf(world: SimulatedWorld, of = site): Survey {
    const { target, desired } = of.desired();
    const options = { tags: [], skipTags: [], prune: true, rollout: {} };
    const nodes = new Map([...world.nodes].map(([host, node]) => [host, node as unknown as OpenNode]));
    const seen = { observed: observe(world), nodes, digests: new Map(), hooks: new Map(), hookTimeout: 600 };
    return { loaded: of.loaded, target, desired, options, ...seen };
  }

  function withVariable(world: SimulatedWorld, name: string, id?: string) {
    const old = container(world, 'node1', name);
    const spec = { ...old.spec, environment: { ...old.spec.environment, FOO: 'bar' } };
    nodeOf(world, 'node1').containers.set(name, { ...old, spec, ...(id === undefined ? {} : { id }) });
  }

  it('finds nothing after a deployment', async () => {
    expect(await allDrift(surveyOf(deployed))).toEqual([]);
  });

  it('finds nothing that only the configuration has changed since', async () => {
    const changed = new SimulatedSite({ globals: 'openstack_tag: other\nmagnum_api_workers: 9\n' });
    expect(await allDrift(surveyOf(deployed, changed))).toEqual([]);
  });

  it('names what differs in a container made by hand, changed settings, and what is left over', async () => {
    const world = copyOf(deployed);
    withVariable(world, 'heat_api', 'by hand');
    withVariable(world, 'keystone');
    container(world, 'node3', 'memcached').state = 'exited';
    const entries = await allDrift(surveyOf(world, new SimulatedSite({ globals: 'enable_magnum: false\n' })));
    expect(driftText(entries, 3).split('\n')).toEqual([
      'changed behind our back:',
      '  node3: memcached: stopped',
      '  node1: heat_api: recreated by hand (environment + FOO)',
      '  node1: keystone: settings changed (environment + FOO)',
      '  node1, node2, node3: magnum_api: left over (its service is disabled)',
      '  node1, node2, node3: magnum_conductor: left over (its service is disabled)',
      'deploy reconcile puts it right',
      'deploy reconcile --prune removes what is left over; volumes stay',
      'settings: remove the container by hand, then deploy reconcile makes it anew',
    ]);
  });

  it('says so when there is nothing', () => {
    expect(driftText([], 3)).toBe('nothing has changed behind our back on 3 hosts');
  });
});

describe('a container that removes itself when it stops', () => {
  it('is replaced all the same', async () => {
    const { world, plan } = planAfter((one) => recreate(one, 'node3', 'magnum_api', {}), 'reconcile');
    world.after = ({ host, call, subject }) => {
      if (call === 'stop') nodeOf(world, host).containers.delete(subject);
    };
    expect((await carryOut(plan, world)).failed).toEqual([]);
    expect(stateOf(world)).toEqual(stateOf(deployed));
  });
});

describe('the marker of what runs have made', () => {
  it('holds the new id and that of the container it replaced, which may come back', async () => {
    const world = copyOf(deployed);
    const before = container(world, 'node1', 'magnum_api').id;
    expect(nodeOf(world, 'node1').markers.get('made.magnum_api')).toBe(before);
    await change(new SimulatedSite({ globals: 'magnum_tag: other\n' }), world, 'upgrade', { tags: ['magnum'] });
    const after = container(world, 'node1', 'magnum_api').id;
    expect(nodeOf(world, 'node1').markers.get('made.magnum_api')).toBe(`${after} ${before}`);
  });

  it('is there before the container can start, so that no kill makes ours look like made by hand', async () => {
    const world = copyOf(deployed);
    const newer = new SimulatedSite({ globals: 'magnum_tag: other\n' });
    const wrong: string[] = [];
    world.after = ({ host, call, subject }) => {
      if (call !== 'start') return;
      const ids = nodeOf(world, host).markers.get(`made.${subject}`)?.split(' ') ?? [];
      if (
        subject.includes('magnum_') &&
        !subject.startsWith('bootstrap') &&
        !ids.includes(container(world, host, subject).id)
      )
        wrong.push(`${host} ${subject}`);
    };
    await change(newer, world, 'upgrade', { tags: ['magnum'] });
    expect(wrong).toEqual([]);
  });

  it('never takes what was made by hand for what may come back', async () => {
    const { world, plan } = planAfter((one) => recreate(one, 'node1', 'magnum_api'));
    const byHand = container(world, 'node1', 'magnum_api').id;
    await carryOut(plan, world);
    expect(nodeOf(world, 'node1').markers.get('made.magnum_api')).not.toContain(byHand);
    expect(stateOf(world)).toEqual(stateOf(deployed));
  });
});
