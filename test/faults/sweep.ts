import { LabError, lastLines } from '../lab/command.ts';
import { deploy } from '../lab/job/deploy-command.ts';
import { type Attempt, attempt, type Ground, undisturbed } from './attempt.ts';
import { judge, migrations, type Reference } from './judge.ts';
import { type BegunStep, courses, type Point, pointText } from './points.ts';
import type { End, Scenario } from './scenarios.ts';
import { captureAll, differences, fingerprint } from './state.ts';

/** What a scenario leads to when nobody disturbs it. */
export interface Undisturbed {
  readonly steps: Readonly<Record<End, readonly BegunStep[]>>;
  readonly references: Readonly<Record<End, Reference>>;
}

/** One course: the points where the command is killed on its way to this end, one after the other. */
export interface Job {
  readonly end: End;
  readonly points: readonly Point[];
}

export interface Outcome {
  readonly job: Job;
  readonly attempt: Attempt;
  readonly problems: readonly string[];
  readonly migrations: number;
}

type Print = (line: string) => void;

const other = { there: 'back', back: 'there' } as const satisfies Record<End, End>;

/** A scenario on the lab: knows at which end the lab stands, and leads it back to where it belongs. */
export class Sweep {
  readonly #ground: Ground;
  readonly #scenario: Scenario;
  readonly #print: Print;
  #at: End | undefined;

  constructor(ground: Ground, scenario: Scenario, print: Print) {
    this.#ground = ground;
    this.#scenario = scenario;
    this.#print = print;
  }

  /** There and back with nobody disturbing: what is to be done on the way, and what it leads to. */
  async undisturbed(): Promise<Undisturbed> {
    // What the lab was before is recorded as the generation before: both ends must have the other one there.
    await this.#go('back');
    const there = await this.#reference('there');
    const back = await this.#reference('back');
    return {
      steps: { there: there.steps, back: back.steps },
      references: { there: there.reference, back: back.reference },
    };
  }

  /**
   * Kills at every one of these points, so many in each course, there and back in turns; points a course was past already
   * are those of further courses. Gives what became of each course; `over` says when no further one is begun.
   */
  async *all(
    points: readonly Point[],
    kills: number,
    known: Undisturbed,
    over: () => boolean = () => false,
  ): AsyncGenerator<Outcome, readonly Point[]> {
    let open = points;
    while (open.length > 0) {
      const passed: Point[] = [];
      const left = [...courses(open, kills)];
      for (let course = left.shift(); course !== undefined; course = left.shift()) {
        if (over()) return [...passed, ...course, ...left.flat()];
        const end = this.#at === 'back' ? 'there' : 'back';
        const outcome = await this.run({ end, points: course }, known);
        passed.push(...outcome.attempt.passed);
        yield outcome;
      }
      open = passed;
    }
    return [];
  }

  async run(job: Job, { references }: Undisturbed): Promise<Outcome> {
    const { end, points } = job;
    if (this.#at !== other[end]) await this.#go(other[end]);
    this.#at = undefined;
    const done = await attempt(this.#ground, this.#scenario, end, points);
    const problems = judge(this.#scenario, done, references[end]);
    if (problems.length > 0) await this.#mend(end, references[end]);
    this.#at = end;
    const outcome = { job, attempt: done, problems, migrations: migrations(this.#scenario, done) };
    for (const line of outcomeLines(outcome)) this.#print(line);
    return outcome;
  }

  /** The lab as its own variables want it; nothing is left to do then. */
  async rest(): Promise<void> {
    await this.#go(this.#scenario.rest(this.#ground.lab));
    const looked = await deploy(this.#ground.lab, ['reconfigure']);
    if (looked.code === 0 && looked.stdout.includes('nothing to do')) return;
    throw new LabError(`after the sweep there is something left to do:\n${lastLines(looked.stdout, 12)}`);
  }

  async #go(end: End, whole = false): Promise<{ readonly steps: readonly BegunStep[]; readonly seconds: number }> {
    if (this.#at === end) return { steps: [], seconds: 0 };
    const gone = await undisturbed(this.#ground, this.#scenario, end, whole);
    this.#at = end;
    this.#print(`${gone.seconds.toFixed(1).padStart(6)} s  undisturbed ${end}: ${gone.steps.length} steps`);
    return gone;
  }

  async #reference(end: End): Promise<{ readonly steps: readonly BegunStep[]; readonly reference: Reference }> {
    const { lab, nodes } = this.#ground;
    const { steps } = await this.#go(end, true);
    const facts = fingerprint(await captureAll(nodes));
    const schema = (await this.#scenario.schema?.(lab)) ?? '';
    return { steps, reference: { facts, schema } };
  }

  /** So that what went wrong once does not make all that follows look wrong. */
  async #mend(end: End, { facts }: Reference): Promise<void> {
    for (const to of [end, other[end], end]) {
      this.#at = undefined;
      await this.#go(to);
      const wrong =
        to === end ? differences(facts, fingerprint(await captureAll(this.#ground.nodes))) : ['the other end'];
      if (wrong.length === 0) return;
    }
    throw new LabError('the lab does not come back to the state of an undisturbed run, even undisturbed');
  }
}

function outcomeLines({ job, attempt: { deaths, passed, last }, problems, migrations: ran }: Outcome): string[] {
  const killed = deaths.map(
    ({ point, seconds, locksFree, where }) =>
      `${pointText(point).padEnd(18)} died after ${seconds.toFixed(1).padStart(4)} s, locks free in ${String(Math.round(locksFree)).padStart(3)} ms (${where})`,
  );
  const past = passed.length === 0 ? '' : `past ${passed.map(pointText).join(', ')} before; `;
  const again = `${past}again: ${last.seconds.toFixed(1)} s${ran > 1 ? `, the migration ran ${ran} times` : ''}`;
  const verdict = problems.length === 0 ? 'ok' : 'FAILED';
  return [
    ...killed.map(
      (line, i) =>
        `${i === 0 ? job.end.padEnd(5) : '     '} ${line}${i === killed.length - 1 ? ` ${again}: ${verdict}` : ''}`,
    ),
    ...problems.map((problem) => `      - ${problem}`),
  ];
}

/** Figures over all courses, for the end of a report. */
export function summaryLines(outcomes: readonly Outcome[]): string[] {
  const deaths = outcomes.flatMap((outcome) => outcome.attempt.deaths);
  const failed = outcomes.filter(({ problems }) => problems.length > 0);
  const kinds = [...new Set(deaths.map(({ point }) => point.kind))].map((kind) => {
    const of = deaths.filter(({ point }) => point.kind === kind);
    return `${kind} ${of.filter(({ point }) => point.when === 'before').length}+${of.filter(({ point }) => point.when === 'after').length}`;
  });
  const longest = Math.max(0, ...deaths.map(({ locksFree }) => locksFree));
  const twice = outcomes.filter(({ migrations: ran }) => ran > 1).length;
  return [
    `${deaths.length} runs killed in ${outcomes.length} courses; ${outcomes.length - failed.length} courses as undisturbed, ${failed.length} not`,
    `killed before + after: ${kinds.join(', ')}`,
    `locks free at the latest ${Math.round(longest)} ms after the death`,
    ...(twice > 0 ? [`in ${twice} courses a migration ran again that nothing had noted yet, without effect`] : []),
  ];
}
