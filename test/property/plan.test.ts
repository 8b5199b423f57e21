import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { imageName, label, type ObservedNode } from '../../src/core/model/node.ts';
import type { ChangeVerb, Observed } from '../../src/core/plan/policy.ts';
import type { Plan, Step } from '../../src/core/plan/steps.ts';
import { planJson } from '../../src/report/plan-text.ts';
import { carryOut, change, copyOf, emptyWorld, observe, stateOf, watchForMixedVersions } from '../sim/scenario.ts';
import { type Choice, SimulatedSite } from '../sim/site.ts';
import type { Operation, SimulatedWorld } from '../sim/world.ts';

/** Set PROPERTY_RUNS to look longer than an ordinary test may. */
const runs = Number(process.env.PROPERTY_RUNS ?? 25);

const site = new SimulatedSite();
const deployed = emptyWorld(site);
await change(site, deployed, 'deploy');
const sites = [
  site,
  new SimulatedSite({ globals: 'openstack_tag: 2025.1-debian-trixie\n' }),
  new SimulatedSite({
    globals: 'openstack_logging_debug: true\nheat_api_port: 18004\n',
    overrides: { 'galera.cnf': '[mysqld]\nmax_connections = 5\n' },
  }),
];
const choices: readonly Choice[] = [
  {},
  { tags: ['magnum'] },
  { tags: ['heat', 'magnum-api'], limit: 'node2,node3' },
  { tags: ['mariadb', 'rabbitmq'] },
  { skipTags: ['common', 'loadbalancer', 'mariadb'] },
  { limit: 'node1' },
];
const containers = [...new Set([...deployed.nodes.values()].flatMap((node) => [...node.containers.keys()]))];

const hows = [
  'stop',
  'pause',
  'remove',
  'leave previous',
  'leave next',
  'aside',
  'touch',
  'edit',
  'delete',
  'by hand',
  'foreign',
  'retag',
] as const;

interface Damage {
  readonly host: string;
  readonly name: string;
  readonly how: (typeof hows)[number];
}

interface Case {
  /** Number of the site. */
  readonly of: number;
  readonly verb: ChangeVerb;
  readonly choice: Choice;
  readonly damages: readonly Damage[];
  readonly seed: number;
}

const damage: fc.Arbitrary<Damage> = fc.record({
  host: fc.constantFrom(...site.hosts),
  name: fc.constantFrom(...containers),
  how: fc.constantFrom(...hows),
});

const anyCase: fc.Arbitrary<Case> = fc.record({
  of: fc.nat(sites.length - 1),
  verb: fc.constantFrom<ChangeVerb>('deploy', 'upgrade', 'reconfigure', 'reconcile'),
  choice: fc.constantFrom(...choices),
  damages: fc.array(damage, { maxLength: 4 }),
  seed: fc.integer({ min: 1, max: 1_000_000 }),
});

function siteOf(index: number): SimulatedSite {
  return sites[index] ?? site;
}

function damaged(damages: readonly Damage[], from = deployed): SimulatedWorld {
  const world = copyOf(from);
  for (const { host, name, how } of damages) {
    const node = world.nodes.get(host);
    const found = node?.containers.get(name);
    if (!node || !found) continue;
    const directory = `/etc/kolla/${name.replaceAll('_', '-')}/`;
    if (how === 'stop') found.state = 'exited';
    else if (how === 'pause') found.state = found.state === 'running' ? 'paused' : found.state;
    else if (how === 'touch') node.files.set(`${directory}stray`, stray);
    else if (how === 'edit') node.files.set(`${directory}config.json`, stray);
    else if (how === 'delete') node.files.delete(`${directory}config.json`);
    else if (how === 'by hand') node.containers.set(name, { ...found, id: world.newId() });
    else if (how === 'foreign') node.containers.set(name, { ...found, id: world.newId(), labels: {} });
    else if (how === 'retag') for (const tags of node.images.values()) tags.delete(imageName(found.spec.image));
    else if (how === 'leave previous' || how === 'leave next') {
      const left = how === 'leave next' ? (['__next', 'created'] as const) : (['__previous', 'exited'] as const);
      node.containers.set(`${name}${left[0]}`, { ...found, id: world.newId(), state: left[1] });
    } else {
      node.containers.delete(name);
      if (how === 'aside') node.containers.set(`${name}__previous`, { ...found, state: 'exited' });
    }
  }
  return world;
}

const stray = { content: 'stray', mode: '0660', sha256: 'stray' };

/** The plan of a case; none when it is rightly refused (nothing of a required service runs, a Galera cluster is down). */
function planOf({ of, verb, choice, damages }: Case): { world: SimulatedWorld; plan: Plan } | undefined {
  const world = damaged(damages);
  const result = siteOf(of).plan(verb, observe(world), choice);
  if (result.ok) return { world, plan: result.value };
  const codes = new Set(result.diagnostics.filter((d) => d.severity === 'error').map((d) => d.code));
  const rightly = [
    'required-service-down',
    'galera-stopped',
    'galera-incomplete',
    'limit-mixes-versions',
    'limit-without-migrations',
  ];
  for (const code of codes) expect(rightly).toContain(code);
  return undefined;
}

/** A fixed sequence of numbers that looks like chance. */
function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 48271) % 2147483647;
    return state;
  };
}

/** One order in which a scheduler might carry the steps out, as a plan that allows no other. */
function linearised(plan: Plan, seed: number): Plan {
  const next = numbers(seed);
  const waiting = [...plan.steps];
  const done = new Set<string>();
  const order: Step[] = [];
  while (waiting.length > 0) {
    const ready = waiting.filter((step) => step.needs.every((id) => done.has(id)));
    const step = ready[next() % ready.length];
    if (step === undefined) throw new Error('no step is ready: the needs are circular or name what does not exist');
    waiting.splice(waiting.indexOf(step), 1);
    done.add(step.id);
    const before = order[order.length - 1];
    order.push({ ...step, needs: before ? [before.id] : [] });
  }
  return { ...plan, steps: order };
}

describe('after any damage by hand', () => {
  const damages = fc.array(damage, { maxLength: 6 });

  it('reconcile leads back to the undamaged state', async () => {
    const undamaged = stateOf(deployed);
    await fc.assert(
      fc.asyncProperty(damages, fc.integer({ min: 1, max: 1_000_000 }), async (some, seed) => {
        const planned = planOf({ of: 0, verb: 'reconcile', choice: {}, damages: some, seed });
        if (!planned) return;
        const { world, plan } = planned;
        const result = await carryOut(linearised(plan, seed), world);
        expect(result.failed.map((f) => [f.step.id, f.diagnostics])).toEqual([]);
        expect(stateOf(world)).toEqual(undamaged);
        const rest = site.plan('reconcile', observe(world));
        expect(rest.ok && { steps: rest.value.steps, drift: rest.value.drift }).toEqual({ steps: [], drift: [] });
      }),
      { numRuns: runs },
    );
  });

  it('pruning a disabled service removes no volume and touches nothing that is not ours', async () => {
    const off = new SimulatedSite({ globals: 'enable_magnum: false\n' });
    const strange = fc.array(fc.constantFrom(...containers), { maxLength: 3 });
    await fc.assert(
      fc.asyncProperty(damages, strange, fc.boolean(), async (some, others, prune) => {
        const world = damaged(some.filter(({ name }) => name.startsWith('magnum')));
        const node = world.nodes.get('node2');
        const model = node?.containers.get('heat_api');
        if (!node || !model) throw new Error('no heat_api on node2');
        for (const name of others) {
          const labels = { ...model.labels, [label.site]: 'other', [label.container]: `${name}_other` };
          node.containers.set(`${name}_other`, { ...model, id: world.newId(), labels });
          node.containers.set(`${name}_strange`, { ...model, id: world.newId(), labels: {} });
        }
        const foreign = () =>
          [...world.nodes.values()].flatMap((one) =>
            [...one.containers].filter(([, c]) => c.labels[label.site] !== model.labels[label.site]),
          );
        const [theirs, volumes] = [foreign(), [...world.nodes.values()].map((one) => [...one.volumes.keys()])];
        const result = off.plan('reconcile', observe(world), { prune });
        if (!result.ok) return;
        expect((await carryOut(result.value, world)).failed).toEqual([]);
        expect(foreign()).toEqual(theirs);
        expect([...world.nodes.values()].map((one) => [...one.volumes.keys()])).toEqual(volumes);
        const ours = [...world.nodes.values()].flatMap((one) =>
          [...one.containers].filter(([, c]) => c.labels[label.service] === 'magnum'),
        );
        if (prune) expect(ours.map(([name]) => name).filter((name) => !name.endsWith('_other'))).toEqual([]);
        const rest = off.plan('reconcile', observe(world), { prune });
        expect(rest.ok && rest.value.steps.map((s) => s.id)).toEqual([]);
      }),
      { numRuns: runs },
    );
  });
});

describe('any plan', () => {
  it('is the same for the same input, in whatever order a node lists what it has', () => {
    fc.assert(
      fc.property(anyCase, (one) => {
        const world = damaged(one.damages);
        const observed = observe(world);
        const next = numbers(one.seed);
        const mixed = <T>(list: readonly T[]) =>
          list
            .map((item) => [next(), item] as const)
            .sort((a, b) => a[0] - b[0])
            .map(([, item]) => item);
        const shuffled: Observed = new Map(
          [...observed].map(([host, node]): [string, ObservedNode] => [
            host,
            { ...node, containers: mixed(node.containers), files: mixed(node.files), volumes: mixed(node.volumes) },
          ]),
        );
        const [a, b] = [observed, shuffled].map((input) => {
          const result = siteOf(one.of).plan(one.verb, input, one.choice);
          return JSON.stringify(result.ok ? planJson(result.value) : result.diagnostics);
        });
        expect(b).toBe(a);
      }),
      { numRuns: runs },
    );
  });

  it('leads to the wanted state in any order its needs allow', async () => {
    await fc.assert(
      fc.asyncProperty(anyCase, async (one) => {
        const planned = planOf(one);
        if (!planned) return;
        const { world, plan } = planned;
        const result = await carryOut(linearised(plan, one.seed), world);
        // A cluster of which another member is away outside the selection is rightly left alone.
        if (result.failed.every(({ step }) => step.kind === 'galera-check') && result.failed.length > 0) return;
        expect(result.failed.map((f) => [f.step.id, f.diagnostics])).toEqual([]);
        const rest = siteOf(one.of).plan(one.verb, observe(world), one.choice);
        expect(rest.ok && rest.value.steps.map((s) => `${s.id}: ${s.reason}`)).toEqual([]);
      }),
      { numRuns: runs },
    );
  });

  it('never takes more replicas away at once than a batch, nor a Galera member beside another that is away', async () => {
    await fc.assert(
      fc.asyncProperty(anyCase, async (one) => {
        const planned = planOf(one);
        if (!planned) return;
        const { world, plan } = planned;
        expect(batchesExceeded(one, plan, world)).toEqual([]);
        const alone: Operation[] = [];
        const mixed = one.choice.limit === undefined ? watchForMixedVersions(world, 'magnum_conductor') : [];
        const watch = world.after;
        world.after = (operation) => {
          watch(operation);
          const taken = operation.call === 'stop' && operation.subject === 'mariadb';
          if (taken && world.running('mariadb').length < 2) alone.push(operation);
        };
        await carryOut(linearised(plan, one.seed), world);
        expect(alone).toEqual([]);
        expect(mixed).toEqual([]);
      }),
      { numRuns: runs },
    );
  });

  it('changes nothing outside the selected services and hosts', async () => {
    await fc.assert(
      fc.asyncProperty(anyCase, async (one) => {
        const planned = planOf(one);
        if (!planned) return;
        const { world, plan } = planned;
        await carryOut(plan, world);
        const { target, desired } = siteOf(one.of).desired(one.choice);
        const names = desired.services.flatMap((s) => [...s.containers.map((c) => c.name), ...s.oneShots.keys()]);
        const directories = names.map((name) => `/etc/kolla/${name.replaceAll('_', '-')}/`);
        const entries = desired.services.flatMap((s) => s.fragments.map((f) => f.file.path));
        for (const { host, call, subject } of world.log) {
          expect(target.hosts).toContain(host);
          const base = subject.split(' ')[0]?.replace(/__(?:next|previous)$/, '') ?? '';
          if (['create', 'start', 'stop', 'rename', 'remove'].includes(call)) expect(names).toContain(base);
          if (call.startsWith('signal')) expect([...names, 'haproxy']).toContain(subject);
          if (call === 'write' || call === 'delete') {
            expect(entries.includes(subject) || directories.some((d) => subject.startsWith(d)), subject).toBe(true);
          }
        }
      }),
      { numRuns: runs },
    );
  });
});

/** Moments at which more replicas of a rolling container that served were away than its batch allows. */
function batchesExceeded(one: Case, plan: Plan, world: SimulatedWorld): string[] {
  const rolling = siteOf(one.of)
    .desired(one.choice)
    .desired.services.flatMap((s) => s.containers);
  const batchOf = new Map(
    rolling.flatMap(({ name, rollout: r }) => (r.strategy === 'together' ? [] : [[name, r.batch]])),
  );
  const away = new Map<string, Set<string>>();
  const exceeded: string[] = [];
  for (const step of linearised(plan, one.seed).steps) {
    if (step.kind !== 'stop' && step.kind !== 'healthy') continue;
    const hosts = away.get(step.container) ?? new Set<string>();
    away.set(step.container, hosts);
    const served = world.nodes.get(step.host)?.containers.get(step.container)?.state === 'running';
    if (step.kind === 'healthy') hosts.delete(step.host);
    else if (served) hosts.add(step.host);
    if (hosts.size > (batchOf.get(step.container) ?? site.hosts.length)) exceeded.push(step.id);
  }
  return exceeded;
}
