import { describe, expect, it } from 'vitest';
import { closure, topologicalOrder } from '../../../src/core/graph/dag.ts';

function edges(text: string): Map<string, string[]> {
  return new Map(
    text.split(' ').map((part) => {
      const [node = '', before = ''] = part.split('<');
      return [node, before === '' ? [] : before.split(',')];
    }),
  );
}

describe('topologicalOrder', () => {
  it.each([
    ['a b c', 'a b c'],
    ['c<b b<a a', 'a b c'],
    ['d<b,c b<a c<a a', 'a b c d'],
    ['b<elsewhere a', 'b a'],
  ])('orders %s as %s', (graph, order) => {
    expect(topologicalOrder(edges(graph), 'services')).toMatchObject({ ok: true, value: order.split(' ') });
  });

  it('keeps the given order among those that need nothing of each other', () => {
    expect(topologicalOrder(edges('z y<x w x'), 'services')).toMatchObject({ value: ['z', 'x', 'y', 'w'] });
  });

  it.each([
    ['a<a', 'a → a'],
    ['x<a a<b b<c c<a', 'a → b → c → a'],
  ])('names the members of the cycle in %s', (graph, cycle) => {
    const result = topologicalOrder(edges(graph), 'services');
    expect(result.ok).toBe(false);
    expect(result.diagnostics).toMatchObject([
      { code: 'cycle', message: `services require each other in a cycle: ${cycle}` },
    ]);
  });
});

describe('closure', () => {
  it('follows the edges to their ends and leaves the start out', () => {
    expect([...closure(edges('d<c c<a,b b a x<a'), ['d'])].sort()).toEqual(['a', 'b', 'c']);
  });

  it('ends on a cycle and then contains the start', () => {
    expect([...closure(edges('a<b b<a'), ['a'])].sort()).toEqual(['a', 'b']);
  });
});
