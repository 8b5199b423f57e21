import { existsSync, readFileSync, writeFileSync } from 'node:fs';

/**
 * The text that was reviewed and agreed to, from `test/golden/<name>.txt`. With UPDATE_GOLDEN=1 the given text becomes
 * the agreed one: look at the difference before it is committed.
 */
export function readGolden(name: string, now: string): string {
  const file = new URL(`./${name}.txt`, import.meta.url);
  if (process.env.UPDATE_GOLDEN === '1') writeFileSync(file, now);
  if (!existsSync(file)) throw new Error(`there is no ${file.pathname}: run the test with UPDATE_GOLDEN=1`);
  return readFileSync(file, 'utf8');
}
