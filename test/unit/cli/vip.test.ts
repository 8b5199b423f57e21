import { Duplex } from 'node:stream';
import { expect, it } from 'vitest';
import { foreignVip } from '../../../src/cli/vip.ts';
import { emptyWorld, observe } from '../../sim/scenario.ts';
import { SimulatedSite } from '../../sim/site.ts';

const site = new SimulatedSite();
const { target } = site.desired({ tags: ['loadbalancer'] });
const observed = observe(emptyWorld(site));

/** Somebody answers at the VIP, and no node that was looked at has it. */
async function found(skipped: readonly unknown[]): Promise<readonly string[]> {
  const answering = { connect: async () => new Duplex({ read() {} }) };
  const nodes = new Map(site.hosts.map((host) => [host, answering]));
  return (await foreignVip({ loaded: site.loaded, target, observed, nodes, skipped })).map(({ code }) => code);
}

it('a VIP that answers is somebody else’s, or that of a host that is skipped', async () => {
  expect(await found([])).toEqual(['vip-taken']);
  expect(await found([{ host: 'node2', why: 'no answer' }])).toEqual([]);
});
