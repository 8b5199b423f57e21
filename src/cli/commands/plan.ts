import { DeployError, type ExitCode, error, exitCode } from '../../core/model/diagnostic.ts';
import type { Plan } from '../../core/plan/steps.ts';
import { showPlan } from '../carry-out.ts';
import { changeOptions, type Invocation, verbOptions } from '../invocation.ts';
import { closeAll } from '../nodes.ts';
import type { Output } from '../output.ts';
import { unwrap } from '../site.ts';
import type { Survey } from '../survey.ts';
import { type PlannedVerb, plannedVerb, planOf, surveyFor } from '../verbs.ts';

const pruningVerbs: readonly PlannedVerb[] = ['deploy', 'reconfigure', 'reconcile'];

/** Shows what a verb would do and touches nothing: exit 0 nothing, 2 something. With `--out` the plan is saved too. */
export async function run({ args, options: raw, output }: Invocation): Promise<ExitCode> {
  const verb = plannedVerb(args[0] ?? '', 'plan');
  if (raw.prune === true && !pruningVerbs.includes(verb)) {
    const hint = `verbs that prune: ${pruningVerbs.join(', ')}`;
    throw new DeployError([error('usage', `plan: ${verb} takes no --prune`, { hint })], exitCode.badInput);
  }
  const sink = typeof raw.out === 'string' ? await sinkFor(raw.out, raw, output) : undefined;
  const given = { ...raw, ...sink?.options };
  const options = { ...changeOptions(given), ...verbOptions(given) };
  const survey = await surveyFor(verb, options, output);
  try {
    const plan = await planOf(verb, survey, options, output);
    const save = sink?.prepare(plan, survey);
    showPlan(plan, output, options.diff);
    await save?.();
    return plan.steps.length > 0 ? exitCode.changesPending : exitCode.ok;
  } finally {
    await closeAll(survey.nodes);
  }
}

/** Where a plan is saved, and the options it has to be made with so that they mean the same from elsewhere. */
async function sinkFor(file: string, raw: Readonly<Record<string, unknown>>, output: Output) {
  const [{ absoluteOptions, planToSave }, { checkFolderOf, writeSavedPlan }] = await Promise.all([
    import('../saved-plan.ts'),
    import('../../edge/store/saved-plan.ts'),
  ]);
  unwrap(await checkFolderOf(file), output, exitCode.badInput);
  const options = absoluteOptions(raw);
  const prepare = (plan: Plan, survey: Survey) => {
    const content = planToSave(plan, survey, options);
    return async (): Promise<void> => {
      unwrap(await writeSavedPlan(file, content), output, exitCode.badInput);
      output.note(`saved to ${file}: deploy apply ${file} carries it out`);
    };
  };
  return { options, prepare };
}
