import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { quote } from '../../../src/edge/ssh/quote.ts';

/** Words as a real shell splits a command line. */
function shellWords(line: string): string[] {
  const output = execFileSync('sh', ['-c', `printf '%s\\0' ${line}`], { encoding: 'utf8' });
  return output.split('\0').slice(0, -1);
}

const nasty = fc.constantFrom(
  "'",
  '"',
  '$(touch x)',
  '`id`',
  ';',
  '\n',
  '\\',
  '!',
  '*',
  '~',
  '-n',
  '',
  ' ',
  '$HOME',
  'é',
);
const word = fc
  .array(fc.oneof(nasty, fc.string({ unit: 'grapheme' })), { maxLength: 6 })
  .map((parts) => parts.join(''));

describe('quote', () => {
  it('gives a real shell exactly the words it was given', () => {
    const argv = fc.array(
      word.filter((one) => !one.includes('\0')),
      { minLength: 1, maxLength: 20 },
    );
    fc.assert(
      fc.property(argv, (words) => {
        expect(shellWords(quote(words))).toEqual(words);
      }),
      { numRuns: 60 },
    );
  });

  it('leaves plain words readable and refuses NUL', () => {
    expect(quote(['ls', '-l', '/etc/kolla', 'a b', "it's"])).toBe(`ls -l /etc/kolla 'a b' 'it'\\''s'`);
    expect(quote([''])).toBe("''");
    expect(() => quote(['a\0b'])).toThrow(/NUL/);
  });
});
