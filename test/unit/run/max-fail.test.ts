import { describe, expect, it } from 'vitest';
import { DeployError, error, exitCode } from '../../../src/core/model/diagnostic.ts';
import type { Step } from '../../../src/core/plan/steps.ts';
import { carryOut, change, copyOf, emptyWorld, observe, stateOf } from '../../sim/scenario.ts';
import { must, SimulatedSite } from '../../sim/site.ts';
import type { SimulatedWorld } from '../../sim/world.ts';

const site = new SimulatedSite();
const deployed = emptyWorld(site);
const fresh = await change(site, deployed, 'deploy');

/** Pulls fail on these hosts, like those of nodes that have lost their way to the registry. */
function broken(world: SimulatedWorld, ...hosts: string[]): SimulatedWorld {
  world.before = ({ host, call }) => {
    if (call !== 'pull' || !hosts.includes(host)) return;
    throw new DeployError([error('pull', 'registry unreachable', { host })], exitCode.nodeNotUsable);
  };
  return world;
}

async function runOn(world: SimulatedWorld, maxFailed?: number) {
  const started: Step[] = [];
  let afterLast = 0;
  const failed = new Set<string>();
  const result = await carryOut(fresh, world, {
    ...(maxFailed === undefined ? {} : { maxFailed }),
    forks: 1,
    onEvent: (event) => {
      if (event.event === 'failed') failed.add(event.step.host);
      if (event.event !== 'started') return;
      started.push(event.step);
      if (maxFailed !== undefined && failed.size > maxFailed) afterLast += 1;
    },
  });
  return { result, started, afterLast };
}

describe('a limit of failing hosts', () => {
  it('ends a run at the first one when it is 0', async () => {
    const { result, started, afterLast } = await runOn(broken(emptyWorld(site), 'node2'), 0);
    expect(result.tooManyFailed).toEqual(['node2']);
    expect(result.failed).toHaveLength(1);
    expect(afterLast).toBe(0);
    expect(started.length).toBe(result.done + 1);
    expect(result.done + 1 + result.left.length).toBe(fresh.steps.length);
  });

  it('is reached by hosts, not by steps', async () => {
    const { result } = await runOn(broken(emptyWorld(site), 'node2'), 1);
    expect(result.failed.length).toBeGreaterThan(1);
    expect(result.tooManyFailed).toBeUndefined();
    const both = await runOn(broken(emptyWorld(site), 'node2', 'node3'), 1);
    expect(both.result.tooManyFailed?.toSorted()).toEqual(['node2', 'node3']);
    expect(both.afterLast).toBe(0);
  });

  it('is none without being asked for', async () => {
    const { result } = await runOn(broken(emptyWorld(site), 'node1', 'node2', 'node3'));
    expect(result.tooManyFailed).toBeUndefined();
    expect(new Set(result.failed.map(({ step }) => step.host)).size).toBe(3);
  });

  it('lets ways back be carried out, and the next run goes on', async () => {
    const newer = new SimulatedSite({ globals: 'openstack_tag: other\n' });
    const world = copyOf(deployed);
    const choice = { tags: ['heat', 'glance', 'magnum'] };
    const before = world.running('heat_engine').map(({ id }) => id);
    const plan = must(newer.plan('upgrade', observe(world), choice));
    world.crashes = (container) => container.spec.name === 'heat_engine' && container.spec.image.tag === 'other';
    const result = await carryOut(plan, world, { maxFailed: 0 });
    expect(result.tooManyFailed).toEqual(['node1']);
    expect(result.reverted.map(({ way }) => way.container)).toEqual(['heat_engine']);
    expect(world.running('heat_engine').map(({ id }) => id)).toEqual(before);
    world.crashes = () => false;
    await change(newer, world, 'upgrade', choice);
    const undisturbed = copyOf(deployed);
    await change(newer, undisturbed, 'upgrade', choice);
    expect(stateOf(world)).toEqual(stateOf(undisturbed));
  });
});
