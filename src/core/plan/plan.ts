import type { DesiredContainer, DesiredService } from '../desired/model.ts';
import { error, type Result, resultOf } from '../model/diagnostic.ts';
import { formOf } from '../model/generation.ts';
import { imageName, label, nameless } from '../model/node.ts';
import type { Phase } from '../schema/service.ts';
import { type ContainerChange, planCauses } from './causes.ts';
import { checkClusterSecrets } from './cluster-secret.ts';
import { compareFiles, judgeContainer, madeByHand } from './compare.ts';
import { type Context, imageFor, keptFragments, nodeOf, type PlanInput, pullFor, wantedImage } from './context.ts';
import type { Balancers } from './drain.ts';
import { findDrift } from './drift.ts';
import { fileDiffs, makeComparer } from './file-diff.ts';
import { planFragments } from './fragments.ts';
import { galeraInput, isGaleraBootstrap, planGalera } from './galera.ts';
import { leavingMembers, leavingProblems } from './galera-leave.ts';
import { galeraMember, isPending, upgradeMember } from './galera-members.ts';
import { passGates } from './gates.ts';
import { isUnconfirmed } from './generations.ts';
import { withHooks } from './hooks.ts';
import { findLeftovers, type LeftoverInput, leftoverNotices } from './leftovers.ts';
import { checkLimit, checkUnfinished, leftOutHomes } from './limits.ts';
import { noReturn } from './no-return.ts';
import { planOneShot } from './one-shot.ts';
import { isDeployed, verbPolicy } from './policy.ts';
import { planPrune } from './prune.ts';
import { rabbitmq } from './rabbitmq.ts';
import { agreeOnReasons, explainerFor } from './reasons.ts';
import { planRegistration } from './registration.ts';
import { planReload } from './reload.ts';
import { type Change, type Early, isServing, removeOld } from './replace.ts';
import { requiredServices } from './required.ts';
import { confirm, rolling, type Strategy, together } from './rollout.ts';
import { settle } from './settled.ts';
import { type Plan, PlanBuilder, type Step, type StepId, type WayBack } from './steps.ts';
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

function planService(context: Context, service: DesiredService, needs: readonly StepId[]): readonly StepId[] {
  const planned = context.plan.steps.length;
  const changes = new Map<string, Change[]>();
  for (const container of service.containers) {
    const change = changeOf(context, container);
    if (change) changes.set(container.name, [...(changes.get(container.name) ?? []), change]);
    if (change && change.verdict.kind !== 'same') context.changed.push(change);
  }
  for (const [name, ofContainer] of changes) changes.set(name, agreeOnReasons(ofContainer));
  context.diagnostics.push(...checkLimit(service, changes, context.observed, context.unreachable));
  context.diagnostics.push(...checkClusterSecrets(context, service, changes));
  if (verbPolicy[context.verb].images === 'keep') context.diagnostics.push(...checkUnfinished(service, changes));
  // Images are everywhere before the first change: a registry that fails then harms nobody.
  const pulled = [...changes.values()].flat().flatMap((change) => (change.pull ? [change.pull] : []));
  let before: readonly StepId[] = [...needs, ...pulled];
  let early: Early | undefined;
  for (const phase of phasesOf(service)) {
    const { steps, waysBack } = context.plan;
    const known = { steps: steps.length, ways: waysBack.length };
    const done = planPhase(context, service, phase, changes, before, early);
    if (done.length === 0) continue;
    early = earlyAfter(service, before, done, steps.slice(known.steps), waysBack.slice(known.ways));
    before = done;
  }
  const own = context.plan.steps.slice(planned).filter((step) => step.service === service.name);
  const records = own.filter(({ kind }) => kind === 'record');
  const changed = records.length > 0 || own.some(({ kind }) => kind === 'start' || kind === 'reload');
  if (!changed || service.gates.length === 0) return before;
  const why = `must pass before ${service.name} counts as done`;
  const passed = passGates(context.plan, service.name, service.gates, before, why);
  // A run that dies before its gates have passed leaves the new form unnoted: the next one asks them again.
  for (const { id } of records) context.plan.delay(id, passed);
  return passed;
}

/** What follows a phase may begin with it if that is of one piece, all of which can go back. */
function earlyAfter(
  service: DesiredService,
  needs: readonly StepId[],
  done: readonly StepId[],
  steps: readonly Step[],
  ways: readonly WayBack[],
): Early | undefined {
  const [way] = ways;
  if (way === undefined || ways.length > 1 || way.impossible !== undefined) return undefined;
  const container = service.containers.find(({ name }) => name === way.container);
  if (container?.rollout.strategy !== 'together') return undefined;
  const stopped = steps.filter(({ kind }) => kind === 'stop').map(({ id }) => id);
  return { needs, stopped, done, follows: way.rollout, beside: way.container };
}

function phasesOf(service: DesiredService): readonly Phase[] {
  if (service.phases.length > 0) return service.phases;
  return [
    'databases',
    'identity',
    ...[...service.oneShots.keys()].map((run) => ({ run })),
    ...[...service.groupHosts.keys()].map((name) => ({ replace: [name] })),
  ];
}

function planPhase(
  context: Context,
  service: DesiredService,
  phase: Phase,
  changes: ReadonlyMap<string, Change[]>,
  needs: readonly StepId[],
  early: Early | undefined,
): StepId[] {
  if (typeof phase === 'string') return planRegistration(context.plan, service, phase, context.observed, needs);
  if ('run' in phase) {
    const oneShot = service.oneShots.get(phase.run);
    // The Galera strategy runs its own bootstrap at the right moment.
    return oneShot && !isGaleraBootstrap(service, oneShot) ? planOneShot(context, service, oneShot, needs) : [];
  }
  const ahead = phase.begin_early ? early : undefined;
  return phase.replace.flatMap((name) => planContainer(context, service, name, changes.get(name) ?? [], needs, ahead));
}

function planContainer(
  context: Context,
  service: DesiredService,
  name: string,
  all: readonly Change[],
  needs: readonly StepId[],
  early: Early | undefined,
): StepId[] {
  const done: StepId[] = [];
  const { plan } = context;
  const balancers = balancersOf(context, service);
  const rollout = all.filter(({ verdict }) => verdict.kind !== 'same' && verdict.kind !== 'reload');
  const unconfirmed = all.filter(isUnconfirmed);
  const settled = all.filter((change) => change.verdict.kind === 'same' && !unconfirmed.includes(change));
  for (const change of settled) settle(plan, change, balancers, needs);
  const groupHosts = service.groupHosts.get(name) ?? [];
  const cluster = galeraInput(service, { site: context.desired.site, groupHosts, balancers });
  const upgraded = settled.filter(isPending).flatMap((change) => upgradeMember(plan, cluster, change, needs));
  done.push(...upgraded);
  for (const change of all) {
    if (change.verdict.kind !== 'reload') continue;
    done.push(...planReload(context.plan, change, needs));
    removeOld(plan, change, needs);
  }
  const [first] = [...rollout, ...unconfirmed];
  if (first === undefined) return done;
  const wish = service.sharedKeys?.container === name ? service.sharedKeys : undefined;
  const running = all.filter(isServing).map(({ container }) => container.host);
  const { strategy } = first.container.rollout;
  const input = {
    site: context.desired.site,
    changes: rollout,
    unconfirmed,
    settled,
    groupHosts,
    needs: [...needs, ...upgraded],
    gates: service.gates,
    balancers,
    whole: service.whole,
    limits: context.limits ?? {},
    missing: groupHosts.filter((host) => context.unreachable?.includes(host)).length,
    noReturn: noReturn(context, service, phasesOf(service), first),
    keys: wish ? { wish, running } : undefined,
    early,
  };
  if (strategy === 'together') return [...done, ...together(plan, input)];
  // What an interrupted run began is known to serve before another replica is touched.
  const isMember = strategy === 'galera';
  const memberOf = isMember ? (change: Change) => galeraMember(plan, cluster, change, groupHosts.length) : undefined;
  const confirmed = unconfirmed.map((change) => confirm(plan, { ...input, memberOf }, change));
  done.push(...confirmed.flatMap(({ all }) => all));
  if (rollout.length === 0) return done;
  const serving = confirmed.map((one) => one.serving);
  const next = {
    ...input,
    needs: [...input.needs, ...serving],
    early: early && { ...early, needs: [...early.needs, ...serving] },
  };
  if (isMember) return [...done, ...planGalera(context, service, next)];
  return [...done, ...strategies[strategy === 'rabbitmq' ? strategy : 'rolling'](plan, next)];
}

/** Only a load balancer that runs can be told anything: now, or because the service waits for it in this plan. */
function balancersOf({ desired, observed }: Context, service: DesiredService): Balancers {
  return desired.balancers.filter(({ host, container }) => {
    const awaited = desired.services.some(
      (other) =>
        service.requires.includes(other.name) && other.containers.some((c) => c.name === container && c.host === host),
    );
    return awaited || observed.get(host)?.containers.some((c) => c.name === container && c.state === 'running');
  });
}

const strategies: Readonly<Record<'rolling' | 'rabbitmq', Strategy>> = { rolling, rabbitmq };

function changeOf(context: Context, container: DesiredContainer): Change | undefined {
  const node = nodeOf(context, container.host);
  if (node === undefined) return undefined;
  const image = imageFor(context, container);
  const files = compareFiles(container.directory, container.files, node.files, keptFragments(context, container));
  const foreign = node.containers.find(
    (c) => c.name === container.name && c.labels[label.site] !== context.desired.site,
  );
  const owner = foreign?.labels[label.site];
  // Where one of ours stood before, what stands there now was put in its place.
  if (foreign !== undefined && (owner !== undefined || madeByHand(foreign, node) === undefined)) {
    context.diagnostics.push(
      error(
        'foreign-container',
        `container ${container.name} was not created by this site${owner ? ` but by ${owner}` : ''}`,
        {
          host: container.host,
          hint: 'nothing is changed that is not ours: remove or rename that container, then run this again',
        },
      ),
    );
    return undefined;
  }
  const explain = explainerFor(container, node, files, context.details, context.comparer);
  const verdict = judgeContainer(container, image, files, node, explain);
  const creates = verdict.kind === 'missing' || verdict.kind === 'replace';
  // An image that a container here was made from is here, and under its name as long as the engine tells the name.
  const made = node.containers.filter((c) => c.labels[label.imageDigest] === image.digest);
  const retagged = made.some((c) => c.name === container.name && nameless(c));
  const present = made.some((c) => c.image === imageName(image));
  const pull = retagged || (creates && !present) ? pullFor(context, container, image, retagged) : undefined;
  return { container, image, files, verdict, node, pull };
}
