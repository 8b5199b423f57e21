import { type ExitCode, exitCode } from '../../core/model/diagnostic.ts';
import { carryOut, confirmed, describeLeft, showPlan } from '../carry-out.ts';
import { changeOptions, type Invocation } from '../invocation.ts';
import { closeAll, observeAll } from '../nodes.ts';
import { createOutput } from '../output.ts';
import { requireTags, rollbackPlan, surveyBefore } from '../rollback.ts';
import { takeSurvey, wantedLook } from '../survey.ts';

/** Back to image, settings and files of before: plan → show → confirm → carry out → look again. */
export async function run(invocation: Invocation): Promise<ExitCode> {
  const options = changeOptions(invocation.options);
  requireTags(options);
  const output = createOutput(options.json);
  const taken = await takeSurvey(options, output, wantedLook('rollback'));
  try {
    const { survey, notices } = await surveyBefore(taken, output);
    const plan = rollbackPlan(survey, notices, output);
    showPlan(plan, output);
    if (plan.steps.length === 0) return exitCode.ok;
    if (!(await confirmed(options, 'Carry this out?'))) return exitCode.ok;
    const code = await carryOut(plan, survey, options, output);
    if (code !== exitCode.ok) return code;
    const observed = await observeAll(survey.nodes, wantedLook('rollback'));
    const rest = rollbackPlan({ ...survey, observed }, [], output);
    if (rest.steps.length > 0) throw describeLeft(rest);
    return exitCode.ok;
  } finally {
    await closeAll(taken.nodes);
  }
}
