import { parseArgs } from 'node:util';
import { LabError } from '../lab/command.ts';
import { deployedLab } from '../lab/job/deployed.ts';
import { asCommand, printingReport } from '../lab/report.ts';
import { measureCapacity } from './capacity.ts';
import { loadKinds } from './kinds.ts';
import { type Enough, measure, type Setting } from './measure.ts';
import { type Break, breaks, broken, deploy, shipped, unbroken } from './product.ts';
import { type ScenarioName, scenarios } from './scenarios.ts';

const usage = `usage: npm run test:load [-- OPTIONS]
  --scenario NAMES    comma list of ${Object.keys(scenarios).join(', ')}; all when absent
  --short             one run of each, whatever the number of requests
  --authenticated N   authenticated requests during each change (3000)
  --versions N        version-page requests during each change (10000)
  --rate N            authenticated requests a second, instead of half of what is measured first
  --break NAME        ${Object.keys(breaks).join(' or ')}: the Magnum upgrade with that broken on purpose, beside the real one
  --runs N            runs of each at least (1; with --break 3)`;

/**
 * `npm run test:load`: changes under a steady load through the virtual address. Exit 0 only when no request failed,
 * or, with --break, when the load noticed.
 */
await asCommand(async () => {
  const options = readOptions();
  if (options === undefined) return;
  const report = printingReport();
  const lab = await deployedLab(report);
  const kinds = await loadKinds(lab);
  const print = (line: string): void => console.log(line);
  const rate = options.rate ?? (await measureCapacity(kinds, print)) / 2;
  if (rate <= 0) throw new LabError('the lab does not bear even the smallest rate without a failure');
  print(`\nLoad from here on: ${rate} authenticated requests and 50 version pages a second`);
  const setting: Setting = { lab, kinds, rate, print };
  if (options.break !== undefined) await breakIt(setting, options.break, options.enough.runs);
  else await all(setting, options.scenarios, options.enough);
});

async function all(setting: Setting, names: readonly ScenarioName[], enough: Enough): Promise<void> {
  let failed = 0;
  for (const name of names) failed += (await measure(setting, shipped(), scenarios[name], enough)).failed;
  if (failed > 0) throw new LabError(`${failed} requests failed`);
}

async function breakIt(setting: Setting, what: Break, runs: number): Promise<void> {
  const enough = { authenticated: 0, versions: 0, runs };
  setting.print('\nNot broken:');
  try {
    const whole = await measure(setting, unbroken(what), scenarios.magnum, enough);
    setting.print(`\nWith the ${what} broken on purpose:`);
    const harmed = await measure(setting, broken(what), scenarios.magnum, enough);
    setting.print(`\nFailed requests: ${whole.failed} when not broken, ${harmed.failed} with the ${what} broken`);
    noticed(whole.failed, harmed.failed, what);
  } finally {
    await scenarios.magnum.rest(setting.lab, (args) => deploy(shipped(), setting.lab, args));
    await deploy(shipped(), setting.lab, ['reconfigure', '--tags', 'magnum', '--yes']);
  }
}

function noticed(whole: number, harmed: number, what: Break): void {
  if (harmed <= whole) throw new LabError(`the load does not notice that the ${what} is broken`);
}

interface Options {
  readonly scenarios: readonly ScenarioName[];
  readonly enough: Enough;
  readonly rate: number | undefined;
  readonly break: Break | undefined;
}

function readOptions(): Options | undefined {
  try {
    const { values } = parseArgs({
      options: {
        scenario: { type: 'string' },
        short: { type: 'boolean', default: false },
        authenticated: { type: 'string', default: '3000' },
        versions: { type: 'string', default: '10000' },
        rate: { type: 'string' },
        break: { type: 'string' },
        runs: { type: 'string' },
      },
    });
    const enough = {
      authenticated: values.short ? 0 : number(values.authenticated),
      versions: values.short ? 0 : number(values.versions),
      runs: number(values.runs ?? (values.break === undefined ? '1' : '3')),
    };
    return {
      scenarios: (values.scenario?.split(',') ?? Object.keys(scenarios)).map((name) => oneOf(scenarios, name)),
      enough,
      rate: values.rate === undefined ? undefined : number(values.rate),
      break: values.break === undefined ? undefined : oneOf(breaks, values.break),
    };
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n${usage}`);
    process.exitCode = 2;
    return undefined;
  }
}

function number(text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new Error(`"${text}" is not a number above 0`);
  return value;
}

function oneOf<K extends string>(known: Readonly<Record<K, unknown>>, name: string): K {
  const found = (Object.keys(known) as K[]).find((key) => key === name);
  if (found === undefined) throw new Error(`"${name}" is none of ${Object.keys(known).join(', ')}`);
  return found;
}
