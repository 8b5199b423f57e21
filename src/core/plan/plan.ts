import type { DesiredContainer, DesiredOneShot, DesiredService } from '../desired/model.ts';
import { type Diagnostic, error, type Result, resultOf } from '../model/diagnostic.ts';
import { type HostName, imageName, label, nameless } from '../model/node.ts';
import type { Phase } from '../schema/service.ts';
import { compareFiles, judgeContainer, madeByHand } from './compare.ts';
import { type Context, imageFor, keptFragments, nodeOf, type PlanInput, pullFor, wantedImage } from './context.ts';
import { findDrift } from './drift.ts';
import { fileDiffs, makeComparer } from './file-diff.ts';
import { planFragments } from './fragments.ts';
import { passGates } from './gates.ts';
import { withHooks } from './hooks.ts';
import { findLeftovers, type LeftoverInput, leftoverNotices } from './leftovers.ts';
import { checkLimit, leftOutHomes } from './limits.ts';
import { planOneShot } from './one-shot.ts';
import { isDeployed, verbPolicy } from './policy.ts';
import { planPrune } from './prune.ts';
import { agreeOnReasons, explainerFor } from './reasons.ts';
import { planRegistration } from './registration.ts';
import { type Balancers, type Change, removeOld, rolloutOf, undrainLeft, writeFiles } from './replace.ts';
import { requiredServices } from './required.ts';
import { galera, galeraFormedMarker, galeraNewCluster, rabbitmq, rolling, type Strategy, together } from './rollout.ts';
import { type Plan, PlanBuilder, type StepId } from './steps.ts';
import { ownVolumes } from './teardown.ts';

/**
 * Desired state against observed state: the steps that lead from one to the other, in an order that keeps what
 * serves serving. Pure: the same input gives the same plan. Errors say why nothing may be done at all.
 */
export function makePlan(input: PlanInput): Result<Plan> {
  const comparer = makeComparer(input.details ?? new Map(), input.secrets ?? [], input.diff);
  const context: Context = { ...input, plan: new PlanBuilder(), diagnostics: [], pulls: new Map(), comparer };
  if (input.verb === 'pull') {
    for (const service of input.desired.services)
      for (const c of service.containers) pullFor(context, c, wantedImage(context, c));
  } else {
    context.diagnostics.push(...requiredServices(input.desired, input.observed));
    planServices(context);
  }
  const { plan } = context;
  if (input.verb !== 'pull' && input.leftovers) planLeftovers(context, input.leftovers);
  const drift = findDrift(input.desired, input.observed, input.digests);
  const { steps, notices } = plan;
  const diffs = fileDiffs(steps, input.observed, comparer);
  const result: Plan = { verb: input.verb, site: input.desired.site, steps, notices, drift, diffs };
  const requires = new Map(input.desired.services.map((service) => [service.name, service.requires]));
  return resultOf(withHooks(result, input.hooks ?? new Map(), requires), context.diagnostics);
}

function planLeftovers({ plan, desired, observed }: Context, input: LeftoverInput): void {
  plan.notices.push(...leftoverNotices(findLeftovers(desired, input), input.prune));
  if (input.prune) planPrune(plan, desired, observed, input);
}

function planServices(context: Context): void {
  const { desired, observed, plan, verb } = context;
  plan.notices.push(...leftOutHomes(desired, observed));
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
  }
  for (const [name, ofContainer] of changes) changes.set(name, agreeOnReasons(ofContainer));
  context.diagnostics.push(...checkLimit(service, changes, context.observed));
  // Images are everywhere before the first change: a registry that fails then harms nobody.
  const pulled = [...changes.values()].flat().flatMap((change) => (change.pull ? [change.pull] : []));
  let before: readonly StepId[] = [...needs, ...pulled];
  for (const phase of phasesOf(service)) {
    const done = planPhase(context, service, phase, changes, before);
    if (done.length > 0) before = done;
  }
  const changed = context.plan.steps.slice(planned).some(({ kind }) => kind === 'start' || kind === 'reload');
  if (!changed) return before;
  return passGates(
    context.plan,
    service.name,
    service.gates,
    before,
    `must pass before ${service.name} counts as done`,
  );
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
): StepId[] {
  if (typeof phase === 'string') return planRegistration(context.plan, service, phase, context.observed, needs);
  if ('run' in phase) {
    const oneShot = service.oneShots.get(phase.run);
    // The Galera strategy runs its own bootstrap at the right moment.
    return oneShot && !isGaleraBootstrap(service, oneShot) ? planOneShot(context, service, oneShot, needs) : [];
  }
  return phase.replace.flatMap((name) => planContainer(context, service, name, changes.get(name) ?? [], needs));
}

function planContainer(
  context: Context,
  service: DesiredService,
  name: string,
  all: readonly Change[],
  needs: readonly StepId[],
): StepId[] {
  const done: StepId[] = [];
  const rollout: Change[] = [];
  for (const change of all) {
    if (change.verdict.kind === 'same') {
      writeFiles(context.plan, change, needs, 'changed on the node');
      removeOld(context.plan, change, needs);
      undrainLeft(context.plan, change, balancersOf(context, service), needs);
    } else if (change.verdict.kind === 'reload') {
      done.push(...reload(context, change, needs));
      removeOld(context.plan, change, needs);
    } else rollout.push(change);
  }
  const [first] = rollout;
  if (first === undefined) return done;
  const wish = service.sharedKeys?.container === name ? service.sharedKeys : undefined;
  const running = service.containers
    .filter(
      (c) =>
        c.name === name && nodeOf(context, c.host)?.containers.some((o) => o.name === name && o.state === 'running'),
    )
    .map((c) => c.host);
  const input = {
    site: context.desired.site,
    changes: rollout,
    groupHosts: service.groupHosts.get(name) ?? [],
    needs,
    gates: service.gates,
    balancers: balancersOf(context, service),
    whole: service.whole,
    limits: context.limits ?? {},
    keys: wish ? { wish, running } : undefined,
  };
  if (first.container.rollout.strategy === 'galera') return [...done, ...planGalera(context, service, input)];
  return [...done, ...strategies[first.container.rollout.strategy](context.plan, input)];
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

const strategies: Readonly<Record<'rolling' | 'together' | 'rabbitmq', Strategy>> = { rolling, together, rabbitmq };

function reload(context: Context, change: Change, needs: readonly StepId[]): StepId[] {
  const { container, files } = change;
  const reason = 'reason' in change.verdict ? change.verdict.reason : '';
  const written = writeFiles(context.plan, change, needs, reason);
  return [
    context.plan.add(
      {
        service: container.service,
        host: container.host,
        rollout: rolloutOf(container),
        needs: [...needs, ...written],
        reason,
        impact: 'none',
      },
      {
        kind: 'reload',
        container: container.name,
        exec: container.reload?.exec ?? [],
        signal: container.reload?.signal,
        configHash: files.configHash,
      },
      container.name,
    ),
  ];
}

function planGalera(context: Context, service: DesiredService, input: Parameters<Strategy>[1]): StepId[] {
  const { plan, observed } = context;
  const group = service.containers.filter((c) => input.changes.some((change) => change.container.name === c.name));
  const nodes = input.groupHosts.map((host) => nodeOf(context, host));
  const running = group.some((c) =>
    nodeOf(context, c.host)?.containers.some((o) => o.name === c.name && o.state === 'running'),
  );
  if (running) return galera(plan, input);
  const name = input.changes[0]?.container.name ?? '';
  const volumes = new Set(group.flatMap(ownVolumes));
  const missing = input.groupHosts.filter((host) => !observed.has(host));
  const holders = input.groupHosts.filter((host) => nodeOf(context, host)?.volumes.some((v) => volumes.has(v)));
  const formed = nodes.some((node) => node?.markers[galeraFormedMarker.key] !== undefined);
  const oneShot = [...service.oneShots.values()].find((candidate) => isGaleraBootstrap(service, candidate));
  if (missing.length > 0) {
    context.diagnostics.push(
      error('galera-incomplete', `no ${name} runs, and ${missing.join(', ')} of its group were not looked at`, {
        hint: 'a new Galera cluster is formed only when every member has been seen: run without --limit',
      }),
    );
    return [];
  }
  // One that was created but never ran, by a run that was interrupted there, has no data.
  const started = input.groupHosts.filter((host) =>
    nodeOf(context, host)?.containers.some((c) => c.name === name && c.state !== 'created'),
  );
  // A cluster of one: nobody else can have committed anything later.
  if (input.groupHosts.length === 1 && (formed || started.length > 0)) return galera(plan, input);
  if (formed || holders.some((host) => host !== input.groupHosts[0]) || started.length > 0 || oneShot === undefined) {
    context.diagnostics.push(galeraStopped(name, holders.length > 0 ? holders : started));
    return [];
  }
  const add = (needs: readonly StepId[]) => planOneShot(context, service, oneShot, needs);
  return galeraNewCluster(plan, input, { add, oneShot });
}

function galeraStopped(name: string, holders: readonly HostName[]): Diagnostic {
  return error('galera-stopped', `${name} runs nowhere, but there is data of a cluster on ${holders.join(', ')}`, {
    hint: 'nothing is done here, so that no committed transaction is lost: start the member that stopped last by hand, then run this again',
  });
}

function isGaleraBootstrap(service: DesiredService, oneShot: DesiredOneShot): boolean {
  return service.containers.some((c) => c.name === oneShot.container && c.rollout.strategy === 'galera');
}

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
