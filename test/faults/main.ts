import { parseArgs } from 'node:util';
import { LabError } from '../lab/command.ts';
import { deployedLab } from '../lab/job/deployed.ts';
import { asCommand, printingReport } from '../lab/report.ts';
import { type Ground, prepareGround } from './attempt.ts';
import { matches, type Point, partOf, pointsOf, pointText, sampleOf } from './points.ts';
import { type ScenarioName, scenarios } from './scenarios.ts';
import { type Outcome, Sweep, summaryLines } from './sweep.ts';

const usage = `usage: npm run test:faults [-- OPTIONS]
  --scenario NAMES   comma list of ${Object.keys(scenarios).join(', ')}; all when absent
  --sample N         so many points of each, always the same ones
  --part I/N         one of N parts of the points, each from all over the run
  --only POINTS      comma list: stop, stop:after or stop:after:2
  --from POINT       leaves out those before it
  --kills N          so many in each course, at one point after the other while the same command goes on (1)
  --minutes N        begins no further course after that, and says where to go on`;

/**
 * `npm run test:faults`: kills a change at every one of its points and gives the same command again. Exit 0 only when
 * each of them ended as it does undisturbed.
 */
await asCommand(async () => {
  const options = readOptions();
  if (options === undefined) return;
  const ground = await prepareGround(await deployedLab(printingReport()));
  const outcomes: Outcome[] = [];
  for (const name of options.scenarios) {
    outcomes.push(...(await sweep(ground, name, options)));
    if (performance.now() > options.until) break;
  }
  for (const line of summaryLines(outcomes)) print(line);
  const failed = outcomes.filter(({ problems }) => problems.length > 0).length;
  if (failed > 0) throw new LabError(`${failed} of ${outcomes.length} courses did not end as undisturbed`);
});

function print(line: string): void {
  console.log(line);
}

async function sweep(ground: Ground, name: ScenarioName, options: Options): Promise<Outcome[]> {
  const scenario = scenarios[name];
  print(`\n${scenario.title}`);
  const one = new Sweep(ground, scenario, print);
  const outcomes: Outcome[] = [];
  try {
    const known = await one.undisturbed();
    const { there, back } = known.steps;
    const kinds = [...new Set(there.map(({ kind }) => kind))];
    const counts = kinds.map((kind) => `${there.filter((step) => step.kind === kind).length} ${kind}`);
    const points = options.choose(pointsOf(there));
    print(
      `${there.length} steps (${back.length} back): ${counts.join(', ')}; before and after each: ${2 * there.length} points; ${points.length} are tried now`,
    );
    const courses = one.all(points, options.kills, known, () => performance.now() > options.until);
    let next = await courses.next();
    for (; !next.done; next = await courses.next()) outcomes.push(next.value);
    const left = next.value;
    if (left.length > 0) {
      const only = left.map(pointText).join();
      print(`the time is over; ${left.length} points were not tried; go on with --scenario ${name} --only ${only}`);
    }
  } finally {
    await one.rest();
  }
  return outcomes;
}

interface Options {
  readonly scenarios: readonly ScenarioName[];
  readonly choose: (points: readonly Point[]) => readonly Point[];
  readonly kills: number;
  /** Of `performance.now()`. */
  readonly until: number;
}

function readOptions(): Options | undefined {
  try {
    const { values } = parseArgs({
      options: {
        scenario: { type: 'string' },
        sample: { type: 'string' },
        part: { type: 'string', default: '1/1' },
        only: { type: 'string' },
        from: { type: 'string' },
        kills: { type: 'string', default: '1' },
        minutes: { type: 'string', default: 'Infinity' },
      },
    });
    const [, index = '', count = ''] = /^(\d+)\/(\d+)$/.exec(values.part) ?? [];
    if (!(Number(index) >= 1 && Number(index) <= Number(count)))
      throw new Error(`"${values.part}" is no part like 1/4`);
    const { only, from } = values;
    const size = number(values.sample ?? 'Infinity');
    return {
      scenarios: (values.scenario?.split(',') ?? Object.keys(scenarios)).map(scenarioName),
      choose: (points) => {
        const named = points.filter(
          (point) => only === undefined || only.split(',').some((text) => matches(point, text)),
        );
        const part = partOf(sampleOf(named, size), Number(index), Number(count));
        return part.slice(from === undefined ? 0 : firstOf(part, from));
      },
      kills: number(values.kills),
      until: performance.now() + number(values.minutes) * 60_000,
    };
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n${usage}`);
    process.exitCode = 2;
    return undefined;
  }
}

function firstOf(points: readonly Point[], text: string): number {
  const at = points.findIndex((point) => matches(point, text));
  if (at < 0) throw new LabError(`none of the points is ${text}`);
  return at;
}

function number(text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new Error(`"${text}" is not a number above 0`);
  return value;
}

function scenarioName(name: string): ScenarioName {
  const found = (Object.keys(scenarios) as ScenarioName[]).find((known) => known === name);
  if (found === undefined) throw new Error(`"${name}" is none of ${Object.keys(scenarios).join(', ')}`);
  return found;
}
