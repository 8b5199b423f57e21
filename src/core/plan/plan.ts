import type { DesiredContainer, DesiredOneShot, DesiredService } from '../desired/model.ts';
import { type Diagnostic, error, type Result, resultOf } from '../model/diagnostic.ts';
import { type HostName, label } from '../model/node.ts';
import type { Phase } from '../schema/service.ts';
import { compareFiles, judgeContainer } from './compare.ts';
import { type Context, imageFor, keptFragments, nodeOf, type PlanInput, pullFor, wantedImage } from './context.ts';
import { planFragments } from './fragments.ts';
import { configSeen, filesRecorded, isRecorded, isUnconfirmed, record } from './generations.ts';
import { checkLimit, leftOutHomes } from './limits.ts';
import { noReturn } from './no-return.ts';
import { planOneShot } from './one-shot.ts';
import { isDeployed, verbPolicy } from './policy.ts';
import { planRegistration } from './registration.ts';
import { awaitHealthy, type Balancers, type Change, removeOld, seen, undrainLeft, writeFiles } from './replace.ts';
import { requiredServices } from './required.ts';
import {
  confirm,
  galera,
  galeraFormedMarker,
  galeraNewCluster,
  rabbitmq,
  rolling,
  type Strategy,
  together,
} from './rollout.ts';
import { type Plan, PlanBuilder, type StepId } from './steps.ts';
import { ownVolumes } from './teardown.ts';
import { wayBackOfReload } from './ways-back.ts';

/**
 * Desired state against observed state: the steps that lead from one to the other, in an order that keeps what
 * serves serving. Pure: the same input gives the same plan. Errors say why nothing may be done at all.
 */
export function makePlan(input: PlanInput): Result<Plan> {
  const context: Context = { ...input, plan: new PlanBuilder(), diagnostics: [], pulls: new Map() };
  if (input.verb === 'pull') {
    for (const service of input.desired.services)
      for (const c of service.containers) pullFor(context, c, wantedImage(context, c));
  } else {
    context.diagnostics.push(...requiredServices(input.desired, input.observed));
    planServices(context);
  }
  const { plan } = context;
  const { steps, notices, waysBack } = plan;
  const result: Plan = { verb: input.verb, site: input.desired.site, steps, notices, waysBack };
  return resultOf(result, context.diagnostics);
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
  const changes = new Map<string, Change[]>();
  for (const container of service.containers) {
    const change = changeOf(context, container);
    if (change) changes.set(container.name, [...(changes.get(container.name) ?? []), change]);
  }
  context.diagnostics.push(...checkLimit(service, changes, context.observed));
  // Images are everywhere before the first change: a registry that fails then harms nobody.
  const pulled = [...changes.values()].flat().flatMap((change) => (change.pull ? [change.pull] : []));
  let before: readonly StepId[] = [...needs, ...pulled];
  for (const phase of phasesOf(service)) {
    const done = planPhase(context, service, phase, changes, before);
    if (done.length > 0) before = done;
  }
  return before;
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
  const { plan } = context;
  const balancers = balancersOf(context, service);
  const rollout = all.filter(({ verdict }) => verdict.kind !== 'same' && verdict.kind !== 'reload');
  const unconfirmed = all.filter(isUnconfirmed);
  const settled = all.filter((change) => change.verdict.kind === 'same' && !unconfirmed.includes(change));
  for (const change of settled) settle(plan, change, balancers, needs);
  for (const change of all) {
    if (change.verdict.kind !== 'reload') continue;
    done.push(...reload(context, change, needs));
    removeOld(plan, change, needs);
  }
  const [first] = [...rollout, ...unconfirmed];
  if (first === undefined) return done;
  const wish = service.sharedKeys?.container === name ? service.sharedKeys : undefined;
  const running = service.containers
    .filter(
      (c) =>
        c.name === name && nodeOf(context, c.host)?.containers.some((o) => o.name === name && o.state === 'running'),
    )
    .map((c) => c.host);
  const groupHosts = service.groupHosts.get(name) ?? [];
  const { strategy } = first.container.rollout;
  const input = {
    site: context.desired.site,
    changes: rollout,
    unconfirmed,
    settled,
    groupHosts,
    needs,
    balancers,
    whole: service.whole,
    noReturn: noReturn(context, service, phasesOf(service), first),
    keys: wish ? { wish, running } : undefined,
  };
  if (strategy === 'together') return [...done, ...together(plan, input)];
  // What an interrupted run began is known to serve before another replica is touched.
  const confirmed = unconfirmed.flatMap((change) => confirm(plan, input, change));
  done.push(...confirmed);
  if (rollout.length === 0) return done;
  const next = { ...input, needs: [...needs, ...confirmed] };
  if (strategy === 'galera') return [...done, ...planGalera(context, service, next)];
  return [...done, ...strategies[strategy](plan, next)];
}

/** A replica that is as wanted may still lack a file, its place in the load balancers or its record. */
function settle(plan: PlanBuilder, change: Change, balancers: Balancers, needs: readonly StepId[]): void {
  const written = writeFiles(plan, change, needs, 'changed on the node');
  removeOld(plan, change, needs);
  undrainLeft(plan, change, balancers, needs);
  if (isRecorded(change)) return;
  const health = seen(change)?.health;
  const sound = health === 'healthy' || health === 'none';
  const ready = sound ? written : [awaitHealthy(plan, change, [...needs, ...written])];
  record(plan, change, ready, 'not noted yet');
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

function reload(context: Context, change: Change, needs: readonly StepId[]): StepId[] {
  const { container, files } = change;
  const reason = 'reason' in change.verdict ? change.verdict.reason : '';
  const written = writeFiles(context.plan, change, needs, reason);
  const { service, host, name, directory } = container;
  const action = {
    kind: 'reload',
    container: name,
    exec: container.reload?.exec ?? [],
    signal: container.reload?.signal,
  } as const;
  const reloaded = context.plan.add(
    { service, host, needs: [...needs, ...written], reason, impact: 'none' },
    { ...action, configHash: files.configHash },
    name,
  );
  record(context.plan, change, [reloaded], 'it serves');
  const running = seen(change);
  const before = running && configSeen(change, running);
  if (running !== undefined && before !== undefined && filesRecorded(change, running)) {
    wayBackOfReload(
      context.plan,
      { service, host, directory, triggers: [reloaded] },
      { ...action, configHash: before },
    );
  }
  return [reloaded];
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
  if (foreign !== undefined) {
    const owner = foreign.labels[label.site];
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
  const verdict = judgeContainer(container, image, files, node);
  const creates = verdict.kind === 'missing' || verdict.kind === 'replace';
  // An image that a container here was made from is here.
  const present = node.containers.some((c) => c.labels[label.imageDigest] === image.digest);
  const pull = creates && !present ? pullFor(context, container, image) : undefined;
  return { container, image, files, verdict, node, pull };
}
