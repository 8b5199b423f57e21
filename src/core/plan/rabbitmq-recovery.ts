import type { Desired, DesiredContainer, DesiredService } from '../desired/model.ts';
import { type Diagnostic, error, failure, type Result, success } from '../model/diagnostic.ts';
import type { HostName } from '../model/node.ts';
import type { ClusterEvidence, SeenMember } from '../rabbitmq/evidence.ts';
import { groupsOf, seenMembers } from '../rabbitmq/judge.ts';
import { isPending } from '../rabbitmq/versions.ts';
import type { RabbitmqOrder } from './cluster-steps.ts';
import type { Observed } from './policy.ts';
import { memberName, rabbitmqPatienceSeconds as patienceSeconds } from './rabbitmq.ts';
import { registrationMarker } from './registration.ts';
import { type Impact, type Plan, PlanBuilder, type StepId } from './steps.ts';

/** The cluster of a site: its service and the container of each host. */
export interface RabbitmqCluster {
  readonly service: DesiredService;
  /** In the order of the group. */
  readonly members: readonly DesiredContainer[];
}

/** Undefined when the site has none. */
export function rabbitmqCluster({ services }: Desired): RabbitmqCluster | undefined {
  for (const service of services) {
    const members = service.containers.filter((c) => c.rollout.strategy === 'rabbitmq');
    if (members.length > 0) return { service, members };
  }
  return undefined;
}

/**
 * What brings a cluster together again, from what was found: members on the smaller side of a partition are restarted, one
 * whose broker has stopped in its container is started, one that runs by itself without its data joins anew, one in
 * maintenance is taken back, quorum queues get replicas on members that have none, feature flags are enabled.
 * Refused while a member was not heard, or where nothing tells which side is to be kept. A member that does not run comes
 * back by another command, but only to members that are together: where they are apart they are brought together without
 * it. An empty plan when all is well.
 */
export function planRecovery(site: string, cluster: RabbitmqCluster, evidence: ClusterEvidence): Result<Plan> {
  const [main = [], ...others] = groupsOf(seenMembers(evidence));
  const [second] = others;
  const stopped = second === undefined ? stoppedBrokers(evidence) : [];
  const refused = unheard(evidence, second !== undefined, stopped);
  if (refused.length > 0) return failure(refused);
  if (second !== undefined && !outweighs(main, second, evidence)) return failure([undecided(main, second)]);
  const builder = new Orders(cluster);
  let before = restartStopped(builder, main.length, stopped);
  let members = main.length;
  const grown: string[] = [];
  for (const group of others) {
    const knows = group.every((one) =>
      main.every((two) => one.known.includes(two.node) && two.known.includes(one.node)),
    );
    before = knows ? rejoin(builder, group, before) : joinAnew(builder, main, group, before);
    members += group.length;
    before = group.map((one) => builder.check(one.host, before, members));
    if (knows) continue;
    before = group.map((one) => builder.order(one.host, before, 'grow', 'it has come without its data'));
    grown.push(...group.map(({ node }) => node));
  }
  before = revive(builder, main, before);
  before = growThin(builder, evidence, grown, before);
  enableFlags(builder, main, before);
  return success(builder.plan('rabbitmq recover', site));
}

/** More members run on this side; one that does not run may have been on any. */
function outweighs(main: readonly SeenMember[], second: readonly SeenMember[], { members }: ClusterEvidence): boolean {
  const down = members.filter(({ kind }) => kind === 'down').length;
  return main.length > second.length + down;
}

/**
 * Members whose broker has stopped in its container, where they and those that run are most of the cluster: such as have
 * paused when they were cut off, and should have gone on. The start of RabbitMQ 3.10 may fail where connections of before
 * and after the partition meet; it is not tried again, and leaves half of it running.
 */
function stoppedBrokers(evidence: ClusterEvidence): HostName[] {
  const { members } = evidence;
  const stopped = members.flatMap((member) => (member.kind === 'silent' && member.stopped ? [member.host] : []));
  return (seenMembers(evidence).length + stopped.length) * 2 > members.length ? stopped : [];
}

/** Beside those that run one after the other; where none runs all at once, as each may wait for another one. */
function restartStopped(builder: Orders, running: number, stopped: readonly HostName[]): readonly StepId[] {
  if (running === 0) {
    const started = stopped.map((host) => builder.restart(host, []));
    return stopped.map((host) => builder.check(host, started, stopped.length));
  }
  let before: readonly StepId[] = [];
  for (const [at, host] of stopped.entries())
    before = [builder.check(host, [builder.restart(host, before)], running + at + 1)];
  return before;
}

/** What cannot be left out of the decision. */
function unheard({ members }: ClusterEvidence, apart: boolean, stopped: readonly HostName[]): Diagnostic[] {
  return members.flatMap((member) => {
    if (stopped.includes(member.host)) return [];
    if (member.kind === 'unreachable') {
      const hint = 'nothing is decided without it: bring the host back first';
      return [error('member-unheard', `it cannot be reached: ${member.why}`, { host: member.host, hint })];
    }
    if (member.kind === 'silent') {
      const hint =
        'a member that was cut off goes on by itself when it sees most of the others again; docker logs rabbitmq and its log say what it waits for';
      return [error('member-unheard', member.why, { host: member.host, hint })];
    }
    if (member.kind === 'down' && !apart) {
      const hint = 'bring it up first: deploy reconcile --tags rabbitmq';
      return [error('member-unheard', `rabbitmq does not run (${member.container})`, { host: member.host, hint })];
    }
    return [];
  });
}

function undecided(main: readonly SeenMember[], other: readonly SeenMember[]): Diagnostic {
  const sides = [main, other].map((side) => side.map(({ host }) => host).join(', '));
  const hint = `stop rabbitmq on the hosts whose latest messages may be lost, then: deploy reconcile --tags rabbitmq`;
  return error('undecided', `${sides[0]} and ${sides[1]} are apart, and nothing tells which to keep`, { hint });
}

/** All of a side stop before one starts: otherwise the others would not forget that they were cut off from it. */
function rejoin(builder: Orders, group: readonly SeenMember[], needs: readonly StepId[]): StepId[] {
  const reason = 'the smaller side of a partition: what it was sent meanwhile is lost';
  const stopped = group.map(({ host }) => builder.order(host, needs, 'stop', reason, 'replica'));
  return group.map(({ host }) => builder.order(host, stopped, 'start', 'joins the others again'));
}

function joinAnew(
  builder: Orders,
  main: readonly SeenMember[],
  group: readonly SeenMember[],
  needs: readonly StepId[],
): StepId[] {
  const helper = main[0]?.host ?? '';
  return group.map(({ host, node }) => {
    const reason = 'it does not know the cluster: what it has been sent is lost';
    const stopped = builder.order(host, needs, 'stop', reason, 'replica');
    const reset = builder.order(host, [stopped], 'reset', reason, 'replica');
    const forgotten = builder.order(helper, [reset], 'forget', `${host} joins as a new member`, 'none', node);
    const joined = builder.order(host, [forgotten], 'join', 'the others are the cluster', 'none', main[0]?.node ?? '');
    return builder.order(host, [joined], 'start', 'serves again');
  });
}

function revive(builder: Orders, main: readonly SeenMember[], needs: readonly StepId[]): readonly StepId[] {
  const drained = main.filter((member) => member.drained.includes(member.node));
  const revived = drained.map(({ host }) => builder.order(host, needs, 'revive', 'left there by an interrupted run'));
  return revived.length > 0 ? revived : needs;
}

/** Members on which a quorum queue is put where nothing else is said. */
const usualReplicas = 3;

/** A quorum queue keeps the replicas it has: a member that came anew, or back as another one, has none until it gets some. */
function growThin(
  builder: Orders,
  evidence: ClusterEvidence,
  grown: readonly string[],
  needs: readonly StepId[],
): readonly StepId[] {
  const seen = seenMembers(evidence);
  const wanted = Math.min(usualReplicas, seen.length);
  const queues = (evidence.queues ?? [])
    .filter(({ type }) => type === 'quorum')
    .map(({ replicas }) => new Set([...replicas.filter((name) => seen.some(({ node }) => node === name)), ...grown]));
  let before = needs;
  for (const { host, node } of seen) {
    const thin = queues.filter((replicas) => replicas.size < wanted && !replicas.has(node));
    if (thin.length === 0) continue;
    const reason = `quorum queues with fewer than ${wanted} replicas: ${thin.length}`;
    before = [builder.order(host, before, 'grow', reason)];
    for (const replicas of queues) replicas.add(node);
  }
  return before;
}

function enableFlags(builder: Orders, main: readonly SeenMember[], needs: readonly StepId[]): void {
  const [first] = main;
  if (first?.flags.some(isPending)) builder.order(first.host, needs, 'enable-flags', 'they are not enabled');
}

/**
 * All members lose everything at once, and form a cluster anew, the first host first: what is left to an operator whose
 * queues cannot be saved. Users and virtual hosts of the definition are made again; other services declare their
 * queues when they connect. Refused while a member does not run.
 */
export function planReset(site: string, cluster: RabbitmqCluster, observed: Observed): Result<Plan> {
  const { service, members } = cluster;
  const name = members[0]?.name ?? '';
  const runs = (host: HostName) =>
    observed.get(host)?.containers.some((one) => one.name === name && one.state === 'running');
  const down = (service.groupHosts.get(name) ?? []).filter((host) => !runs(host));
  if (down.length > 0) {
    const hint = 'bring it up first: deploy reconcile --tags rabbitmq';
    return failure(down.map((host) => error('member-down', `${service.name} does not run`, { host, hint })));
  }
  const builder = new Orders(cluster);
  const hosts = cluster.members.map(({ host }) => host);
  const all = 'asked for';
  const stopped = hosts.map((host) => builder.order(host, [], 'stop', all, 'service'));
  const reset = hosts.map((host) => builder.order(host, stopped, 'reset', all, 'service'));
  const first = memberName(observed.get(hosts[0] ?? '')?.hostname ?? '');
  let before: readonly StepId[] = reset;
  for (const [at, host] of hosts.entries()) {
    if (at > 0) before = [builder.order(host, before, 'join', 'one cluster of all', 'none', first)];
    const started = builder.order(host, before, 'start', at === 0 ? 'forms the cluster' : 'serves again');
    before = [builder.check(host, [started], at + 1)];
  }
  builder.users(before);
  for (const host of hosts.slice(1, usualReplicas))
    before = [builder.order(host, before, 'grow', 'services that run declare their queues before it is there')];
  return success(builder.plan('rabbitmq reset-state', site));
}

/** A plan of orders to members. */
class Orders {
  readonly #builder = new PlanBuilder();
  readonly #cluster: RabbitmqCluster;

  constructor(cluster: RabbitmqCluster) {
    this.#cluster = cluster;
  }

  order(
    host: HostName,
    needs: readonly StepId[],
    order: RabbitmqOrder,
    reason: string,
    impact: Impact = 'none',
    member?: string,
  ): StepId {
    const { service, name: container } = this.#of(host);
    const action = { kind: 'rabbitmq', container, order, ...(member === undefined ? {} : { member }) } as const;
    const subject = member === undefined ? `${container}/${order}` : `${container}/${order}-${member}`;
    return this.#builder.add({ service, host, needs, reason, impact }, action, subject);
  }

  /** Its container: what is left of a start that failed ends with it. */
  restart(host: HostName, needs: readonly StepId[]): StepId {
    const { service, name: container, rollout } = this.#of(host);
    const reason = 'its broker has paused, and did not go on by itself';
    const base = { service, host, reason, impact: 'none' } as const;
    const stop = { kind: 'stop', container, graceSeconds: rollout.stop_grace } as const;
    const stopped = this.#builder.add({ ...base, needs }, stop, container);
    return this.#builder.add({ ...base, needs: [stopped] }, { kind: 'start', container }, container);
  }

  check(host: HostName, needs: readonly StepId[], members: number): StepId {
    const { service, name: container } = this.#of(host);
    return this.#builder.add(
      { service, host, needs, reason: 'must be part of the cluster', impact: 'none' },
      { kind: 'rabbitmq-check', container, members, leaves: false, patienceSeconds },
      container,
    );
  }

  users(needs: readonly StepId[]): void {
    const { service } = this.#cluster;
    const wish = service.messaging;
    if (wish === undefined) return;
    const marker = registrationMarker('messaging', service.name, wish);
    const base = {
      service: service.name,
      host: wish.host,
      needs,
      reason: 'went with the rest',
      impact: 'none',
    } as const;
    this.#builder.add(base, { kind: 'messaging', wish, marker }, service.name);
  }

  plan(verb: string, site: string): Plan {
    const { steps, notices } = this.#builder;
    return { verb, site, steps, notices, causes: [], drift: [], diffs: [], waysBack: [] };
  }

  #of(host: HostName): DesiredContainer {
    const found = this.#cluster.members.find((one) => one.host === host);
    if (found === undefined) throw new Error(`${host} has no member`);
    return found;
  }
}
