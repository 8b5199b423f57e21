import type { ImageRef } from '../core/desired/model.ts';
import { closure } from '../core/graph/dag.ts';
import { DeployError, error, exitCode } from '../core/model/diagnostic.ts';
import type { LockHolder } from '../core/model/lock.ts';
import { didYouMean } from '../core/model/suggest.ts';
import { withHooks } from '../core/plan/hooks.ts';
import { type ChangeVerb, imagesToResolve, verbPolicy } from '../core/plan/policy.ts';
import type { Plan } from '../core/plan/steps.ts';
import { planDestroy, planStop } from '../core/plan/teardown.ts';
import { checkMembers } from '../core/plan/unreachable.ts';
import { closeAll } from './nodes.ts';
import type { SelectionOptions } from './options.ts';
import type { Output } from './output.ts';
import { requireTags, surveyBefore } from './rollback.ts';
import { planFor, prechecks, type Survey, takeSurvey, wantedLook } from './survey.ts';

/** Every verb that can be planned, and so shown, saved and applied. */
export const plannedVerbs = [
  'pull',
  'deploy',
  'reconfigure',
  'upgrade',
  'reconcile',
  'rollback',
  'stop',
  'destroy',
] as const;

export type PlannedVerb = (typeof plannedVerbs)[number];

export interface VerbOptions {
  /** Only `destroy` asks. */
  readonly keepVolumes: boolean;
}

/** `command` is what the operator called; it stands in the message about a verb that cannot be planned. */
export function plannedVerb(name: string, command: string): PlannedVerb {
  const verb = plannedVerbs.find((candidate) => candidate === name);
  if (verb !== undefined) return verb;
  const hint = didYouMean(name, plannedVerbs) ?? `verbs that can be planned: ${plannedVerbs.join(', ')}`;
  throw new DeployError([error('unknown-verb', `${command}: there is no verb ${name}`, { hint })], exitCode.badInput);
}

function isChange(verb: PlannedVerb): verb is ChangeVerb {
  return Object.hasOwn(verbPolicy, verb);
}

/**
 * Everything a verb's plan is made from; of a rollback that is what the nodes have recorded. With `holder` the nodes are
 * locked for it. The caller closes, which frees them.
 */
export async function surveyFor(
  verb: PlannedVerb,
  options: SelectionOptions,
  output: Output,
  holder?: LockHolder,
): Promise<Survey> {
  if (verb !== 'rollback') return takeSurvey(options, output, lookFor(verb), true, holder);
  requireTags(options);
  const survey = await takeSurvey(options, output, lookFor(verb), true, holder);
  try {
    return await surveyBefore(survey, output);
  } catch (cause) {
    await closeAll(survey.nodes);
    throw cause;
  }
}

/** What a verb wants to see of a node beyond containers and files. */
export function lookFor(verb: PlannedVerb): { images?: boolean; listening?: boolean } {
  return isChange(verb) ? wantedLook(verb) : {};
}

/** Images whose digests must be known before the verb can be planned. */
export function imagesWanted(verb: PlannedVerb, { desired, observed }: Survey): readonly ImageRef[] {
  return isChange(verb) ? imagesToResolve(verb, desired, observed) : [];
}

/** The plan of any verb before anything was done: what prechecks object to is part of the answer. */
export async function planOf(verb: PlannedVerb, survey: Survey, options: VerbOptions, output: Output): Promise<Plan> {
  if (isChange(verb)) return planFor(verb, survey, output, await prechecks(verb, survey));
  return teardownPlan(verb, survey, options.keepVolumes);
}

/** The plan of a verb once it has been carried out. It must be empty. */
export async function planAgain(
  verb: PlannedVerb,
  survey: Survey,
  options: VerbOptions,
  output: Output,
): Promise<Plan> {
  return isChange(verb) ? planFor(verb, survey, output) : teardownPlan(verb, survey, options.keepVolumes);
}

/** Throws DeployError (exit 4) when it would touch a member of a cluster while another one was skipped. */
export function teardownPlan(verb: 'stop' | 'destroy', survey: Survey, keepVolumes: boolean): Plan {
  const plan = bareTeardown(verb, survey, keepVolumes);
  const unreachable = survey.skipped?.map(({ host }) => host) ?? [];
  const refused = checkMembers(survey.desired, unreachable, plan.steps);
  if (refused.length > 0) throw new DeployError(refused, exitCode.nodeNotUsable);
  // Here what requires others goes first, which the steps say by themselves.
  return withHooks(plan, survey.hooks, new Map());
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
