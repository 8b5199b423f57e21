import { type Result, resultOf } from '../model/diagnostic.ts';
import { formOf } from '../model/generation.ts';
import { type ContainerChange, planCauses } from './causes.ts';
import { type Context, type PlanInput, pullFor, wantedImage } from './context.ts';
import { findDrift } from './drift.ts';
import { fileDiffs, makeComparer } from './file-diff.ts';
import { planFragments } from './fragments.ts';
import { leavingMembers, leavingProblems } from './galera-leave.ts';
import { withHooks } from './hooks.ts';
import { findLeftovers, type LeftoverInput, leftoverNotices } from './leftovers.ts';
import { leftOutHomes } from './limits.ts';
import { isDeployed, verbPolicy } from './policy.ts';
import { planPrune } from './prune.ts';
import type { Change } from './replace.ts';
import { requiredServices } from './required.ts';
import { planService } from './service.ts';
import { type Plan, PlanBuilder, type Step, type StepId } from './steps.ts';
import { checkUnreachable, unreachableNotices, withUntold } from './unreachable.ts';

/**
 * Desired state against observed state: the steps that lead from one to the other, in an order that keeps what
 * serves serving. Pure: the same input gives the same plan. Errors say why nothing may be done at all.
 */
export function makePlan(input: PlanInput): Result<Plan> {
  const comparer = makeComparer(input.details ?? new Map(), input.secrets ?? [], input.diff);
  const context: Context = {
    ...input,
    plan: new PlanBuilder(),
    diagnostics: [],
    changed: [],
    pulls: new Map(),
    comparer,
  };
  if (input.verb === 'pull') {
    for (const service of input.desired.services)
      for (const c of service.containers) pullFor(context, c, wantedImage(context, c));
  } else {
    context.diagnostics.push(...requiredServices(input.desired, input.observed));
    planServices(context);
    context.diagnostics.push(...checkUnreachable(context));
    context.plan.notices.push(...unreachableNotices(context));
  }
  const { plan } = context;
  plan.notices.unshift(...(input.notices ?? []));
  if (input.verb !== 'pull' && input.leftovers) planLeftovers(context, input.leftovers);
  const drift = findDrift(input.desired, input.observed, input.digests);
  const { notices } = plan;
  const told = (list: readonly Step[]) => withUntold(list, input.desired, input.observed);
  const steps = told(plan.steps);
  const waysBack = plan.waysBack.map((way) => ({ ...way, steps: told(way.steps) }));
  const causes = planCauses(context.changed.map((change) => causeInput(change, input)));
  const diffs = fileDiffs(steps, input.observed, comparer);
  const result: Plan = { verb: input.verb, site: input.desired.site, steps, notices, causes, drift, diffs, waysBack };
  const requires = new Map(input.desired.services.map((service) => [service.name, service.requires]));
  return resultOf(withHooks(result, input.hooks ?? new Map(), requires), context.diagnostics);
}

/** What is compared to name what was edited: sources now and when the container got its form. */
function causeInput({ container, image, files }: Change, { details, verb }: PlanInput): ContainerChange {
  const { host, name, specHash } = container;
  const recorded = details?.get(host)?.generations.get(name);
  const wanted = formOf({ specHash, configHash: files.configHash, image });
  return {
    host,
    container: name,
    recorded: recorded?.sources,
    sources: recorded ? container.sources() : new Map(),
    asMade: recorded !== undefined && formOf(recorded) === wanted,
    keepsImage: verbPolicy[verb].images === 'keep',
  };
}

function planLeftovers({ plan, desired, observed, diagnostics }: Context, input: LeftoverInput): void {
  plan.notices.push(...leftoverNotices(findLeftovers(desired, input), input.prune));
  if (!input.prune) return;
  diagnostics.push(...leavingProblems(desired, observed, leavingMembers(desired, input)));
  planPrune(plan, desired, observed, input);
}

function planServices(context: Context): void {
  const { desired, observed, plan, verb } = context;
  plan.notices.push(...leftOutHomes(desired, observed, context.unreachable));
  const fragments = planFragments(plan, desired, observed);
  const doneOf = new Map<string, readonly StepId[]>();
  for (const service of desired.services) {
    const needs = [...fragments.done, ...service.requires.flatMap((name) => doneOf.get(name) ?? [])];
    if (!verbPolicy[verb].newServices && service.containers.length > 0 && !isDeployed(service.containers, observed)) {
      plan.notices.push(`${service.name} is enabled but not deployed: deploy deploy --tags ${service.name}`);
      doneOf.set(service.name, needs);
      continue;
    }
    doneOf.set(service.name, planService(context, service, [...new Set(needs)]));
  }
}
