import { describe, expect, it } from 'vitest';
import { error } from '../../../src/core/model/diagnostic.ts';
import { failedHosts, hostsThatMayFail, maxFailText, parseMaxFail } from '../../../src/core/plan/max-fail.ts';
import type { Step } from '../../../src/core/plan/steps.ts';

const on = (host: string) => ({ host }) as Step;

describe('the limit of failing hosts', () => {
  it.each(['', '-1', '01', '1.5', 'all', '101%', '%', '5%%', '1000000'])('is not %j', (text) => {
    expect(parseMaxFail(text)).toBeUndefined();
  });

  it.each([
    ['0', 0],
    ['2', 2],
    ['0%', 0],
    ['34%', 1],
    // More than a third of three is two of them.
    ['33%', 0],
    ['67%', 2],
    ['100%', 3],
  ])('%s lets %d of three hosts fail', (text, hosts) => {
    const limit = parseMaxFail(text);
    if (limit === undefined) throw new Error('a limit was expected');
    expect(maxFailText(limit)).toBe(`--max-fail ${text}`);
    expect(hostsThatMayFail(limit, ['a', 'b', 'b', 'c', 'localhost'].map(on))).toBe(hosts);
  });

  it('counts the host that is to blame, once, and none for what fails where deploy runs', () => {
    const failures = [
      { step: on('a'), diagnostics: [error('lost', 'gone', { host: 'b' })] },
      { step: on('b'), diagnostics: [error('lost', 'gone', { host: 'b' })] },
      { step: on('localhost'), diagnostics: [error('hook', 'ended with 1')] },
      { step: on('c'), diagnostics: [] },
    ];
    expect(failedHosts(failures)).toEqual(['b', 'c']);
  });
});
