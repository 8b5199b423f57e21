import { describe, expect, it } from 'vitest';
import type { Desired } from '../../../src/core/desired/model.ts';
import type { Result } from '../../../src/core/model/diagnostic.ts';
import type { StoredGeneration } from '../../../src/core/model/generation.ts';
import { isSecret } from '../../../src/core/model/secret.ts';
import { makePlan } from '../../../src/core/plan/plan.ts';
import { recordedKey, rolledBack, runsAs } from '../../../src/core/plan/rollback.ts';
import type { Plan } from '../../../src/core/plan/steps.ts';
import { planJson } from '../../../src/report/plan-text.ts';
import { precedes, steps } from '../../sim/order.ts';
import { carryOut, change, copyOf, emptyWorld, observe, stateOf, watchForMixedVersions } from '../../sim/scenario.ts';
import { type Choice, must, passwordOf, SimulatedSite } from '../../sim/site.ts';
import type { SimulatedWorld } from '../../sim/world.ts';

const old = 'zed-debian-bookworm';
const wanted = '2025.1-debian-trixie';
const site = new SimulatedSite();
const deployed = emptyWorld(site);
await change(site, deployed, 'deploy');
const newer = new SimulatedSite({
  globals: `openstack_tag: ${wanted}\n`,
  overrides: { 'magnum.conf': '[DEFAULT]\ndebug = true\n' },
});
const magnum: Choice = { tags: ['magnum'] };
const upgraded = copyOf(deployed);
await change(newer, upgraded, 'upgrade', magnum);

async function asBefore(world: SimulatedWorld, choice: Choice, of: SimulatedSite) {
  const observed = observe(world);
  const { desired } = of.desired(choice);
  const recorded = new Map<string, StoredGeneration | undefined>();
  for (const container of desired.services.flatMap((s) => s.containers)) {
    const { host, name, directory } = container;
    const node = world.nodes.get(host);
    const current = await node?.readGeneration(name, directory, 'current');
    const runs = current === undefined || runsAs(observed, container, current.generation);
    recorded.set(recordedKey(host, name), runs ? await node?.readGeneration(name, directory, 'previous') : current);
  }
  return rolledBack(desired, observed, recorded);
}

function planTo(desired: Desired, world: SimulatedWorld): Plan {
  return must(makePlan({ verb: 'rollback', desired, observed: observe(world), digests: new Map() }));
}

async function rollback(
  world: SimulatedWorld,
  choice = magnum,
  of = newer,
): Promise<{ plan: Plan; notices: readonly string[] }> {
  const { desired, notices } = must(await asBefore(world, choice, of));
  const plan = planTo(desired, world);
  const result = await carryOut(plan, world);
  expect(result.failed).toEqual([]);
  expect(planTo(desired, world).steps).toEqual([]);
  return { plan, notices };
}

function codes(result: Result<unknown>): string[] {
  return result.diagnostics.map((d) => `${d.code}: ${d.message}`);
}

function tags(world: SimulatedWorld, name: string): string[] {
  return world.running(name).map((c) => c.spec.image.tag);
}

/** Without what a rollback rightly leaves: the migration that ran. */
function stateWithoutMigrations(world: SimulatedWorld): unknown {
  const copy = copyOf(world);
  for (const node of copy.nodes.values()) node.markers.delete('run.bootstrap_magnum');
  return stateOf(copy);
}

describe('a rollback', () => {
  it('leads to image, settings and files of before, APIs first, and runs no migration', async () => {
    const world = copyOf(upgraded);
    const mixed = watchForMixedVersions(world, 'magnum_conductor');
    const { plan, notices } = await rollback(world);
    expect(stateWithoutMigrations(world)).toEqual(stateWithoutMigrations(deployed));
    expect(mixed).toEqual([]);
    expect(precedes(plan, steps(plan, 'healthy', 'magnum_api'), steps(plan, 'stop', 'magnum_conductor'))).toBe(true);
    expect(new Set(plan.steps.map((s) => s.service))).toEqual(new Set(['magnum']));
    expect(plan.steps.filter((s) => ['one-shot', 'databases', 'identity', 'pull'].includes(s.kind))).toEqual([]);
    expect(notices).toEqual([expect.stringContaining('bootstrap_magnum has run with the newer image')]);
    expect(JSON.stringify(planJson(plan))).not.toContain(passwordOf('magnum_keystone_password'));
  });

  it('is seen by the next plan as the change that it undid', async () => {
    const world = copyOf(upgraded);
    await rollback(world);
    const again = must(newer.plan('upgrade', observe(world), magnum));
    expect(steps(again, 'stop', 'magnum_api')).toHaveLength(3);
    await change(newer, world, 'upgrade', magnum);
    expect(stateOf(world)).toEqual(stateOf(upgraded));
  });

  it('of a rollback goes forward again, in the order of an upgrade', async () => {
    const world = copyOf(upgraded);
    await rollback(world);
    const { plan, notices } = await rollback(world);
    expect(stateOf(world)).toEqual(stateOf(upgraded));
    expect(notices).toEqual([]);
    expect(precedes(plan, steps(plan, 'stop', 'magnum_conductor'), steps(plan, 'undrain', 'magnum_api'))).toBe(true);
  });

  it('goes back from a configuration alone', async () => {
    const world = copyOf(deployed);
    const tuned = new SimulatedSite({ overrides: { 'heat.conf': '[DEFAULT]\nmax_resources_per_stack = 7\n' } });
    await change(tuned, world, 'reconfigure', { tags: ['heat'] });
    await rollback(world, { tags: ['heat'] }, tuned);
    expect(stateOf(world)).toEqual(stateOf(deployed));
  });

  it('goes to the recorded form when what runs was started by a run that was interrupted', async () => {
    const world = copyOf(deployed);
    const killed: SimulatedWorld[] = [];
    world.after = ({ call, host, subject }) => {
      if (host !== 'node1' || !subject.endsWith('magnum_conductor')) return;
      if (call === 'record' || (call === 'mark' && !subject.startsWith('made.'))) killed.push(copyOf(world));
    };
    await change(newer, world, 'upgrade', magnum);
    expect(killed).toHaveLength(2);
    for (const one of killed) {
      await rollback(one, { tags: ['magnum_conductor'] });
      expect(tags(one, 'magnum_conductor')).toEqual([old, old, old]);
    }
  });

  it('puts the newer version back when the old one does not serve any more', async () => {
    const world = copyOf(upgraded);
    world.crashes = (c) => c.spec.name === 'magnum_api' && c.spec.image.tag === old;
    const { desired } = must(await asBefore(world, magnum, newer));
    const result = await carryOut(planTo(desired, world), world);
    expect(result.reverted).toHaveLength(1);
    expect(stateOf(world)).toEqual(stateOf(upgraded));
  });

  it('keeps the secrets of the environment wrapped', async () => {
    const { desired } = must(await asBefore(upgraded, magnum, newer));
    const values = desired.services.flatMap((s) => s.containers.flatMap((c) => Object.values(c.spec.environment)));
    const wrapped = newer
      .desired(magnum)
      .desired.services.flatMap((s) => s.containers.flatMap((c) => Object.values(c.spec.environment)));
    expect(values.filter(isSecret)).toHaveLength(wrapped.filter(isSecret).length);
  });
});

describe('a rollback is refused', () => {
  it('where nothing is recorded', async () => {
    expect(codes(await asBefore(deployed, magnum, site))).toEqual([
      'no-generation: nothing is recorded of what magnum_conductor was before on node1, node2, node3',
      'no-generation: nothing is recorded of what magnum_api was before on node1, node2, node3',
    ]);
  });

  it('when the replicas were not the same', async () => {
    const world = copyOf(upgraded);
    const kept = world.nodes.get('node2')?.generations.get('magnum_api');
    if (kept) world.nodes.get('node2')?.generations.set('magnum_api', { ...kept, previous: kept.current });
    const [text] = codes(await asBefore(world, magnum, newer));
    expect(text).toContain('the replicas of magnum_api were not the same before');
    expect(text).toContain('on node1, node3');
  });

  it('when a migration that cannot be undone has run since', async () => {
    const world = copyOf(deployed);
    await change(newer, world, 'upgrade', { tags: ['keystone'] });
    expect(codes(await asBefore(world, { tags: ['keystone'] }, newer))).toEqual([
      'no-way-back: keystone cannot go back to its old version: finish_upgrade_database has run since and cannot be undone',
    ]);
  });

  it('for members of a database that have run the new version, but not for their files', async () => {
    const mariadb: Choice = { tags: ['mariadb'] };
    const world = copyOf(deployed);
    await change(new SimulatedSite({ globals: `mariadb_tag: ${wanted}\n` }), world, 'upgrade', mariadb);
    expect(codes(await asBefore(world, mariadb, site))[0]).toContain('mariadb cannot go back to its old version');
    const tuned = new SimulatedSite({ overrides: { 'galera.cnf': '[mysqld]\nmax_connections = 5\n' } });
    const other = copyOf(deployed);
    await change(tuned, other, 'reconfigure', mariadb);
    await rollback(other, mariadb, tuned);
    expect(stateOf(other)).toEqual(stateOf(deployed));
  });
});
