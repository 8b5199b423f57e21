import type { Desired } from '../desired/model.ts';
import type { Marker } from '../model/marker.ts';
import type { HostName } from '../model/node.ts';
import { base, type Change, isServing } from './replace.ts';
import type { PlanBuilder, StepId, StepOf } from './steps.ts';

export type Balancers = Desired['balancers'];

function drainMarker(change: Change): Marker {
  return { key: `drained.${change.container.name}`, value: 'yes' };
}

const untoldPrefix = 'untold ';

/** Value of a drain's marker once all load balancers but these know that the replica serves again. */
export function untoldValue(hosts: readonly HostName[]): string {
  return `${untoldPrefix}${hosts.join(',')}`;
}

function untoldHosts(value: string): string[] {
  return value.startsWith(untoldPrefix) ? value.slice(untoldPrefix.length).split(',') : [];
}

function undrainStep(
  plan: PlanBuilder,
  change: Change,
  balancers: Balancers,
  needs: readonly StepId[],
  reason: string,
): StepId[] {
  const { name: container, servers } = change.container;
  if (servers.length === 0 || balancers.length === 0) return [];
  const marker = drainMarker(change);
  return [plan.add(base(change, needs, reason), { kind: 'undrain', container, servers, balancers, marker }, container)];
}

/** Whether requests can be kept from it while it is replaced. */
export function isDrainable(change: Change, balancers: Balancers): boolean {
  const replaced = isServing(change) && change.verdict.kind !== 'start';
  return replaced && change.container.servers.length > 0 && balancers.length > 0;
}

/** Takes a serving replica out of every load balancer before it is stopped, once `keep` others serve. */
export function drain(
  plan: PlanBuilder,
  change: Change,
  balancers: Balancers,
  needs: readonly StepId[],
  keep: number,
  sessions?: StepOf<'drain'>['sessions'],
): StepId[] {
  const { name: container, servers, rollout } = change.container;
  if (!isDrainable(change, balancers)) return [];
  const marker = drainMarker(change);
  const patienceSeconds = rollout.drain_time;
  return [
    plan.add(
      base(change, needs, 'lets its sessions end before it stops'),
      { kind: 'drain', container, servers, balancers, marker, patienceSeconds, keep, ...(sessions && { sessions }) },
      container,
    ),
  ];
}

/**
 * Puts it back after its own drain. A replica that did not serve before is announced too: load balancers would need
 * several checks to find out what has just been seen.
 */
export function undrain(plan: PlanBuilder, change: Change, balancers: Balancers, needs: readonly StepId[]): StepId[] {
  const reason = isServing(change) ? 'serves again' : 'serves from now on';
  return undrainStep(plan, change, balancers, needs, reason);
}

/** An interrupted run drained it and did not come to put it back. */
export function isLeftDrained(change: Change): boolean {
  return change.node.markers[drainMarker(change).key] !== undefined;
}

/** A replica that is as wanted but was left drained. */
export function undrainLeft(
  plan: PlanBuilder,
  change: Change,
  balancers: Balancers,
  needs: readonly StepId[],
): StepId[] {
  const left = change.node.markers[drainMarker(change).key];
  const untold = left === undefined ? [] : untoldHosts(left);
  // Of those that could not be told then, none is here now.
  if (left === undefined || (untold.length > 0 && !balancers.some(({ host }) => untold.includes(host)))) return [];
  return undrainStep(plan, change, balancers, needs, 'left drained by an interrupted run');
}
