import type { DesiredService, SharedKeysWish } from '../desired/model.ts';
import type { Context } from './context.ts';
import type { Balancers } from './drain.ts';
import { galeraInput, planGalera } from './galera.ts';
import { type GaleraInput, galeraMember, isPending, upgradeMember } from './galera-members.ts';
import { isUnconfirmed } from './generations.ts';
import { noReturn } from './no-return.ts';
import { phasesOf } from './phases.ts';
import { rabbitmq } from './rabbitmq.ts';
import { planReload } from './reload.ts';
import { type Change, type Early, isServing, removeOld } from './replace.ts';
import { confirm, type RolloutInput, rolling, type Strategy, together } from './rollout.ts';
import { settle } from './settled.ts';
import type { SharedKeys } from './shared-keys.ts';
import type { StepId } from './steps.ts';

const strategies: Readonly<Record<'rolling' | 'rabbitmq', Strategy>> = { rolling, rabbitmq };

/** The steps of one container on all its hosts; returns those that stand for "all done". */
export function planContainer(
  context: Context,
  service: DesiredService,
  name: string,
  all: readonly Change[],
  needs: readonly StepId[],
  early: Early | undefined,
): StepId[] {
  const { plan, unreachable } = context;
  const { site } = context.desired;
  const { rollout, unconfirmed, settled, reloads } = sorted(all);
  const balancers = balancersOf(context, service);
  const groupHosts = service.groupHosts.get(name) ?? [];
  const cluster = galeraInput(service, { site, groupHosts, balancers });
  for (const change of settled) settle(plan, change, balancers, needs);
  const upgraded = settled.filter(isPending).flatMap((change) => upgradeMember(plan, cluster, change, needs));
  const done = [...upgraded, ...reloads.flatMap((change) => reload(context, change, needs))];
  const [first] = [...rollout, ...unconfirmed];
  if (first === undefined) return done;
  const input = {
    site,
    changes: rollout,
    unconfirmed,
    settled,
    groupHosts,
    needs: [...needs, ...upgraded],
    gates: service.gates,
    balancers,
    whole: service.whole,
    limits: context.limits ?? {},
    missing: groupHosts.filter((host) => unreachable?.includes(host)).length,
    noReturn: noReturn(context, service, phasesOf(service), first),
    keys: keysOf(service.sharedKeys, name, all),
    early,
  };
  return [...done, ...rollOut(context, service, first.container.rollout.strategy, input, cluster)];
}

/** The changes of one container by what is to be done about them. */
function sorted(all: readonly Change[]) {
  const unconfirmed = all.filter(isUnconfirmed);
  return {
    rollout: all.filter(({ verdict }) => verdict.kind !== 'same' && verdict.kind !== 'reload'),
    unconfirmed,
    settled: all.filter((change) => change.verdict.kind === 'same' && !unconfirmed.includes(change)),
    reloads: all.filter(({ verdict }) => verdict.kind === 'reload'),
  };
}

function reload({ plan }: Context, change: Change, needs: readonly StepId[]): StepId[] {
  const done = planReload(plan, change, needs);
  removeOld(plan, change, needs);
  return done;
}

function keysOf(wish: SharedKeysWish | undefined, name: string, all: readonly Change[]): SharedKeys | undefined {
  if (wish?.container !== name) return undefined;
  return { wish, running: all.filter(isServing).map(({ container }) => container.host) };
}

function rollOut(
  context: Context,
  service: DesiredService,
  strategy: Change['container']['rollout']['strategy'],
  input: RolloutInput,
  cluster: GaleraInput,
): StepId[] {
  const { plan } = context;
  if (strategy === 'together') return together(plan, input);
  // What an interrupted run began is known to serve before another replica is touched.
  const isMember = strategy === 'galera';
  const members = input.groupHosts.length;
  const memberOf = isMember ? (change: Change) => galeraMember(plan, cluster, change, members) : undefined;
  const confirmed = input.unconfirmed.map((change) => confirm(plan, { ...input, memberOf }, change));
  const done = confirmed.flatMap(({ all }) => all);
  if (input.changes.length === 0) return done;
  const serving = confirmed.map((one) => one.serving);
  const { early } = input;
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
