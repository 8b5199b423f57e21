import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { sleep } from '../lab/command.ts';
import type { Lab } from '../lab/raise.ts';
import { versionsPerSecond } from './capacity.ts';
import { startLoad } from './generator.ts';
import type { Kinds } from './kinds.ts';
import { failures, type Outcome, outcomes, table } from './outcome.ts';
import { deploy, type Product } from './product.ts';
import type { Sample } from './request.ts';
import type { Scenario } from './scenarios.ts';

export interface Setting {
  readonly lab: Lab;
  readonly kinds: Kinds;
  /** Authenticated requests a second. */
  readonly rate: number;
  print(line: string): void;
}

/** How long a scenario goes on: until it has both, and at least one run. */
export interface Enough {
  readonly authenticated: number;
  readonly versions: number;
  readonly runs: number;
}

export interface Measured {
  readonly runs: readonly (readonly Sample[])[];
  /** Seconds the command took in each run. */
  readonly seconds: readonly number[];
  readonly authenticated: Outcome;
  readonly versions: Outcome;
  readonly failed: number;
}

/** The load begins so long before the change and ends so long after it. */
const marginMs = 5_000;
/** After a change without load: what has just started gets a moment. */
const settleMs = 8_000;

/** Makes the change under load until there is enough of it, prints each run and the whole, and puts things back. */
export async function measure(
  setting: Setting,
  product: Product,
  scenario: Scenario,
  enough: Enough,
): Promise<Measured> {
  const { lab, print } = setting;
  const runs: (readonly Sample[])[] = [];
  const seconds: number[] = [];
  const count = (authenticated: boolean): number =>
    runs.flat().filter((s) => s.kind.authenticated === authenticated).length;
  print(`\n${scenario.title}`);
  const unloaded = (args: readonly string[]): Promise<unknown> => deploy(product, lab, args);
  await scenario.rest(lab, unloaded);
  try {
    while (runs.length < enough.runs || count(true) < enough.authenticated || count(false) < enough.versions) {
      await scenario.before?.(lab, unloaded);
      if (scenario.before || runs.length === 0) await sleep(settleMs);
      const { samples, ran } = await underLoad(setting, product, scenario.change(runs.length));
      runs.push(samples);
      seconds.push(ran.seconds);
      keepOutput(lab, `${ran.command.split(' ').slice(1, 4).join('-')}-${runs.length}`, ran.stdout + ran.stderr);
      print(`  run ${String(runs.length).padStart(2)}: ${brief(ran.seconds, samples)}`);
      for (const line of failures(samples).slice(0, 8)) print(`      ${line}`);
    }
  } finally {
    await scenario.rest(lab, unloaded);
  }
  return summary(setting, runs, seconds);
}

async function underLoad(setting: Setting, product: Product, args: readonly string[]) {
  const load = startLoad([
    { kinds: setting.kinds.authenticated, perSecond: setting.rate },
    { kinds: setting.kinds.versions, perSecond: versionsPerSecond },
  ]);
  try {
    await sleep(marginMs);
    const ran = await deploy(product, setting.lab, args);
    await sleep(marginMs);
    return { samples: await load.stop(), ran };
  } finally {
    await load.stop();
  }
}

/** What the command printed, with the time of each step: for whoever wants to know where a gap comes from. */
function keepOutput(lab: Lab, name: string, text: string): void {
  const folder = join(lab.files.folder, 'load');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, `${name}.log`), text);
}

function brief(took: number, samples: readonly Sample[]): string {
  const [authenticated, versions] = outcomes([samples]).slice(-2);
  if (!authenticated || !versions) return 'no requests';
  const failed = authenticated.failed + versions.failed;
  const slowest = Math.max(authenticated.slowest, versions.slowest);
  return (
    `${took.toFixed(1)} s, ${authenticated.requests} authenticated and ${versions.requests} version pages, ` +
    `${failed} failed, slowest ${Math.round(slowest)} ms, ` +
    `gap ${Math.round(authenticated.gap)} / ${Math.round(versions.gap)} ms`
  );
}

function summary({ print }: Setting, runs: readonly (readonly Sample[])[], seconds: readonly number[]): Measured {
  const rows = outcomes(runs);
  for (const line of table(rows)) print(line);
  const [authenticated, versions] = rows.slice(-2);
  if (!authenticated || !versions) throw new Error('nothing was measured');
  const sorted = [...seconds].sort((a, b) => a - b);
  const middle = sorted[Math.floor(sorted.length / 2)] ?? 0;
  print(
    `  ${runs.length} runs of ${sorted[0]?.toFixed(1)} to ${sorted.at(-1)?.toFixed(1)} s (median ${middle.toFixed(1)} s): ` +
      `${authenticated.failed + versions.failed} failed of ${authenticated.requests} authenticated and ${versions.requests} version-page requests`,
  );
  return { runs, seconds, authenticated, versions, failed: authenticated.failed + versions.failed };
}
