import { type ExitCode, exitCode } from '../../core/model/diagnostic.ts';
import { showPlan } from '../carry-out.ts';
import { changeOptions, type Invocation, verbOptions } from '../invocation.ts';
import { closeAll } from '../nodes.ts';
import { takeSurvey } from '../survey.ts';
import { lookFor, plannedVerb, planOf } from '../verbs.ts';

/** Shows what a verb would do and touches nothing: exit 0 nothing, 2 something. */
export async function run({ args, options: raw, output }: Invocation): Promise<ExitCode> {
  const verb = plannedVerb(args[0] ?? '', 'plan');
  const options = { ...changeOptions(raw), ...verbOptions(raw) };
  const survey = await takeSurvey(options, output, lookFor(verb));
  try {
    const plan = await planOf(verb, survey, options, output);
    showPlan(plan, output);
    return plan.steps.length > 0 ? exitCode.changesPending : exitCode.ok;
  } finally {
    await closeAll(survey.nodes);
  }
}
