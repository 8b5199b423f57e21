import { expect, it } from 'vitest';
import { controlHost } from '../../../src/core/model/hook.ts';
import type { Step } from '../../../src/core/plan/steps.ts';
import { touchedHosts } from '../../../src/core/plan/touched.ts';
import { steps } from '../../sim/order.ts';
import { change, emptyWorld, observe } from '../../sim/scenario.ts';
import { must, SimulatedSite } from '../../sim/site.ts';

const site = new SimulatedSite();
const deployed = emptyWorld(site);
await change(site, deployed, 'deploy');
const newer = new SimulatedSite({ globals: 'openstack_tag: 2025.1-debian-trixie\n' });

it('a plan touches the hosts of its steps and the load balancers it gives orders to, not the control host', () => {
  const plan = must(newer.plan('upgrade', observe(deployed), { tags: ['magnum'] }));
  const [drain] = steps(plan, 'drain', 'magnum_api', 'node2');
  if (drain === undefined) throw new Error('nothing is drained');
  expect(touchedHosts({ steps: [drain] }).sort()).toEqual(['node1', 'node2', 'node3']);
  const [pull] = steps(plan, 'pull', undefined, 'node2');
  const hook = { ...pull, kind: 'hook', hook: 'pre-service', name: 'x', path: '/x', host: controlHost } as Step;
  expect(touchedHosts({ steps: [hook, ...(pull ? [pull] : [])] })).toEqual(['node2']);
  expect(touchedHosts({ steps: [] })).toEqual([]);
});
