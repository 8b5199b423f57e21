import { type Diagnostic, error } from '../model/diagnostic.ts';
import type { HostName } from '../model/node.ts';
import type { LiveStatus, MemberEvidence } from './evidence.ts';

/**
 * What keeps a cluster from being whole: every member of the group is Synced in one Primary component that has just
 * these members. None when it is. Those of `without` may be missing; one that is there counts like any other.
 */
export function clusterProblems(all: readonly MemberEvidence[], without: readonly HostName[] = []): Diagnostic[] {
  const members = all.filter((member) => !without.includes(member.host) || liveOf(member) !== undefined);
  const problems = members.flatMap((member) =>
    memberProblems(member, members.length).map((what) =>
      error('galera-not-whole', what, { host: member.host, hint: 'deploy mariadb recover says what can be done' }),
    ),
  );
  const uuids = new Set(members.flatMap((member) => liveOf(member)?.uuid ?? []));
  if (uuids.size < 2) return problems;
  const message = `the members are in ${uuids.size} different histories: ${[...uuids].join(', ')}`;
  return [...problems, error('galera-not-whole', message, { hint: 'deploy mariadb status shows which is where' })];
}

/**
 * Who is in the cluster and no member of the group, for example on a host that was taken out of it. `group`: addresses of
 * its members; `hosts`: the host of each address that the inventory knows.
 */
export function strangers(
  members: readonly MemberEvidence[],
  group: ReadonlySet<string>,
  hosts: ReadonlyMap<string, HostName>,
): Diagnostic[] {
  // One that joins has not said its address yet; its port is that of its clients, or of the group.
  const seen = members.flatMap((member) => liveOf(member)?.incomingAddresses ?? []).filter((one) => /\d/.test(one));
  const addresses = new Set(seen.map((one) => one.replace(/:\d+$/, '')));
  return [...addresses]
    .filter((address) => !group.has(address))
    .sort()
    .map((address) => {
      const host = hosts.get(address);
      const who = host === undefined ? address : `${host} (${address})`;
      const hint = 'deploy reconfigure --tags mariadb --prune takes it out; or put its host back into the group';
      return error('galera-stranger', `${who} is in the cluster, and not in the group mariadb`, { hint });
    });
}

/**
 * A Primary member counts more members than answer, or two disagree: a view that is just changing. Galera takes some
 * seconds to drop members that went away without a word; a state transfer looks the same and takes longer.
 */
export function isChanging(members: readonly MemberEvidence[]): boolean {
  const primaries = members.flatMap((member) => {
    const live = liveOf(member);
    return live?.cluster === 'Primary' ? [live] : [];
  });
  const views = new Set(primaries.map(({ viewId, clusterSize }) => `${viewId} ${clusterSize}`));
  return views.size > 1 || primaries.some(({ clusterSize }) => clusterSize > primaries.length);
}

/** Hosts with a server that answers. */
export function answering(members: readonly MemberEvidence[]): HostName[] {
  return members.flatMap((member) => (liveOf(member) ? [member.host] : []));
}

function liveOf(member: MemberEvidence): LiveStatus | undefined {
  return member.kind === 'seen' ? member.live : undefined;
}

function memberProblems(member: MemberEvidence, size: number): string[] {
  if (member.kind === 'unreachable') return [`cannot be reached: ${member.why}`];
  const { live, container } = member;
  if (live === undefined) {
    if (container === 'running') return ['its server runs and does not answer'];
    return [container === 'stopped' ? 'its container does not run' : 'it has no container'];
  }
  return [
    ...liveProblems(live),
    ...(live.clusterSize === size ? [] : [`its component has ${live.clusterSize} of ${size} members`]),
  ];
}

/** What keeps a member that answers from being one that others may rely on, whatever the size of its component. */
export function liveProblems(live: LiveStatus): string[] {
  return [
    ...(live.cluster === 'Primary' ? [] : [`its component is ${live.cluster}`]),
    ...(live.state === 4 ? [] : [`it is ${live.stateText || 'in no state'}, not Synced`]),
    ...(live.ready ? [] : ['it takes no statements (wsrep_ready is OFF)']),
    ...(live.connected ? [] : ['it is not connected to the group']),
  ];
}
