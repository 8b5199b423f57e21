import { sleep } from '../lab/command.ts';
import { startLoad } from './generator.ts';
import type { Kinds } from './kinds.ts';
import { outcomes, table } from './outcome.ts';

/** All three services' version pages together. */
export const versionsPerSecond = 50;
const steps = [4, 6, 8, 10, 12, 15, 18, 22, 26, 32, 40, 50];
const stepMs = 20_000;
/** Slower than this is a queue that grows, not an answer that takes its time. */
const boundMs = 5_000;

/**
 * The highest of the rates tried (authenticated requests a second, beside the version pages) at which nothing failed
 * and no request took longer than five seconds. Nothing else is done meanwhile. Prints every step.
 */
export async function measureCapacity(kinds: Kinds, print: (line: string) => void): Promise<number> {
  let borne = 0;
  print(`What the lab bears when nothing is done (${versionsPerSecond} version pages a second beside it):`);
  for (const rate of steps) {
    const load = startLoad([
      { kinds: kinds.authenticated, perSecond: rate },
      { kinds: kinds.versions, perSecond: versionsPerSecond },
    ]);
    await sleep(stepMs);
    const samples = await load.stop();
    const rows = outcomes([samples]);
    const failed = rows.slice(-2).reduce((sum, row) => sum + row.failed, 0);
    const slowest = Math.max(...rows.map((row) => row.slowest));
    const [authenticated] = rows.slice(-2);
    const held = failed === 0 && slowest <= boundMs;
    print(
      `  ${String(rate).padStart(3)} a second: ${held ? 'borne' : 'not borne'}, ${failed} failed, ` +
        `median ${Math.round(authenticated?.median ?? 0)} ms, slowest ${Math.round(slowest)} ms`,
    );
    if (!held) {
      for (const line of table(rows)) print(line);
      break;
    }
    borne = rate;
  }
  return borne;
}
