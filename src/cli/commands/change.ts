import type { ExitCode } from '../../core/model/diagnostic.ts';
import { carryThrough } from '../carry-through.ts';
import { changeOptions, type Invocation, verbOptions } from '../invocation.ts';
import { holderOf, newRunId } from '../lock.ts';
import { closeAll } from '../nodes.ts';
import { plannedVerb, planOf, surveyFor } from '../verbs.ts';

/** Every verb that changes nodes: plan → show → confirm → carry out → look again. */
export async function run({ name, options: raw, output, argv }: Invocation): Promise<ExitCode> {
  const verb = plannedVerb(name, 'deploy');
  const options = { ...changeOptions(raw), ...verbOptions(raw), argv };
  const survey = await surveyFor(verb, options, output, holderOf(newRunId(), name, argv));
  try {
    const plan = await planOf(verb, survey, options, output);
    return await carryThrough(verb, plan, survey, options, output);
  } finally {
    await closeAll(survey.nodes);
  }
}
