import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const sources = join(import.meta.dirname, '..', '..', '..', 'src');

/** The wall clock jumps: it may name things, and decide nothing. Time is measured by clocks that nobody sets. */
it('the wall clock is read to name a run and to note when it began, and nowhere else', () => {
  const readers = readdirSync(sources, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .flatMap((name) => {
      const text = readFileSync(join(sources, name), 'utf8');
      return [...text.matchAll(/Date\.now|new Date\(\)|timeOrigin|process\.hrtime/g)].map(
        ([found]) => `${name}: ${found}`,
      );
    });
  expect(readers.sort()).toEqual([
    'cli/commands/lock.ts: new Date()',
    'cli/journal.ts: new Date()',
    'cli/lock.ts: new Date()',
  ]);
});
