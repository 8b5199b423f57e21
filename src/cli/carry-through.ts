import { type ExitCode, exitCode } from '../core/model/diagnostic.ts';
import type { Plan } from '../core/plan/steps.ts';
import { carryOut, confirmed, describeLeft, showPlan } from './carry-out.ts';
import { observeAll } from './nodes.ts';
import type { ChangeOptions } from './options.ts';
import type { Output } from './output.ts';
import type { Survey } from './survey.ts';
import { lookFor, type PlannedVerb, planAgain, type VerbOptions } from './verbs.ts';

const questions: Readonly<Partial<Record<PlannedVerb, string>>> = {
  stop: 'Stop these containers?',
  destroy: 'Remove all of this, data included? There is no way back.',
};

/** show → confirm → carry out → look again, of every plan of every verb. The second look must leave nothing to do. */
export async function carryThrough(
  verb: PlannedVerb,
  plan: Plan,
  survey: Survey,
  options: ChangeOptions & VerbOptions,
  output: Output,
): Promise<ExitCode> {
  showPlan(plan, output, options.diff);
  if (plan.steps.length === 0) return exitCode.ok;
  if (!(await confirmed(options, questions[verb] ?? 'Carry this out?'))) return exitCode.ok;
  return carryOut(plan, survey, options, output, async () => {
    const observed = await observeAll(survey.nodes, lookFor(verb));
    const rest = await planAgain(verb, { ...survey, observed, hooks: new Map() }, options, output);
    if (rest.steps.length > 0) throw describeLeft(rest);
  });
}
