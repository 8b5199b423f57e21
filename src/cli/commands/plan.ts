import { type ExitCode, exitCode } from '../../core/model/diagnostic.ts';
import { showPlan } from '../carry-out.ts';
import { changeOptions, type Invocation, verbOptions } from '../invocation.ts';
import { closeAll } from '../nodes.ts';
import { unwrap } from '../site.ts';
import { takeSurvey } from '../survey.ts';
import { lookFor, plannedVerb, planOf } from '../verbs.ts';

/** Shows what a verb would do and touches nothing: exit 0 nothing, 2 something. With `--out` the plan is saved too. */
export async function run({ args, options: raw, output }: Invocation): Promise<ExitCode> {
  const verb = plannedVerb(args[0] ?? '', 'plan');
  const out = typeof raw.out === 'string' ? raw.out : undefined;
  const saving = out === undefined ? undefined : await import('../saved-plan.ts');
  const kept = saving?.absoluteOptions(raw);
  const given = { ...raw, ...kept };
  const options = { ...changeOptions(given), ...verbOptions(given) };
  const survey = await takeSurvey(options, output, lookFor(verb));
  try {
    const plan = await planOf(verb, survey, options, output);
    const content = kept && saving?.planToSave(plan, survey, kept);
    showPlan(plan, output);
    if (content !== undefined && out !== undefined) {
      const { writeSavedPlan } = await import('../../edge/store/saved-plan.ts');
      unwrap(await writeSavedPlan(out, content), output, exitCode.badInput);
      output.note(`saved to ${out}: deploy apply ${out} carries it out`);
    }
    return plan.steps.length > 0 ? exitCode.changesPending : exitCode.ok;
  } finally {
    await closeAll(survey.nodes);
  }
}
