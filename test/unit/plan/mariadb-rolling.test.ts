import { describe, expect, it } from 'vitest';
import type { Plan } from '../../../src/core/plan/steps.ts';
import { dataVersion } from '../../sim/mariadb.ts';
import { precedes, step, steps } from '../../sim/order.ts';
import { carryOut, change, copyOf, emptyWorld, observe } from '../../sim/scenario.ts';
import { must, SimulatedSite } from '../../sim/site.ts';

const site = new SimulatedSite();
const deployed = emptyWorld(site);
await change(site, deployed, 'deploy');
const tags = { tags: ['mariadb'] };
const edited = new SimulatedSite({ overrides: { 'galera.cnf': '[mysqld]\nmax_connections = 5\n' } });
const newer = new SimulatedSite({ globals: 'mariadb_tag: other\n' });
/** The load balancers give writes to the first one. */
const order = ['node3', 'node2', 'node1'];

function one(plan: Plan, kind: Parameters<typeof step>[1], host: string) {
  return step(plan, kind, 'mariadb', host);
}

describe('members of MariaDB', () => {
  const plan = must(edited.plan('reconfigure', observe(deployed), tags));

  it('are replaced one at a time, the one that takes the writes last', () => {
    for (const [i, host] of order.entries()) {
      const next = order[i + 1];
      if (next) expect(precedes(plan, one(plan, 'undrain', host), one(plan, 'stop', next))).toBe(true);
    }
  });

  it('are asked before they are drained and again before they stop, all of them each time', () => {
    for (const host of order) {
      const [before, again] = steps(plan, 'galera-check', 'mariadb', host);
      if (!before || !again) throw new Error('two looks');
      for (const look of [before, again])
        expect(look.kind === 'galera-check' && look.servers.map((server) => server.host)).toEqual([
          'node1',
          'node2',
          'node3',
        ]);
      expect(precedes(plan, before, one(plan, 'drain', host))).toBe(true);
      expect(precedes(plan, one(plan, 'drain', host), again)).toBe(true);
      expect(precedes(plan, again, one(plan, 'stop', host))).toBe(true);
    }
  });

  it('take requests again only when they are Synced beside as many as before', () => {
    for (const host of order) {
      const synced = one(plan, 'galera-synced', host);
      expect(synced).toMatchObject({ members: 3 });
      expect(precedes(plan, one(plan, 'start', host), synced)).toBe(true);
      expect(precedes(plan, synced, one(plan, 'undrain', host))).toBe(true);
    }
  });

  it('get their sessions back once, where the writes belong', () => {
    const moves = steps(plan, 'galera-sessions', 'mariadb');
    expect(moves.map(({ host }) => host)).toEqual(['node1']);
    expect(moves[0]).toMatchObject({ servers: [{ host: 'node2' }, { host: 'node3' }] });
    expect(precedes(plan, one(plan, 'undrain', 'node1'), moves)).toBe(true);
  });

  it.each([
    ['Donor/Desynced', 'node2', /node2: it is Donor\/Desynced, not Synced/],
    ['Joining', 'node1', /node1: it is Joining, not Synced/],
  ])('are not touched while another one is %s', async (state, of, words) => {
    const world = copyOf(deployed);
    world.exec = (node, _, argv) =>
      node.host === of && argv.some((arg) => arg.includes('wsrep_'))
        ? {
            code: 0,
            stdout: `wsrep_cluster_size\t3\nwsrep_cluster_status\tPrimary\nwsrep_local_state_comment\t${state}\nwsrep_ready\tON\n`,
            stderr: '',
          }
        : undefined;
    const result = await carryOut(plan, world);
    const [problem] = result.failed.flatMap(({ diagnostics }) => diagnostics);
    expect(problem?.message).toMatch(words);
    expect(problem?.hint).toContain('deploy mariadb recover');
    expect(world.log.filter(({ call }) => call === 'stop')).toEqual([]);
  });
});

describe('another version of MariaDB', () => {
  it('upgrades the data of each member once, before it takes requests', async () => {
    const world = copyOf(deployed);
    const plan = await change(newer, world, 'upgrade', tags);
    for (const host of order) {
      const upgrade = one(plan, 'galera-upgrade', host);
      expect(one(plan, 'stop', host)).toHaveProperty('cleanly');
      expect(precedes(plan, one(plan, 'healthy', host), upgrade)).toBe(true);
      expect(precedes(plan, upgrade, one(plan, 'undrain', host))).toBe(true);
    }
    expect(world.log.filter(({ call, subject }) => call === 'start' && subject === 'upgrade_mariadb')).toHaveLength(3);
    expect([...world.nodes.values()].map(dataVersion)).toEqual(Array(3).fill('11.8.6-MariaDB'));
    expect([...world.nodes.values()].some(({ markers }) => markers.has('galera.upgrade'))).toBe(false);
  });

  it('is made up for when a recovery has cleared away what an interrupted upgrade left', async () => {
    const world = copyOf(deployed);
    const plan = must(newer.plan('upgrade', observe(world), tags));
    const until = plan.steps.findIndex(({ kind }) => kind === 'galera-upgrade');
    await carryOut({ ...plan, steps: plan.steps.slice(0, until) }, world);
    world.nodes.get('node3')?.containers.delete('mariadb__previous');
    const next = must(newer.plan('upgrade', observe(world), tags));
    expect(precedes(next, one(next, 'galera-upgrade', 'node3'), one(next, 'stop', 'node2'))).toBe(true);
    await carryOut(next, world);
    expect([...world.nodes.values()].map(dataVersion)).toEqual(Array(3).fill('11.8.6-MariaDB'));
    expect(must(newer.plan('upgrade', observe(world), tags)).steps).toEqual([]);
  });

  it('also upgrades data that was left behind without a container, and leaves alone what the node has recorded', async () => {
    const world = copyOf(deployed);
    world.nodes.get('node3')?.containers.delete('mariadb');
    const upgraded = (of: SimulatedSite) =>
      must(of.plan('upgrade', observe(world), tags))
        .steps.filter(({ kind }) => kind === 'galera-upgrade')
        .map(({ host }) => host)
        .sort();
    expect(upgraded(site)).toEqual([]);
    expect(upgraded(newer)).toEqual(['node1', 'node2', 'node3']);
    // A member that had left has no record of what it ran.
    world.nodes.get('node3')?.markers.delete('generation.mariadb');
    expect(upgraded(site)).toEqual(['node3']);
    await carryOut(must(newer.plan('upgrade', observe(world), tags)), world);
    expect([...world.nodes.values()].map(dataVersion)).toEqual(Array(3).fill('11.8.6-MariaDB'));
  });

  it('does not count as done when the data directory does not say so', async () => {
    const world = copyOf(deployed);
    world.after = ({ call, subject, host }) => {
      if (call === 'start' && subject === 'upgrade_mariadb')
        world.nodes.get(host)?.files.delete('/volumes/mariadb/mariadb_upgrade_info');
    };
    const result = await carryOut(must(newer.plan('upgrade', observe(world), tags)), world);
    expect(result.notReverted).toHaveLength(1);
    expect(result.failed[0]?.diagnostics[0]?.message).toContain('the data of mariadb is of no version');
    expect(world.nodes.get('node3')?.markers.has('galera.upgrade')).toBe(true);
    expect(world.log.filter(({ call, subject }) => call === 'stop' && subject === 'mariadb')).toHaveLength(1);
  });
});
