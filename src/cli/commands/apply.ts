import { type ExitCode, exitCode } from '../../core/model/diagnostic.ts';
import { readSavedPlan } from '../../edge/store/saved-plan.ts';
import { carryThrough } from '../carry-through.ts';
import { changeOptions, type Invocation, verbOptions } from '../invocation.ts';
import { holderOf, newRunId } from '../lock.ts';
import { closeAll } from '../nodes.ts';
import { samePlan } from '../saved-plan.ts';
import { unwrap } from '../site.ts';
import { plannedVerb, surveyFor } from '../verbs.ts';

/** Carries out the plan of a file, if it is still the plan: load → look → compare → confirm → carry out → look again. */
export async function run({ args, options: raw, output, argv }: Invocation): Promise<ExitCode> {
  const [file = ''] = args;
  const saved = unwrap(await readSavedPlan(file), output, exitCode.badInput);
  const verb = plannedVerb(saved.verb, `apply ${file}`);
  // What the call says wins: no file can answer for the operator.
  const whole = { ...saved.options, ...raw };
  // Hosts are left out of a plan when it is made; which ones is a part of it.
  const skipUnreachable = whole.skipUnreachable === true || undefined;
  const options = { ...changeOptions(whole), ...verbOptions(whole), skipUnreachable, argv };
  const survey = await surveyFor(verb, options, output, holderOf(newRunId(), verb, argv));
  try {
    const plan = await samePlan(saved, file, verb, survey, options, output);
    return await carryThrough(verb, plan, survey, options, output);
  } finally {
    await closeAll(survey.nodes);
  }
}
