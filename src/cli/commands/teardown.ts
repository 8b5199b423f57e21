import { closure } from '../../core/graph/dag.ts';
import { type ExitCode, exitCode } from '../../core/model/diagnostic.ts';
import { withHooks } from '../../core/plan/hooks.ts';
import type { Plan } from '../../core/plan/steps.ts';
import { planDestroy, planStop } from '../../core/plan/teardown.ts';
import { carryOut, confirmed, showPlan } from '../carry-out.ts';
import { changeOptions, type Invocation } from '../invocation.ts';
import { closeAll } from '../nodes.ts';
import { createOutput } from '../output.ts';
import { type Survey, takeSurvey } from '../survey.ts';

/** stop and destroy. */
export async function run(invocation: Invocation): Promise<ExitCode> {
  const options = changeOptions(invocation.options);
  const output = createOutput(options.json);
  const survey = await takeSurvey(options, output);
  try {
    const verb = invocation.name === 'stop' ? 'stop' : 'destroy';
    const plan = teardownPlan(verb, survey, invocation.options.keepVolumes === true);
    showPlan(plan, output);
    if (plan.steps.length === 0) return exitCode.ok;
    const question =
      verb === 'stop' ? 'Stop these containers?' : 'Remove all of this, data included? There is no way back.';
    if (!(await confirmed(options, question))) return exitCode.ok;
    return await carryOut(plan, survey, options, output);
  } finally {
    await closeAll(survey.nodes);
  }
}

export function teardownPlan(verb: 'stop' | 'destroy', survey: Survey, keepVolumes: boolean): Plan {
  // Here what requires others goes first, which the steps say by themselves.
  return withHooks(bareTeardown(verb, survey, keepVolumes), survey.hooks, new Map());
}

function bareTeardown(verb: 'stop' | 'destroy', survey: Survey, keepVolumes: boolean): Plan {
  if (verb === 'stop') return planStop(survey.desired, survey.observed);
  const services = [...survey.loaded.site.services.values()].map((s) => s.definition);
  const edges = new Map(services.map((s) => [s.service, s.requires]));
  const dependents = (name: string) =>
    services
      .filter((other) => closure(edges, [other.service]).has(name))
      .map((other) => ({ service: other.service, oneShots: Object.keys(other.one_shots) }));
  return planDestroy(survey.desired, survey.observed, dependents, { keepVolumes });
}
