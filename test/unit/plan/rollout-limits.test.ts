import { describe, expect, it } from 'vitest';
import { parseAmount, rolloutSize } from '../../../src/core/plan/rollout-limits.ts';
import { precedes, step, steps } from '../../sim/order.ts';
import { change, emptyWorld, observe } from '../../sim/scenario.ts';
import { must, SimulatedSite } from '../../sim/site.ts';

describe('an amount of replicas', () => {
  it.each(['0', '-1', '0%', '101%', '1.5', 'half', '', '1 2', '5%%'])('is not %j', (text) => {
    expect(parseAmount(text)).toBeUndefined();
  });

  it.each([
    ['2', { replicas: 2 }],
    ['25%', { percent: 25 }],
    ['100%', { percent: 100 }],
  ])('is %j', (text, amount) => {
    expect(parseAmount(text)).toEqual(amount);
  });
});

describe('the size of a rollout', () => {
  it.each([
    [1, 3, {}, { batch: 1, keep: 2 }],
    [1, 1, {}, { batch: 1, keep: 0 }],
    [1, 3, { batch: { replicas: 2 } }, { batch: 2, keep: 1 }],
    [1, 40, { batch: { percent: 25 } }, { batch: 10, keep: 30 }],
    // A share of a small group is never nothing.
    [1, 3, { batch: { percent: 10 } }, { batch: 1, keep: 2 }],
    [5, 10, { maxUnavailable: { replicas: 2 } }, { batch: 2, keep: 8 }],
    // More may be away than are replaced at once: one that is down already does not stop the rollout.
    [1, 3, { maxUnavailable: { replicas: 2 } }, { batch: 1, keep: 1 }],
    [1, 3, { maxUnavailable: { percent: 100 } }, { batch: 1, keep: 0 }],
  ] as const)('%j of %j with %j', (defined, group, limits, size) => {
    expect(rolloutSize(defined, group, limits)).toEqual(size);
  });
});

describe('a plan', async () => {
  const site = new SimulatedSite();
  const world = emptyWorld(site);
  await change(site, world, 'deploy');
  const changed = new SimulatedSite({ globals: 'magnum_tag: 2025.1-debian-trixie\n' });
  const planWith = (limits: object) =>
    must(changed.plan('upgrade', observe(world), { tags: ['magnum'] }, undefined, limits));

  it('replaces as many at once as --batch says', () => {
    const plan = planWith({ batch: { replicas: 2 } });
    const [first, second, third] = ['node1', 'node2', 'node3'].map((host) => step(plan, 'drain', 'magnum_api', host));
    if (!first || !second || !third) throw new Error('three drains were expected');
    expect([precedes(plan, first, second), precedes(plan, second, first)]).toEqual([false, false]);
    const back = ['node1', 'node2'].map((host) => step(plan, 'undrain', 'magnum_api', host));
    expect(precedes(plan, back, third)).toBe(true);
    expect(first).toMatchObject({ keep: 1 });
  });

  it('leaves all but one serving without being told, and gives sessions the time of the definition', () => {
    for (const drain of steps(planWith({}), 'drain')) expect(drain).toMatchObject({ keep: 2, patienceSeconds: 60 });
  });
});
