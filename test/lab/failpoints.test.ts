import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Ground, prepareGround } from '../faults/attempt.ts';
import { type Point, pointsOf, sampleOf } from '../faults/points.ts';
import { type ScenarioName, scenarios } from '../faults/scenarios.ts';
import { type Outcome, Sweep, summaryLines, type Undisturbed } from '../faults/sweep.ts';
import { deployedLab } from './job/deployed.ts';
import { printingReport } from './report.ts';

/**
 * How many points of each, and how often a course is killed before it may end: a course takes as long as the change,
 * so that killing it several times shows more in the same time. `npm run test:faults` tries every point.
 */
const samples: Readonly<Record<ScenarioName, { readonly points: number; readonly kills: number }>> = {
  magnum: { points: 14, kills: 7 },
  reconfigure: { points: 12, kills: 6 },
};

describe('a run that is killed anywhere', () => {
  let ground: Ground;
  const outcomes: Outcome[] = [];

  beforeAll(async () => {
    ground = await prepareGround(await deployedLab(printingReport()));
  });

  afterAll(() => {
    for (const line of summaryLines(outcomes)) console.log(line);
  });

  for (const name of Object.keys(scenarios) as ScenarioName[]) {
    it(`is finished by the same command, as if nothing had been: ${scenarios[name].title}`, async () => {
      const sweep = new Sweep(ground, scenarios[name], (line) => console.log(line));
      const { points, kills } = samples[name];
      const begun = outcomes.length;
      try {
        const known: Undisturbed = await sweep.undisturbed();
        const every = pointsOf(known.steps.there);
        const sample = sampleOf(every, points);
        for await (const outcome of sweep.all(sample, kills, known)) outcomes.push(outcome);
        expect(kindsAndSides(sample)).toEqual(kindsAndSides(every));
      } finally {
        await sweep.rest();
      }
      expect(outcomes.slice(begun).flatMap(({ problems }) => problems)).toEqual([]);
    });
  }

  it('was tried at 25 points and more', () => {
    expect(outcomes.flatMap(({ attempt }) => attempt.deaths).length).toBeGreaterThanOrEqual(25);
  });
});

/** Every kind of step is there, and so are before and after. */
function kindsAndSides(points: readonly Point[]): readonly string[] {
  return [...new Set(points.flatMap(({ kind, when }) => [kind, when]))].sort();
}
