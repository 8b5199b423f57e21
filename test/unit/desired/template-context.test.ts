import { expect, it, vi } from 'vitest';
import { templateContext } from '../../../src/core/desired/evaluate.ts';
import type { Scope } from '../../../src/core/site/variables.ts';

const at = { file: 'service.yml', line: 1, column: 1 };

function contextOf(extra: Readonly<Record<string, unknown>> = {}) {
  const get = vi.fn((name: string): unknown => `value of ${name}`);
  const context = templateContext({ get } as unknown as Scope, new Set(['one', 'two']), at, extra);
  return { context: context as Record<string, unknown>, get };
}

it('has every variable as its own and evaluates only what is read', () => {
  const { context, get } = contextOf({ three: 3 });
  expect(Object.keys(context)).toEqual(['one', 'two', 'three']);
  expect(Object.hasOwn(context, 'one')).toBe(true);
  expect('two' in context).toBe(true);
  expect(Object.hasOwn(context, 'constructor')).toBe(false);
  expect(get).not.toHaveBeenCalled();
  expect(context.one).toBe('value of one');
  expect(get).toHaveBeenCalledExactlyOnceWith('one', at);
});

it('lets names of the container win over variables', () => {
  const { context, get } = contextOf({ one: 'own' });
  expect(context.one).toBe('own');
  expect({ ...context }).toEqual({ one: 'own', two: 'value of two' });
  expect(get).toHaveBeenCalledExactlyOnceWith('two', at);
});
