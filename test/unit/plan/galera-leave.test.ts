import { describe, expect, it } from 'vitest';
import { leftoverInput } from '../../../src/cli/leftovers.ts';
import {
  aloneProblems,
  leavingMembers,
  leavingProblems,
  newClusterProblems,
} from '../../../src/core/plan/galera-leave.ts';
import { findLeftovers, type Leftover, leftoverNotices } from '../../../src/core/plan/leftovers.ts';
import { belongs, holdsForeign, withGalera } from '../../sim/galera.ts';
import { precedes, step, steps } from '../../sim/order.ts';
import { carryOut, change, copyOf, emptyWorld, observe } from '../../sim/scenario.ts';
import { must, SimulatedSite } from '../../sim/site.ts';
import type { SimulatedWorld } from '../../sim/world.ts';

const choice = { tags: ['common', 'loadbalancer', 'mariadb'] } as const;
const mine = { tags: ['mariadb'] } as const;
const site = new SimulatedSite();
const two = new SimulatedSite({ hosts: ['node1', 'node2'] });
const one = new SimulatedSite({ hosts: ['node1'] });
const deployed = emptyWorld(site);
await change(site, deployed, 'deploy', choice);

/** Three members that run, and what must never happen to them. */
function living(): { world: SimulatedWorld; broken: string[] } {
  const world = copyOf(deployed);
  for (const node of world.nodes.values()) belongs(node, 42n);
  return { world, broken: withGalera(world) };
}

function nodeOf(world: SimulatedWorld, host: string) {
  const node = world.nodes.get(host);
  if (!node) throw new Error(`no ${host}`);
  return node;
}

describe('a member whose host was taken out of the group', () => {
  it('is named and left alone without --prune', async () => {
    const { world } = living();
    const plan = must(two.plan('reconfigure', observe(world), mine));
    expect(plan.steps.filter(({ host }) => host === 'node3')).toEqual([]);
    const { desired, target } = two.desired(mine);
    const input = leftoverInput(two.loaded, target, { ...mine, skipTags: [] }, observe(world));
    expect(leftoverNotices(findLeftovers(desired, input), false).join('\n')).toContain(
      'mariadb (node3); --prune removes',
    );
  });

  it('leaves once all that stay know of it and are whole, by a clean end, and keeps its data', async () => {
    const { world, broken } = living();
    const plan = must(two.plan('reconfigure', observe(world), { ...mine, prune: true }));
    const stop = step(plan, 'stop', 'mariadb', 'node3');
    const checks = steps(plan, 'galera-check', 'mariadb', 'node1').slice(-1);
    expect(checks.map((check) => check.kind === 'galera-check' && check.servers.map(({ host }) => host))).toEqual([
      ['node1', 'node2'],
    ]);
    expect(precedes(plan, checks, stop)).toBe(true);
    const changed = ['node1', 'node2'].flatMap((host) => steps(plan, 'start', 'mariadb', host));
    expect(precedes(plan, changed, checks)).toBe(true);
    const gone = step(plan, 'remove', 'mariadb', 'node3');
    expect(precedes(plan, steps(plan, 'galera-synced', 'mariadb'), gone)).toBe(true);
    expect((await carryOut(plan, world)).failed).toEqual([]);
    expect(broken).toEqual([]);
    expect(nodeOf(world, 'node3').containers.has('mariadb')).toBe(false);
    expect(nodeOf(world, 'node3').volumes.has('mariadb')).toBe(true);
    const config = [...nodeOf(world, 'node1').files].find(([path]) => path.endsWith('mariadb/galera.cnf'));
    expect(config?.[1].content).toContain('gcomm://192.0.2.11:4567,192.0.2.12:4567\n');
    expect(must(two.plan('reconfigure', observe(world), { ...mine, prune: true })).steps).toEqual([]);
  });

  it('stays where one of the others is not Synced', async () => {
    const { world } = living();
    const plan = must(two.plan('reconfigure', observe(world), { ...mine, prune: true }));
    const { exec } = world;
    world.exec = (node, container, argv) => {
      const rolled = world.log.some(({ host, call }) => host === 'node1' && call === 'start');
      const joining = { code: 0, stdout: 'wsrep_cluster_size\t3\nwsrep_local_state_comment\tJoined\n', stderr: '' };
      return rolled && node.host === 'node2' && argv.join(' ').includes('wsrep_')
        ? joining
        : exec(node, container, argv);
    };
    const { failed } = await carryOut(plan, world);
    expect(failed.map(({ step: { kind, host } }) => `${kind} ${host}`)).toEqual(['galera-check node1']);
    expect(nodeOf(world, 'node3').containers.get('mariadb')?.state).toBe('running');
  });

  it('is not taken out where those that stay were not looked at', () => {
    const { desired } = two.desired(mine);
    const leaving = [{ host: 'node3', container: 'mariadb' } as Leftover];
    const seen = new Map([...observe(deployed)].filter(([host]) => host !== 'node2'));
    expect(leavingProblems(desired, seen, leaving).map(({ message }) => message)).toEqual([
      'mariadb is not taken out of its cluster: node2, which stay, were not looked at',
    ]);
    expect(leavingProblems(desired, observe(deployed), leaving)).toEqual([]);
  });

  it('leaves before the last one is restarted to stand alone, which is refused beside it', async () => {
    const { world, broken } = living();
    const { desired, target } = one.desired(mine);
    const input = leftoverInput(one.loaded, target, { ...mine, skipTags: [] }, observe(world));
    expect(aloneProblems('mariadb', 'node1', leavingMembers(desired, input))[0]?.message).toContain('node2, node3');
    const plan = must(one.plan('reconfigure', observe(world), { ...mine, prune: true }));
    const left = ['node2', 'node3'].flatMap((host) => steps(plan, 'stop', 'mariadb', host));
    expect(left).toHaveLength(2);
    expect(precedes(plan, left, steps(plan, 'stop', 'mariadb', 'node1'))).toBe(true);
    expect((await carryOut(plan, world)).failed).toEqual([]);
    expect(broken).toEqual([]);
    expect(nodeOf(world, 'node1').containers.get('mariadb')?.state).toBe('running');
  });

  it('keeps the last one from standing alone also where it cannot be looked at', async () => {
    const { world, broken } = living();
    const plan = must(one.plan('reconfigure', observe(world), mine));
    const { failed } = await carryOut(plan, world);
    expect(failed.map(({ diagnostics }) => diagnostics[0]?.message)).toEqual([
      'the Galera cluster is not whole: node1: 3 members are in the component, though the group has one',
    ]);
    expect(broken).toEqual([]);
    expect(world.running('mariadb')).toHaveLength(3);
  });
});

describe('a host that comes to the group', () => {
  it('joins with an empty volume, and forms nothing', async () => {
    const { world, broken } = living();
    nodeOf(world, 'node3').containers.delete('mariadb');
    nodeOf(world, 'node3').volumes.delete('mariadb');
    for (const path of [...nodeOf(world, 'node3').files.keys()].filter((file) => file.startsWith('/volumes')))
      nodeOf(world, 'node3').files.delete(path);
    const plan = await change(site, world, 'reconfigure', mine);
    const flagged = plan.steps.some((one) => one.kind === 'create' && 'BOOTSTRAP_ARGS' in one.spec.environment);
    expect(flagged).toBe(false);
    expect(broken).toEqual([]);
    expect(world.running('mariadb')).toHaveLength(3);
  });

  it('is not started on data of another history, which a state transfer would replace', async () => {
    const { world } = living();
    holdsForeign(nodeOf(world, 'node3'), 'aaaaaaaa-0000-11f0-b1e7-1f6a5a3e0f2b');
    const plan = must(site.plan('reconfigure', observe(world), mine));
    const { failed } = await carryOut(plan, world);
    expect(failed[0]?.diagnostics[0]?.message).toContain('has data of another history');
    expect(world.running('mariadb')).toHaveLength(2);
  });

  it('joins with data of the same history, what its files say kept aside', async () => {
    const { world } = living();
    holdsForeign(nodeOf(world, 'node3'), '6ff7df2c-0000-11f0-b1e7-1f6a5a3e0f2b');
    await change(site, world, 'reconfigure', mine);
    expect(world.running('mariadb')).toHaveLength(3);
    expect([...nodeOf(world, 'node3').files.keys()]).toContain('/etc/kolla/.deploy/galera/run/grastate.dat');
  });
});

describe('a new cluster', () => {
  const fresh = emptyWorld(two);
  const plan = must(two.plan('deploy', observe(fresh), choice));
  const { desired } = two.desired(choice);

  it('is not formed while a host outside of the group has a member or data', () => {
    const problems = (world: SimulatedWorld) =>
      newClusterProblems(plan, desired, [...observe(world).values()])?.map(({ host, message }) => `${host} ${message}`);
    const { world } = living();
    expect(problems(world)).toEqual([expect.stringContaining('node3 mariadb is there')]);
    nodeOf(world, 'node3').containers.delete('mariadb');
    expect(problems(world)).toEqual([expect.stringContaining('node3 there is data of a cluster')]);
    nodeOf(world, 'node3').volumes.delete('mariadb');
    nodeOf(world, 'node3').markers.clear();
    expect(problems(world)).toEqual([]);
  });

  it('is what only a plan that forms one is asked about', () => {
    expect(newClusterProblems(must(site.plan('reconfigure', observe(deployed), mine)), desired)).toBeUndefined();
  });
});
