import type { HostName } from '../model/node.ts';
import type { ClusterEvidence, QueueEvidence, SeenMember } from './evidence.ts';
import { isPending, seriesOfVersion } from './versions.ts';

export type FindingKind =
  | 'unreachable'
  | 'down'
  | 'silent'
  /** Members that run and do not see each other. */
  | 'partition'
  /** A member that runs by itself and does not know the others, which know it: its data was lost or reset. */
  | 'lost-data'
  /** Members that do not know each other at all. */
  | 'two-clusters'
  | 'alarm'
  | 'drained'
  | 'no-quorum'
  /** Most replicas run, and none of them leads: what they knew of it is gone. */
  | 'no-leader'
  | 'queue-thin'
  | 'forgotten'
  | 'mixed-versions'
  | 'flags';

/** One thing that was found, in words. */
export interface Finding {
  readonly kind: FindingKind;
  readonly hosts: readonly HostName[];
  readonly text: string;
  readonly hint?: string | undefined;
  /** The cluster does not do its work, or would not if one more member went away. */
  readonly grave: boolean;
}

/** What is wrong with a cluster, the worst first; nothing for a healthy one. Decides on what was found alone. */
export function judge(evidence: ClusterEvidence): Finding[] {
  const seen = seenMembers(evidence);
  return [
    ...absences(evidence),
    ...divisions(seen),
    ...alarmsOf(seen),
    ...drainedOf(seen),
    ...strangers(evidence, seen),
    ...queuesOf(evidence.queues ?? [], seen),
    ...versionsOf(seen),
    ...flagsOf(seen),
  ];
}

export function isHealthy(findings: readonly Finding[]): boolean {
  return findings.every((finding) => !finding.grave);
}

export function seenMembers({ members }: Pick<ClusterEvidence, 'members'>): SeenMember[] {
  return members.flatMap((member) => (member.kind === 'seen' ? [member] : []));
}

function absences({ members }: ClusterEvidence): Finding[] {
  return members.flatMap((member): Finding[] => {
    const { host } = member;
    if (member.kind === 'unreachable') {
      return [{ kind: 'unreachable', hosts: [host], text: `${host} cannot be reached: ${member.why}`, grave: true }];
    }
    if (member.kind === 'down') {
      const text = `rabbitmq on ${host} does not run (${member.container})`;
      return [{ kind: 'down', hosts: [host], text, hint: 'deploy reconcile --tags rabbitmq', grave: true }];
    }
    if (member.kind === 'silent') {
      return [{ kind: 'silent', hosts: [host], text: `rabbitmq on ${host}: ${member.why}`, hint: silent, grave: true }];
    }
    return [];
  });
}

const silent =
  'a member that was cut off waits until it sees most of the others again, and then goes on by itself: look at the network between them first, then at its log in /var/log/kolla/rabbitmq; deploy rabbitmq recover restarts it';

/** Members that run and do not agree on who is part of the cluster. Each pair of groups is told once. */
function divisions(seen: readonly SeenMember[]): Finding[] {
  const groups = groupsOf(seen);
  if (groups.length > 1) return groups.slice(1).flatMap((group) => division(groups[0] ?? [], group));
  const pairs = seen.flatMap((a, i) => seen.slice(i + 1).flatMap((b) => (seeEachOther(a, b) ? [] : [[a, b] as const])));
  return pairs.map(([a, b]) => {
    const text = `${a.host} and ${b.host} do not see each other, though others see both: the network is cut in part`;
    const hint = 'mend the network between these two; RabbitMQ itself makes it a partition of two sides if it lasts';
    return { kind: 'partition', hosts: [a.host, b.host], text, hint, grave: true };
  });
}

const recover = 'deploy rabbitmq recover';

/** Members by whom they see running, directly or through others; the largest group first, at equal size the one with the first member. */
export function groupsOf(seen: readonly SeenMember[]): SeenMember[][] {
  let groups: SeenMember[][] = [];
  for (const member of seen) {
    const joined = groups.filter((group) => group.some((other) => seeEachOther(member, other)));
    const rest = groups.filter((group) => !joined.includes(group));
    groups = [...rest, [...joined.flat(), member]];
  }
  const first = (group: readonly SeenMember[]) => Math.min(...group.map((member) => seen.indexOf(member)));
  return groups.sort((a, b) => b.length - a.length || first(a) - first(b));
}

function seeEachOther(a: SeenMember, b: SeenMember): boolean {
  const cut = [...a.partitions, ...b.partitions].some(
    ({ node, lost }) => (node === a.node && lost.includes(b.node)) || (node === b.node && lost.includes(a.node)),
  );
  return !cut && a.running.includes(b.node) && b.running.includes(a.node);
}

function division(main: readonly SeenMember[], other: readonly SeenMember[]): Finding[] {
  const hosts = other.map(({ host }) => host);
  const [names, rest] = [hosts.join(', '), main.map(({ host }) => host).join(', ')];
  const known = main.some((one) => other.some(({ node }) => one.known.includes(node)));
  const knows = other.some((one) => main.some(({ node }) => one.known.includes(node)));
  if (known && knows) {
    const text = `${names} and ${rest} run and do not see each other: the network between them is cut, or was`;
    return [{ kind: 'partition', hosts: [...hosts, ...main.map((m) => m.host)], text, hint: recover, grave: true }];
  }
  if (known) {
    const text = `${names} runs by itself and does not know the cluster of ${rest}, which knows it: its data was lost`;
    return [{ kind: 'lost-data', hosts, text, hint: recover, grave: true }];
  }
  const text = `${names} and ${rest} are clusters that do not know each other`;
  const hint = `decide whose messages may be lost; deploy rabbitmq recover joins ${names} to ${rest}`;
  return [{ kind: 'two-clusters', hosts, text, hint, grave: true }];
}

function alarmsOf(seen: readonly SeenMember[]): Finding[] {
  const alarms = new Set(seen.flatMap((m) => m.alarms.map(({ node, resource }) => `${node || m.node}: ${resource}`)));
  return [...alarms].sort().map((alarm) => ({
    kind: 'alarm',
    hosts: seen.filter(({ node }) => alarm.startsWith(`${node}:`)).map(({ host }) => host),
    text: `alarm at ${alarm}: publishers are blocked on every member until it is over`,
    hint: 'make room (disk), or let consumers catch up (memory)',
    grave: true,
  }));
}

function drainedOf(seen: readonly SeenMember[]): Finding[] {
  const drained = seen.filter((member) => member.drained.includes(member.node));
  if (drained.length === 0) return [];
  const hosts = drained.map(({ host }) => host);
  const text = `${hosts.join(', ')} is in maintenance mode: it takes no connections`;
  return [{ kind: 'drained', hosts, text, hint: 'deploy rabbitmq recover takes it back', grave: true }];
}

/** Members that are known to the cluster and are on no host of the group. */
function strangers({ members }: ClusterEvidence, seen: readonly SeenMember[]): Finding[] {
  if (seen.length < members.length) return [];
  const ours = new Set(seen.map(({ node }) => node));
  const others = [...new Set(seen.flatMap(({ known }) => known))].filter((node) => !ours.has(node));
  if (others.length === 0) return [];
  const text = `the cluster knows ${others.join(', ')}, which no host of the group is`;
  const hint = `if it is gone for good: docker exec rabbitmq rabbitmqctl forget_cluster_node ${others[0]}`;
  return [{ kind: 'forgotten', hosts: [], text, hint, grave: false }];
}

function queuesOf(queues: readonly QueueEvidence[], seen: readonly SeenMember[]): Finding[] {
  const lost = queues.filter((queue) => isReplicated(queue) && !hasMajority(queue));
  const running = new Set(seen.map(({ node }) => node));
  const thin = queues.filter(
    (queue) => isReplicated(queue) && hasMajority(queue) && queue.online.length < Math.min(running.size, 3),
  );
  const dead = queues.filter((queue) => isUnheard(queue) && hasMajority(queue));
  return [
    ...(lost.length > 0 ? [queueFinding('no-quorum', lost, 'without a majority of their replicas', true)] : []),
    ...(dead.length > 0
      ? [{ ...queueFinding('no-leader', dead, 'whose leader says nothing', true), hint: deadHint(dead[0]?.name ?? '') }]
      : []),
    ...(thin.length > 0
      ? [{ ...queueFinding('queue-thin', thin, 'with fewer replicas in sync than members', false), hint: thinHint }]
      : []),
  ];
}

const thinHint = 'if it lasts: deploy rabbitmq recover puts replicas on members that have none';

function queueFinding(
  kind: 'no-quorum' | 'no-leader' | 'queue-thin',
  queues: readonly QueueEvidence[],
  what: string,
  grave: boolean,
) {
  const shown = queues.slice(0, 3).map(({ name }) => name);
  const more = queues.length > shown.length ? ` and ${queues.length - shown.length} more` : '';
  return { kind, hosts: [], text: `${queues.length} queues ${what}: ${shown.join(', ')}${more}`, grave };
}

/** A quorum queue of which its leader has not said anything, if it has one. */
export function isUnheard({ type, heard }: QueueEvidence): boolean {
  return type === 'quorum' && !heard;
}

/** Seen of RabbitMQ 3.10: a queue that was declared a moment before all nodes lose power comes back without its log. */
function deadHint(name: string): string {
  return `if it lasts, nothing can be sent to them any more: docker exec rabbitmq rabbitmqctl delete_queue '${name}' lets their services declare them anew`;
}

/** Whether there is more than one copy of it, so that it outlives a member. */
export function isReplicated({ type, mirrored }: QueueEvidence): boolean {
  return type === 'quorum' || type === 'stream' || mirrored;
}

function hasMajority({ replicas, online, mirrored }: QueueEvidence): boolean {
  return mirrored ? online.length > 0 : online.length * 2 > replicas.length;
}

function versionsOf(seen: readonly SeenMember[]): Finding[] {
  const versions = [...new Set(seen.map(({ version }) => version).filter((version) => version !== ''))];
  if (new Set(versions.map(seriesOfVersion)).size < 2) return [];
  const list = seen.map(({ host, version }) => `${host} ${version}`).join(', ');
  const hint = 'finish the upgrade: run its command again';
  return [{ kind: 'mixed-versions', hosts: [], text: `members of different versions: ${list}`, hint, grave: false }];
}

function flagsOf(seen: readonly SeenMember[]): Finding[] {
  const [member] = seen;
  const pending = member?.flags.filter(isPending).map(({ name }) => name) ?? [];
  if (pending.length === 0) return [];
  const text = `feature flags that are not enabled: ${pending.join(', ')}`;
  return [{ kind: 'flags', hosts: [], text, hint: 'deploy rabbitmq recover enables them', grave: false }];
}
