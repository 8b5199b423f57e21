import { describe, expect, it } from 'vitest';
import type { Plan, Step } from '../../../src/core/plan/steps.ts';
import { precedes, step, steps, subjectOf } from '../../sim/order.ts';
import { carryOut, change, copyOf, emptyWorld, observe, stateOf, watchForMixedVersions } from '../../sim/scenario.ts';
import { must, SimulatedSite } from '../../sim/site.ts';
import type { SimulatedWorld } from '../../sim/world.ts';

const site = new SimulatedSite();
const deployed = emptyWorld(site);
const fresh = await change(site, deployed, 'deploy');
const newer = new SimulatedSite({ globals: 'magnum_tag: 2025.1-debian-trixie\n' });
const everythingNew = new SimulatedSite({ globals: 'openstack_tag: 2025.1-debian-trixie\n' });
const magnum = { tags: ['magnum'] };

function upgradeOn(world: SimulatedWorld): Plan {
  return must(newer.plan('upgrade', observe(world), magnum));
}

/** What was left must be exactly what needs a failed step. */
function expectOnlyDependentsLeft(plan: Plan, failed: readonly Step[], left: readonly Step[]): void {
  const lost = plan.steps.filter((s) => failed.some((one) => one.id !== s.id && precedes(plan, one, s)));
  expect(left.map((s) => s.id).sort()).toEqual(lost.map((s) => s.id).sort());
}

describe('a run', () => {
  it.each([
    ['a first deployment', site, 'deploy', {}, () => emptyWorld(site)],
    ['an upgrade of everything', everythingNew, 'upgrade', {}, () => copyOf(deployed)],
    ['an upgrade of magnum', newer, 'upgrade', magnum, () => copyOf(deployed)],
    [
      'a reconfigure',
      new SimulatedSite({ globals: 'heat_api_port: 18004\n' }),
      'reconfigure',
      {},
      () => copyOf(deployed),
    ],
  ] as const)('%s leaves nothing to do', async (_, of, verb, choice, start) => {
    const world = start();
    const plan = must(of.plan(verb, observe(world), choice));
    const result = await carryOut(plan, world);
    expect(result).toEqual({ done: plan.steps.length, failed: [], reverted: [], notReverted: [], left: [] });
    expect(must(of.plan(verb, observe(world), choice)).steps).toEqual([]);
    for (const node of world.nodes.values()) {
      for (const [name, container] of node.containers) {
        expect(container.loaded, `${name} on ${node.host} has read what is written`).toBe(
          node.directoryHash(container),
        );
      }
    }
  });

  it('does the same with one step at a time as with many', async () => {
    const world = emptyWorld(site);
    await carryOut(fresh, world, { forks: 1 });
    expect(stateOf(world)).toEqual(stateOf(deployed));
  });

  it('never lets two versions of the conductor run at once, nor all APIs be away', async () => {
    const world = copyOf(deployed);
    const mixed = watchForMixedVersions(world, 'magnum_conductor');
    const fewest = { apis: 3 };
    const watch = world.after;
    world.after = (operation) => {
      watch(operation);
      fewest.apis = Math.min(fewest.apis, world.running('magnum_api').length);
    };
    await carryOut(upgradeOn(world), world);
    expect(mixed).toEqual([]);
    expect(fewest.apis).toBe(2);
  });

  it('does not take a replica away while a load balancer sees too few others', async () => {
    const world = copyOf(deployed);
    world.othersServing = () => 1;
    const before = world.running('magnum_api').map((c) => c.id);
    const result = await carryOut(upgradeOn(world), world);
    expect(result.failed.map(({ step: s }) => `${s.kind} ${s.host}`)).toEqual(['drain node1']);
    expect(result.failed[0]?.diagnostics[0]?.message).toMatch(
      /magnum_api stays: the load balancer on node1 sees 1 other replicas that take requests, 2 are needed/,
    );
    expect(world.running('magnum_api').map((c) => c.id)).toEqual(before);
    expect([...world.nodes.values()].map((node) => node.markers.get('drained.magnum_api'))).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });

  it('waits for another replica that is only just coming back', async () => {
    const world = copyOf(deployed);
    let looks = 0;
    world.othersServing = () => (looks++ < 20 ? 1 : 2);
    expect((await carryOut(upgradeOn(world), world)).failed).toEqual([]);
  });

  it('runs a migration to its end before anything is replaced, and removes its container', async () => {
    const world = copyOf(deployed);
    await carryOut(upgradeOn(world), world);
    const subjects = world.log.map((o) => `${o.call} ${o.subject}`);
    expect(subjects.filter((s) => s === 'start bootstrap_magnum')).toHaveLength(1);
    expect(subjects.indexOf('mark run.bootstrap_magnum')).toBeLessThan(subjects.indexOf('stop magnum_conductor'));
    expect(world.nodes.get('node1')?.containers.has('bootstrap_magnum')).toBe(false);
  });

  it('makes the Fernet keys once and gives every host the same', () => {
    const keys = [...deployed.nodes.values()].map((node) => node.volumes.get('keystone_fernet_tokens'));
    expect([...(keys[0]?.keys() ?? [])]).toEqual(['0', '1']);
    expect(keys[1]).toEqual(keys[0]);
    expect(keys[2]).toEqual(keys[0]);
  });
});

describe('a failing step', () => {
  it('stops what depends on it and nothing else', async () => {
    const world = emptyWorld(site);
    world.before = ({ host, call, subject }) => {
      if (host === 'node2' && call === 'start' && subject === 'heat_engine') throw new Error('no space left on device');
    };
    const result = await carryOut(fresh, world);
    const failed = step(fresh, 'start', 'heat_engine', 'node2');
    expect(result.failed).toMatchObject([
      { step: { id: failed.id }, diagnostics: [{ message: 'no space left on device' }] },
    ]);
    expectOnlyDependentsLeft(fresh, [failed], result.left);
    expect(new Set(result.left.map((s) => s.service))).toEqual(new Set(['heat', 'magnum']));
    expect(world.running('heat_engine')).toHaveLength(2);
    expect(result.done + result.left.length + 1).toBe(fresh.steps.length);
  });

  it('is not repeated by a second run once its cause is gone', async () => {
    const world = emptyWorld(site);
    world.before = ({ call }) => {
      if (call === 'pull') throw new Error('registry unreachable');
    };
    await carryOut(fresh, world);
    expect(world.log.filter((o) => o.call !== 'write')).toEqual([]);
    world.before = () => {};
    await change(site, world, 'deploy');
    expect(stateOf(world)).toEqual(stateOf(deployed));
  });

  it('a migration that fails replaces nothing, keeps its container and shows its log', async () => {
    const world = copyOf(deployed);
    world.exitCodeOf = () => 3;
    const plan = upgradeOn(world);
    const result = await carryOut(plan, world);
    expect(result.failed).toMatchObject([
      {
        step: { kind: 'one-shot' },
        diagnostics: [{ message: expect.stringContaining('ended with 3; it logged last:\n      last words') }],
      },
    ]);
    expect(world.nodes.get('node1')?.containers.get('bootstrap_magnum')?.state).toBe('exited');
    expect(world.log.filter((o) => o.call === 'stop')).toEqual([]);
    world.exitCodeOf = () => 0;
    await change(newer, world, 'upgrade', magnum);
    expect(world.nodes.get('node1')?.containers.has('bootstrap_magnum')).toBe(false);
  });

  it('no Galera member is taken away from a cluster that is not whole', async () => {
    const world = copyOf(deployed);
    const changed = new SimulatedSite({ overrides: { 'galera.cnf': '[mysqld]\nmax_connections = 5\n' } });
    world.exec = (_, __, argv) =>
      argv.some((arg) => arg.includes('wsrep_'))
        ? {
            code: 0,
            stdout: 'wsrep_cluster_size\t2\nwsrep_cluster_status\tPrimary\nwsrep_local_state_comment\tDonor/Desynced\n',
            stderr: '',
          }
        : undefined;
    const result = await carryOut(must(changed.plan('reconfigure', observe(world), { tags: ['mariadb'] })), world);
    expect(result.failed[0]?.diagnostics[0]?.message).toEqual(
      expect.stringMatching(/^the Galera cluster is not whole: node1: it is Donor\/Desynced.*; 2 of 3 members/),
    );
    expect(world.running('mariadb')).toHaveLength(3);
  });

  it('different Fernet keys are never merged', async () => {
    const world = copyOf(deployed);
    world.nodes
      .get('node3')
      ?.volumes.get('keystone_fernet_tokens')
      ?.set('1', new Uint8Array([1]));
    world.nodes.get('node3')?.markers.delete('keys.keystone');
    world.nodes.get('node3')?.containers.delete('keystone');
    const result = await carryOut(must(site.plan('deploy', observe(world))), world);
    expect(result.failed[0]?.diagnostics).toMatchObject([
      { message: 'the keys of keystone on node1 and node3 differ' },
    ]);
    expect(world.running('keystone')).toHaveLength(2);
  });

  it('a reload that fails is tried again by the next run', async () => {
    const world = copyOf(deployed);
    const moved = new SimulatedSite({ globals: 'heat_api_port: 18004\n' });
    world.exec = (node, name) =>
      node.host === 'node2' && name === 'haproxy' ? { code: 1, stdout: '', stderr: 'bad file' } : undefined;
    const result = await carryOut(must(moved.plan('reconfigure', observe(world))), world);
    expect(result.failed[0]?.diagnostics).toMatchObject([
      { message: 'kolla_set_configs in haproxy ended with 1: bad file', host: 'node2' },
    ]);
    world.exec = () => undefined;
    const again = must(moved.plan('reconfigure', observe(world)));
    expect(steps(again, 'reload').map((s) => `${subjectOf(s)} ${s.host}`)).toEqual(['haproxy node2']);
  });
});

describe('an interrupt', () => {
  it('leaves everything that has not begun and starts nothing more', async () => {
    const world = emptyWorld(site);
    const started: Step[] = [];
    const result = await carryOut(fresh, world, {
      stopAfter: 40,
      onEvent: (event) => {
        if (event.event === 'started') started.push(event.step);
      },
    });
    expect(result.failed).toEqual([]);
    expect(result.done).toBe(started.length);
    expect(result.done).toBeGreaterThanOrEqual(40);
    expect(result.done + result.left.length).toBe(fresh.steps.length);
    expect(new Set([...started, ...result.left].map((s) => s.id)).size).toBe(fresh.steps.length);
  });

  it('before the first step changes nothing', async () => {
    const world = emptyWorld(site);
    const result = await carryOut(fresh, world, { stopAfter: 0 });
    expect(result).toMatchObject({ done: 0, left: { length: fresh.steps.length } });
    expect(world.log).toEqual([]);
  });
});

describe('events', () => {
  it('tell each step once: started and done, failed, or skipped', async () => {
    const world = copyOf(deployed);
    world.exitCodeOf = () => 1;
    const plan = upgradeOn(world);
    const seen = new Map<string, string>();
    await carryOut(plan, world, {
      onEvent: ({ event, step: { id } }) => {
        if (event !== 'progress') seen.set(id, `${seen.get(id) ?? ''}${event} `);
      },
    });
    const kinds = [...seen.values()];
    expect(new Set(kinds)).toEqual(new Set(['started done ', 'started failed ', 'skipped ']));
    expect(seen.size).toBe(plan.steps.length);
  });
});
