import { DeployError, type ExitCode, error, exitCode } from '../../core/model/diagnostic.ts';
import { didYouMean } from '../../core/model/suggest.ts';
import { type ChangeVerb, verbPolicy } from '../../core/plan/policy.ts';
import type { Plan } from '../../core/plan/steps.ts';
import { showPlan } from '../carry-out.ts';
import { changeOptions, type Invocation } from '../invocation.ts';
import { closeAll } from '../nodes.ts';
import { createOutput, type Output } from '../output.ts';
import { requireTags, rollbackPlan, surveyBefore } from '../rollback.ts';
import { planFor, prechecks, type Survey, takeSurvey, wantedLook } from '../survey.ts';
import { teardownPlan } from './teardown.ts';

const teardownVerbs = ['stop', 'destroy'] as const;

/** Shows what a verb would do and touches nothing: exit 0 nothing, 2 something. */
export async function run(invocation: Invocation): Promise<ExitCode> {
  const verb = knownVerb(invocation.args[0] ?? '');
  const options = changeOptions(invocation.options);
  if (verb === 'rollback') requireTags(options);
  const output = createOutput(options.json);
  const survey = await takeSurvey(options, output, isChange(verb) ? wantedLook(verb) : {});
  try {
    const plan = await planOf(verb, survey, invocation, output);
    showPlan(plan, output);
    return plan.steps.length > 0 ? exitCode.changesPending : exitCode.ok;
  } finally {
    await closeAll(survey.nodes);
  }
}

type Verb = ChangeVerb | (typeof teardownVerbs)[number];

function isChange(verb: Verb): verb is ChangeVerb {
  return Object.hasOwn(verbPolicy, verb);
}

async function planOf(verb: Verb, survey: Survey, invocation: Invocation, output: Output): Promise<Plan> {
  if (verb === 'rollback') {
    const before = await surveyBefore(survey, output);
    return rollbackPlan(before.survey, before.notices, output);
  }
  if (isChange(verb)) return planFor(verb, survey, output, await prechecks(verb, survey));
  return teardownPlan(verb, survey, invocation.options.keepVolumes === true);
}

function knownVerb(name: string): Verb {
  const verbs: readonly Verb[] = ['pull', 'deploy', 'reconfigure', 'upgrade', 'rollback', ...teardownVerbs];
  const verb = verbs.find((candidate) => candidate === name);
  if (verb !== undefined) return verb;
  const hint = didYouMean(name, verbs) ?? `verbs that can be planned: ${verbs.join(', ')}`;
  throw new DeployError([error('unknown-verb', `plan: there is no verb ${name}`, { hint })], exitCode.badInput);
}
