import { type ExitCode, exitCode } from '../../core/model/diagnostic.ts';
import type { ChangeVerb } from '../../core/plan/policy.ts';
import { carryOut, confirmed, describeLeft, showPlan } from '../carry-out.ts';
import { changeOptions, type Invocation } from '../invocation.ts';
import { closeAll, observeAll } from '../nodes.ts';
import { createOutput } from '../output.ts';
import { planFor, prechecks, takeSurvey, wantedLook } from '../survey.ts';

/** pull, deploy, reconfigure, upgrade: plan → show → confirm → carry out → look again. */
export async function run(invocation: Invocation): Promise<ExitCode> {
  const verb = invocation.name as ChangeVerb;
  const options = changeOptions(invocation.options);
  const output = createOutput(options.json);
  const survey = await takeSurvey(options, output, wantedLook(verb));
  try {
    const plan = await planFor(verb, survey, output, await prechecks(verb, survey));
    showPlan(plan, output, options.diff);
    if (plan.steps.length === 0) return exitCode.ok;
    if (!(await confirmed(options, 'Carry this out?'))) return exitCode.ok;
    const code = await carryOut(plan, survey, options, output);
    if (code !== exitCode.ok) return code;
    const observed = await observeAll(survey.nodes, wantedLook(verb));
    const rest = await planFor(verb, { ...survey, observed }, output);
    if (rest.steps.length > 0) throw describeLeft(rest);
    return exitCode.ok;
  } finally {
    await closeAll(survey.nodes);
  }
}
