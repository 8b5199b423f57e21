import { describe, expect, it } from 'vitest';
import type { LiveStatus } from '../../../src/core/galera/evidence.ts';
import type { StepOf } from '../../../src/core/plan/steps.ts';
import { formPrimary } from '../../../src/run/galera-primary.ts';
import type { StepContext } from '../../../src/run/step-context.ts';

const step = { host: 'node1', container: 'mariadb', members: 2, server: {} } as unknown as StepOf<'galera-primary'>;

/** What the member says at a time in seconds, and the times in seconds at which it was ordered to become Primary. */
function member(says: (second: number, orders: readonly number[]) => Partial<LiveStatus> | { why: string }) {
  const orders: number[] = [];
  const told: string[] = [];
  let now = 0;
  const context = {
    clients: {
      askGalera: async () => [{ host: 'node1', said: says(now / 1000, orders) }],
      formPrimary: async () => void orders.push(now / 1000),
    },
    clock: {
      now: () => now,
      sleep: async (ms: number) => {
        now += ms;
      },
    },
    progress: (line: string) => void told.push(line),
  } as unknown as StepContext;
  return { context, orders, told };
}

const outside = { cluster: 'non-Primary', clusterSize: 2 } as const;
const primary = { cluster: 'Primary', clusterSize: 2 } as const;

describe('making a group the Primary component', () => {
  it('is ordered once where the order holds', async () => {
    const { context, orders, told } = member((_, given) => (given.length > 0 ? primary : outside));
    expect(await formPrimary(step, context)).toBeUndefined();
    expect([orders, told]).toEqual([[0], []]);
  });

  it('is not ordered where it is one already', async () => {
    const { context, orders } = member(() => primary);
    await formPrimary(step, context);
    expect(orders).toEqual([]);
  });

  it('is ordered again when the order went with a view of members that are gone', async () => {
    const { context, orders, told } = member((second, given) =>
      given.some((at) => at > 2) ? primary : { ...outside, clusterSize: second < 1 ? 3 : 2 },
    );
    expect(await formPrimary(step, context)).toBe('at the 2. order');
    expect(orders).toEqual([0, 3]);
    expect(told).toEqual(['not Primary yet (non-Primary, 2 in its group): the order is given again']);
  });

  it('is not ordered while the group is smaller than it should be, or does not answer', async () => {
    const { context, orders } = member((second, given) => {
      if (given.length > 0) return primary;
      if (second < 5) return { why: 'does not answer' };
      return second < 10 ? { ...outside, clusterSize: 1 } : outside;
    });
    await formPrimary(step, context);
    expect(orders).toEqual([10]);
  });

  it('ends with what the member said when it never becomes one', async () => {
    const { context, orders } = member(() => outside);
    await expect(formPrimary(step, context)).rejects.toMatchObject({
      diagnostics: [
        { message: 'mariadb is in no Primary component after 20 orders: non-Primary, 2 in its group', host: 'node1' },
      ],
    });
    expect(orders).toHaveLength(20);
  });
});
