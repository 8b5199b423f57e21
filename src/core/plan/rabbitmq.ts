import type { HostName } from '../model/node.ts';
import { label } from '../model/node.ts';
import type { RabbitmqOrder } from './cluster-steps.ts';
import { base, type Change, isServing, type MemberWaits, ownVolumes, seen } from './replace.ts';
import { inBatches, oneAtATime, type RolloutInput } from './rollout.ts';
import type { PlanBuilder, StepId } from './steps.ts';

/**
 * One member at a time. Before one leaves, the cluster is whole and no queue needs it; before the next one, it is back
 * in the cluster. Around a change of the image all stable feature flags are enabled, as the next version may demand
 * those of this one and every member must know those of the new one. Members that are down and have their data come
 * back together, before anything else. A member that comes without its data takes the place of the one the cluster
 * still knows by its name.
 */
export function rabbitmq(plan: PlanBuilder, input: RolloutInput): StepId[] {
  const { changes, groupHosts } = input;
  const upgraded = changes.filter((change) => isServing(change) && changesImage(change));
  const [first] = upgraded;
  const flagged = first
    ? [checkFlags(plan, first, input.needs, 'the new version may demand those of the old one')]
    : [];
  const needs = [...input.needs, ...flagged];
  const returning = changes.filter(returns);
  const others = changes.filter((change) => !returns(change));
  let members = groupHosts.length - others.filter((change) => !isServing(change)).length;
  const memberOf = (change: Change): MemberWaits => {
    if (!isServing(change) && !returns(change)) members += 1;
    return waitsOf(plan, input, change, members);
  };
  const one = oneAtATime(input);
  const together = { ...one, batch: Math.max(1, returning.length) };
  const back = inBatches(plan, { ...input, needs, changes: returning, memberOf }, together);
  // Also when the cluster is new: the first host forms it, the others join.
  const rest = inBatches(plan, { ...input, needs: [...needs, ...back], changes: others, memberOf }, one);
  const done = [...back, ...rest];
  const last = upgraded.at(-1);
  if (last === undefined) return done;
  return [...done, checkFlags(plan, last, done, 'all members know the new ones now')];
}

function waitsOf(plan: PlanBuilder, input: RolloutInput, change: Change, members: number): MemberWaits {
  const helper = isServing(change) || returns(change) ? undefined : otherMember(input, change);
  return {
    leave: (needs) => [check(plan, change, needs, members, true)],
    enter: (needs) =>
      helper ? [forget(plan, helper, change, [othersAreWhole(plan, helper, change, needs, members - 1)])] : [],
    joined: (needs) => {
      const whole = check(plan, change, needs, members, false);
      return helper ? [whole, order(plan, change, [whole], 'grow', 'it has lost its data, or is new')] : [whole];
    },
  };
}

function check(plan: PlanBuilder, change: Change, needs: readonly StepId[], members: number, leaves: boolean): StepId {
  const { container } = change;
  const reason = leaves ? 'a member is taken away only from a whole cluster' : 'must be part of the cluster again';
  return plan.add(
    base(change, needs, reason),
    { kind: 'rabbitmq-check', container: container.name, members, leaves, patienceSeconds: rabbitmqPatienceSeconds },
    container.name,
  );
}

/**
 * Two sides of a partition differ in what they know: a member that joins without data of its own gets it from one and is
 * forgotten by the other, and does not start on what it has then.
 */
function othersAreWhole(
  plan: PlanBuilder,
  host: HostName,
  { container }: Change,
  needs: readonly StepId[],
  members: number,
): StepId {
  const { service, name } = container;
  const reason = `${container.host} has no data of it: it joins only a cluster that is whole`;
  return plan.add(
    { service, host, needs, reason, impact: 'none' },
    { kind: 'rabbitmq-check', container: name, members, leaves: false, patienceSeconds: rabbitmqPatienceSeconds },
    `${name}/before-${container.host}`,
  );
}

/** Queues come into sync, alarms pass: as long as something changes it is waited for. */
export const rabbitmqPatienceSeconds = 120;

function checkFlags(plan: PlanBuilder, change: Change, needs: readonly StepId[], reason: string): StepId {
  return order(plan, change, needs, 'enable-flags', reason);
}

function order(plan: PlanBuilder, change: Change, needs: readonly StepId[], what: RabbitmqOrder, reason: string) {
  const { service, host, name } = change.container;
  return plan.add(
    { service, host, needs, reason, impact: 'none' },
    { kind: 'rabbitmq', container: name, order: what },
    `${name}/${what}`,
  );
}

/**
 * The cluster takes back a member of a known name only with the data it had. A container that never ran does not say
 * whether its volume holds data: that may be of the one before.
 */
function forget(plan: PlanBuilder, host: HostName, change: Change, needs: readonly StepId[]): StepId {
  const { service, name } = change.container;
  const reason = `${change.container.host} is no member that can come back: without data it joins as a new one`;
  const [volume] = ownVolumes(change.container);
  const data = volume === undefined ? undefined : { host: change.container.host, volume };
  return plan.add(
    { service, host, needs, reason, impact: 'none' },
    { kind: 'rabbitmq', container: name, order: 'forget', member: memberName(change.node.hostname), data },
    `${name}/forget-${change.container.host}`,
  );
}

/** Erlang names a member by the short name of its host. */
export function memberName(hostname: string): string {
  return `rabbit@${hostname.split('.')[0] ?? hostname}`;
}

/**
 * It was a member before and has its data: it may wait for the one that stopped last, so that those of its kind start
 * together. One that was created and never ran has nothing to wait for.
 */
function returns(change: Change): boolean {
  return !isServing(change) && holdsData(change) && seen(change)?.state !== 'created';
}

function holdsData({ container, node }: Change): boolean {
  return ownVolumes(container).every((volume) => node.volumes.includes(volume));
}

/** A member that runs now. */
function otherMember({ changes, settled }: RolloutInput, change: Change): HostName | undefined {
  return [...settled, ...changes].find((one) => one !== change && isServing(one))?.container.host;
}

function changesImage(change: Change): boolean {
  return seen(change)?.labels[label.imageDigest] !== change.image.digest;
}
