import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ObservedNode } from '../../src/core/model/node.ts';
import type { ChangeVerb, Observed } from '../../src/core/plan/policy.ts';
import type { Plan } from '../../src/core/plan/steps.ts';
import { planJson } from '../../src/report/plan-text.ts';
import { carryOut, observe, watchForMixedVersions } from '../sim/scenario.ts';
import { type Choice, SimulatedSite } from '../sim/site.ts';
import type { Operation, SimulatedWorld } from '../sim/world.ts';
import { type Damage, damage, damaged, linearised, numbers, runs, site } from './damage.ts';

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
interface Case {
  /** Number of the site. */
  readonly of: number;
  readonly verb: ChangeVerb;
  readonly choice: Choice;
  readonly damages: readonly Damage[];
  readonly seed: number;
}

const anyCase: fc.Arbitrary<Case> = fc.record({
  of: fc.nat(sites.length - 1),
  verb: fc.constantFrom<ChangeVerb>('deploy', 'upgrade', 'reconfigure', 'reconcile'),
  choice: fc.constantFrom(...choices),
  damages: fc.array(damage, { maxLength: 4 }),
  seed: fc.integer({ min: 1, max: 1_000_000 }),
});

/** Steps that only look whether a cluster is whole. */
function isCheck(kind: string): boolean {
  return kind === 'galera-check' || kind === 'rabbitmq-check';
}

function siteOf(index: number): SimulatedSite {
  return sites[index] ?? site;
}

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
    'upgrade-unfinished',
  ];
  for (const code of codes) expect(rightly).toContain(code);
  return undefined;
}

describe('any plan', { timeout: 30_000 }, () => {
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
        if (result.failed.every(({ step }) => isCheck(step.kind)) && result.failed.length > 0) return;
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
        const names = desired.services.flatMap((s) => [
          ...s.containers.map((c) => c.name),
          ...s.oneShots.keys(),
          'upgrade_mariadb',
        ]);
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
