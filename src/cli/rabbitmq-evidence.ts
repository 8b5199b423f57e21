import { setTimeout as sleep } from 'node:timers/promises';
import { DeployError } from '../core/model/diagnostic.ts';
import type { RabbitmqCluster } from '../core/plan/rabbitmq-recovery.ts';
import type { ClusterEvidence, MemberEvidence, QueueEvidence } from '../core/rabbitmq/evidence.ts';
import { isUnheard } from '../core/rabbitmq/judge.ts';
import type { OpenNode } from '../edge/node/node.ts';
import { askMember } from '../run/rabbitmq.ts';
import type { Survey } from './survey.ts';

/** What every member says, all asked at once, one command each; the queues from the first one that answers. */
export async function gatherEvidence(cluster: RabbitmqCluster, survey: Survey): Promise<ClusterEvidence> {
  const hosts = cluster.service.groupHosts.get(cluster.members[0]?.name ?? '') ?? [];
  const members = await Promise.all(hosts.map((host) => memberOn(host, cluster, survey)));
  return { members, queues: await queuesOf(cluster, members, survey) };
}

async function memberOn(host: string, { members }: RabbitmqCluster, survey: Survey): Promise<MemberEvidence> {
  const node = survey.nodes.get(host);
  const name = members[0]?.name ?? '';
  if (node === undefined) {
    const why = survey.skipped?.find((one) => one.host === host)?.why ?? 'it was not looked at';
    return { kind: 'unreachable', host, why };
  }
  const seen = survey.observed.get(host)?.containers.find((c) => c.name === name);
  if (seen?.state !== 'running') return { kind: 'down', host, container: seen?.state ?? 'missing' };
  try {
    return await askMember(node, name);
  } catch (cause) {
    if (!(cause instanceof DeployError)) throw cause;
    return { kind: 'silent', host, why: cause.diagnostics.map(({ message }) => message).join('; ') };
  }
}

async function queuesOf(
  { service }: RabbitmqCluster,
  members: readonly MemberEvidence[],
  survey: Survey,
): Promise<readonly QueueEvidence[] | undefined> {
  for (const member of members) {
    const node = member.kind === 'seen' ? survey.nodes.get(member.host) : undefined;
    const queues = node && (await askUntilHeard(() => askQueues(service, node, survey)));
    if (queues) return queues;
  }
  return undefined;
}

/** RabbitMQ's leaders tell how they do every 5 s: one that began just now is given the time to. */
async function askUntilHeard(
  ask: () => Promise<readonly QueueEvidence[] | undefined>,
): Promise<readonly QueueEvidence[] | undefined> {
  for (let left = 3; ; left--) {
    const queues = await ask();
    if (left === 0 || !queues?.some(isUnheard)) return queues;
    await sleep(4000);
  }
}

/** A member in maintenance, or without the plugin, does not answer: then another one is asked. */
async function askQueues(
  { messaging }: RabbitmqCluster['service'],
  node: OpenNode,
  survey: Survey,
): Promise<readonly QueueEvidence[] | undefined> {
  if (messaging === undefined) return undefined;
  const { listQueues } = await import('../edge/rabbitmq/queues.ts');
  const { port, user, password } = messaging;
  const address = String(survey.loaded.site.scope(node.host).get('api_interface_address'));
  try {
    return await listQueues((to, at) => node.connect(to, at), { address, port, user, password });
  } catch (cause) {
    if (!(cause instanceof DeployError)) throw cause;
    return undefined;
  }
}
