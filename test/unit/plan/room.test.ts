import { expect, it } from 'vitest';
import type { ObservedNode } from '../../../src/core/model/node.ts';
import { missingRoom } from '../../../src/core/plan/room.ts';
import { nodeOf, save } from '../../sim/saved.ts';
import { change, emptyWorld } from '../../sim/scenario.ts';
import { SimulatedSite } from '../../sim/site.ts';

const site = new SimulatedSite();
const world = emptyWorld(site);
await change(site, world, 'deploy');
const edited = new SimulatedSite({ globals: 'heat_api_cfn_workers: 7\n' });
const { plan } = await save(edited, world, 'reconfigure', { tags: ['heat_api_cfn'] });

async function observed(kib: Readonly<Record<string, number | undefined>>): Promise<ReadonlyMap<string, ObservedNode>> {
  const nodes = Object.entries(kib).map(async ([host, free]) => {
    const seen = await nodeOf(world, host).observe();
    return [host, free === undefined ? seen : { ...seen, room: { folder: '/etc/kolla', kib: free } }] as const;
  });
  return new Map(await Promise.all(nodes));
}

it('names every node whose disk cannot take the files of a plan, and what to do', async () => {
  const found = missingRoom(plan, await observed({ node1: 100_000, node2: 0, node3: 20 }));
  expect(found.map(({ host, code }) => [host, code])).toEqual([
    ['node2', 'no-space'],
    ['node3', 'no-space'],
  ]);
  expect(found[0]?.message).toMatch(/^no space left .*: \/etc\/kolla has room for 0 KiB, they need about \d+$/);
  expect(found[0]?.hint).toContain('make room on the filesystem of /etc/kolla');
});

it('holds up no node that does not say, and no plan that writes nothing', async () => {
  expect(missingRoom(plan, await observed({ node1: undefined, node2: 1000 }))).toEqual([]);
  const nothing = await save(site, world, 'reconfigure', { tags: ['heat_api_cfn'] });
  expect(nothing.plan.steps).toEqual([]);
  expect(missingRoom(nothing.plan, await observed({ node1: 0 }))).toEqual([]);
});
