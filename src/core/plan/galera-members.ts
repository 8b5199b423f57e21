import type { DesiredOneShot } from '../desired/model.ts';
import { dataVolume, type GaleraServer } from '../galera/member.ts';
import { recordedDigest } from '../model/generation.ts';
import type { Marker } from '../model/marker.ts';
import { type HostName, label } from '../model/node.ts';
import type { Balancers } from './drain.ts';
import { oldOf } from './generations.ts';
import { base, type Change, isServing, labelsFor, type MemberWaits, rolloutOf } from './replace.ts';
import type { PlanBuilder, StepId } from './steps.ts';

/** A donor, or a member that applies what it missed, is done after a moment; a state transfer is not waited for. */
export const checkSeconds = 60;
/** As long as data arrives a state transfer may take. */
const transferSeconds = 24 * 3600;
/** Sessions of pools are idle most of the time; one that is busy all that while stays where it is. */
const sessionSeconds = 15;

/** Lies on a member's host from before the first start of another image until its data has been brought to that one. */
export const pendingMarker = { key: 'galera.upgrade', value: 'pending' } as const satisfies Marker;

/** What is needed to change members of a cluster one by one. */
export interface GaleraInput {
  readonly site: string;
  /** Hosts of the whole group: the load balancers prefer the first. */
  readonly groupHosts: readonly HostName[];
  readonly balancers: Balancers;
  readonly servers: readonly GaleraServer[];
  readonly upgrades: ReadonlyMap<string, DesiredOneShot>;
}

/**
 * The steps of one member beyond those of any replica. `members` are in the cluster when its turn comes, itself
 * included.
 */
export function galeraMember(plan: PlanBuilder, input: GaleraInput, change: Change, members: number): MemberWaits {
  const { host } = change.container;
  const server = input.servers.find((one) => one.host === host)?.server;
  const serves = isServing(change);
  // A member that comes back is not told how many others there are: some may be away for reasons of their own.
  const all = serves ? members : Math.min(2, input.groupHosts.length);
  const others = input.servers.filter((one) => one.host !== host);
  return {
    server,
    leave: (needs) => [check(plan, input, change, needs, members)],
    stop: (needs) => [check(plan, input, change, needs, members, takesOver(change) ? pendingMarker : undefined)],
    enter: (needs) => {
      if (serves || others.length === 0) return [];
      return [
        check(plan, { ...input, servers: others }, change, needs, 1, takesOver(change) ? pendingMarker : undefined),
      ];
    },
    started: (needs) => [synced(plan, change, needs, all)],
    joined: (needs) => (takesOver(change) || isPending(change) ? upgradeMember(plan, input, change, needs) : []),
    back: (needs) => (serves ? moveSessions(plan, input, change, needs) : []),
  };
}

/** Another image than the one that had the data before. */
function takesOver(change: Change): boolean {
  const { container, node, image } = change;
  const old = oldOf(change) ?? node.containers.find((c) => c.name === container.name);
  if (old !== undefined) return old.labels[label.imageDigest] !== image.digest;
  // Data whose container is gone may have been left behind at an older version.
  return (
    node.volumes.includes(dataVolume(container.spec)) && recordedDigest(node.markers, container.name) !== image.digest
  );
}

/** An interrupted run, or a recovery after it, has not brought its data to the version of its image. */
export function isPending({ node }: Change): boolean {
  return node.markers[pendingMarker.key] !== undefined;
}

function check(
  plan: PlanBuilder,
  { servers, groupHosts }: Pick<GaleraInput, 'servers' | 'groupHosts'>,
  change: Change,
  needs: readonly StepId[],
  members: number,
  marker?: Marker,
): StepId {
  const { name } = change.container;
  const reason = isServing(change)
    ? 'a member is taken away only from a whole cluster'
    : 'a member joins when no other one is joining';
  const alone = groupHosts.length === 1 || undefined;
  return plan.add(
    base(change, needs, reason),
    { kind: 'galera-check', container: name, members, alone, servers, patienceSeconds: checkSeconds, marker },
    name,
  );
}

function synced(plan: PlanBuilder, change: Change, needs: readonly StepId[], members: number): StepId {
  const { name, rollout } = change.container;
  return plan.add(
    base(change, needs, 'must have all data before anything that follows'),
    {
      kind: 'galera-synced',
      container: name,
      members,
      patienceSeconds: rollout.health_patience,
      deadlineSeconds: transferSeconds,
    },
    name,
  );
}

/** Brings the data of a member that runs another image than before to the version of that. */
export function upgradeMember(
  plan: PlanBuilder,
  { site, upgrades }: Pick<GaleraInput, 'site' | 'upgrades'>,
  change: Change,
  needs: readonly StepId[],
): StepId[] {
  const { container, image } = change;
  const oneShot = upgrades.get(container.host);
  if (oneShot === undefined) return [];
  return [
    plan.add(
      base(change, needs, 'another version has taken its data over'),
      {
        kind: 'galera-upgrade',
        name: oneShot.name,
        spec: { ...oneShot.spec, image },
        labels: { ...labelsFor(site, change), [label.container]: oneShot.name },
        timeoutSeconds: oneShot.definition.timeout,
        container: container.name,
        volume: dataVolume(container.spec),
        pending: pendingMarker.key,
      },
      oneShot.name,
    ),
  ];
}

/**
 * The load balancers prefer the first member of the group. While it was away another one took the writes, and sessions
 * stay where they are: two members that write would get in each other's way.
 */
function moveSessions(plan: PlanBuilder, input: GaleraInput, change: Change, needs: readonly StepId[]): StepId[] {
  const { container } = change;
  const servers = input.servers.filter(({ host }) => host !== container.host);
  const preferred = input.groupHosts[0] === container.host;
  if (!preferred || servers.length === 0 || container.servers.length === 0 || input.balancers.length === 0) return [];
  return [
    plan.add(
      { ...base(change, needs, 'all writes go to one member again'), rollout: rolloutOf(container) },
      { kind: 'galera-sessions', container: container.name, servers, patienceSeconds: sessionSeconds },
      container.name,
    ),
  ];
}
