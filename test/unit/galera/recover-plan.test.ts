import { describe, expect, it } from 'vitest';
import { recoveryMembers } from '../../../src/cli/galera.ts';
import type { Survey } from '../../../src/cli/survey.ts';
import type { Recovered } from '../../../src/core/galera/evidence.ts';
import { planRecovery } from '../../../src/core/galera/recover-plan.ts';
import { closure } from '../../../src/core/graph/dag.ts';
import { planText } from '../../../src/report/plan-text.ts';
import { readGolden } from '../../golden/golden.ts';
import { deaths } from '../../lab/job/galera-deaths.ts';
import { fell, history, nextPlan, recoverAll, withGalera } from '../../sim/galera.ts';
import { change, copyOf, emptyWorld, observe } from '../../sim/scenario.ts';
import { SimulatedSite } from '../../sim/site.ts';
import type { SimulatedWorld } from '../../sim/world.ts';

const site = new SimulatedSite();
const deployed = emptyWorld(site);
await change(site, deployed, 'deploy', { tags: ['common', 'loadbalancer', 'mariadb'] });

type Fall = Parameters<typeof fell>[2];

/** The cluster after a disaster: how far each member's data goes and how it ended. */
function fallen(...members: readonly (readonly [bigint, Fall])[]): { world: SimulatedWorld; broken: string[] } {
  const world = copyOf(deployed);
  for (const [i, node] of [...world.nodes.values()].entries()) {
    const [seqno, how] = members[i] ?? [0n, 'lost'];
    fell(node, seqno, how);
  }
  return { world, broken: withGalera(world) };
}

const killed = () => fallen([40n, 'killed'], [42n, 'killed'], [41n, 'killed']);

describe('the plan of a recovery', () => {
  it('asks members that were killed for their positions first, copies made before', async () => {
    const { world } = killed();
    const { plan } = await nextPlan(site, world, new Map());
    const text = `${planText(plan)}\n`;
    expect(text).toBe(readGolden('recover-positions', text));
  });

  it('forms the cluster from the member with the latest commit, joins the others one by one, makes it last', async () => {
    const { world } = killed();
    const positions = new Map(
      [40n, 42n, 41n].map((seqno, i): [string, Recovered] => [
        `node${i + 1}`,
        { kind: 'position', position: { uuid: history, seqno } },
      ]),
    );
    const { plan } = await nextPlan(site, world, positions);
    const text = `${planText(plan)}\n`;
    expect(text).toBe(readGolden('recover-bootstrap', text));
    const order = plan.steps.filter(({ kind }) => kind === 'start').map(({ host }) => host);
    expect(order).toEqual(['node2', 'node3', 'node1', 'node2']);
    // Nobody is started before the one before is Synced.
    const needs = new Map(plan.steps.map(({ id, needs: before }) => [id, before]));
    const starts = plan.steps.filter(({ kind }) => kind === 'start');
    for (const [i, start] of starts.entries()) {
      const before = plan.steps.filter(({ id }) => closure(needs, [start.id]).has(id));
      expect(before.filter(({ kind }) => kind === 'galera-synced')).toHaveLength(i);
    }
  });

  it('fetches an image whose name has come to point elsewhere before a container is made of it', async () => {
    const { world } = killed();
    const [node] = world.nodes.values();
    for (const [reference, tags] of node?.images ?? []) if (reference.includes('mariadb')) tags.clear();
    const { plan } = await nextPlan(site, world, new Map());
    const pulls = plan.steps.filter(({ kind }) => kind === 'pull');
    expect(pulls.map(({ host }) => host)).toEqual(['node1']);
    const asked = plan.steps.find(({ kind, host }) => kind === 'galera-position' && host === 'node1');
    expect(asked?.needs).toContain(pulls[0]?.id);
  });

  it('copies data before a state transfer replaces it, and removes that on which no server starts', async () => {
    const { world } = fallen([42n, 'stopped last'], [42n, 'stopped'], [42n, 'killed']);
    const { desired } = site.desired({ tags: ['mariadb'] });
    const survey = { ...site.desired({ tags: ['mariadb'] }), loaded: site.loaded, observed: observe(world) };
    const found = await recoveryMembers(survey as unknown as Survey, [], { note: () => undefined } as never);
    const order = ['node2', 'node3'].map((host) => ({ host, how: 'start', own: 'older', loss: false }) as const);
    const decision = {
      kind: 'rejoin',
      waitFor: [],
      order: order.map((one) => (one.host === 'node3' ? { ...one, startsNot: true } : one)),
      donors: ['node1'],
      held: [],
      reasons: [],
    } as const;
    const groupHosts = ['node1', 'node2', 'node3'];
    const plan = planRecovery(decision, { desired, members: found, groupHosts, balancers: [], copies: ['node3'] });
    const kinds = (host: string) => plan.steps.filter((one) => one.host === host).map(({ kind }) => kind);
    expect(kinds('node2')).toEqual(['galera-state', 'start', 'galera-synced']);
    expect(kinds('node3')).toEqual(['galera-state', 'galera-copy', 'galera-clear', 'start', 'galera-synced']);
    const [copy, clear, start] = plan.steps.filter((one) => one.host === 'node3').slice(1);
    expect([clear?.needs, start?.needs]).toEqual([[copy?.id], [clear?.id]]);
    expect(JSON.stringify(copy)).toContain('mariadb:/source:ro');
  });

  it('names no secret', async () => {
    const { world } = killed();
    const { plan } = await nextPlan(site, world, new Map());
    const said = JSON.stringify(plan);
    for (const secret of site.loaded.site.secretValues()) expect(said).not.toContain(secret);
  });
});

describe('a recovery', () => {
  const disasters: readonly [string, () => ReturnType<typeof fallen>][] = [
    ['all killed', killed],
    ['all stopped in order', () => fallen([40n, 'stopped'], [42n, 'stopped last'], [41n, 'stopped'])],
    ['all killed together', () => fallen([42n, 'killed'], [42n, 'killed'], [42n, 'killed'])],
  ];

  it.each(disasters)('brings the cluster back: %s', async (_, disaster) => {
    const { world, broken } = disaster();
    await recoverAll(site, world);
    expect(broken).toEqual([]);
    for (const node of world.nodes.values()) {
      expect(node.containers.get('mariadb')?.spec.environment).not.toHaveProperty('BOOTSTRAP_ARGS');
      expect(node.markers.has('galera.recovered')).toBe(true);
      expect(node.containers.has('mariadb_wsrep_recovery')).toBe(false);
    }
  });

  it.each(disasters)('finishes what one that was killed anywhere has begun: %s', async (_, disaster) => {
    const { world } = disaster();
    const snapshots = [copyOf(world)];
    const watch = world.after;
    world.after = (operation) => {
      watch(operation);
      snapshots.push(copyOf(world));
    };
    await recoverAll(site, world);
    expect(snapshots.length).toBeGreaterThan(15);
    for (const [at, snapshot] of snapshots.entries()) {
      const broken = withGalera(snapshot);
      await recoverAll(site, snapshot).catch((problem: unknown) => broken.push(String(problem)));
      for (const { host, containers, markers } of snapshot.nodes.values()) {
        const flagged = 'BOOTSTRAP_ARGS' in (containers.get('mariadb')?.spec.environment ?? {});
        const beside = [...containers.keys()].filter((name) => name.startsWith('mariadb__'));
        const drained = [...markers.keys()].filter((key) => key.startsWith('drained.'));
        broken.push(...[...(flagged ? ['a flag'] : []), ...beside, ...drained].map((what) => `${host} keeps ${what}`));
      }
      expect(broken, `after ${at} changes`).toEqual([]);
    }
  });
});

describe('the points at which recoveries are killed on real nodes', () => {
  it('are all met when every member was killed and nobody remembers the last view', async () => {
    const { world } = killed();
    const plans = await recoverAll(site, world);
    const met = plans.flatMap((plan) => {
      const seen = new Map<string, number>();
      return plan.steps.map(({ kind }) => {
        const number = (seen.get(kind) ?? 0) + 1;
        seen.set(kind, number);
        return `${kind}:${number}`;
      });
    });
    const wanted = deaths.map((point) => point.replace(/:(?:before|after):/, ':'));
    expect(wanted.filter((point) => !met.includes(point))).toEqual([]);
  });
});
