import type { MemberEvidence, SeenMember } from '../../../src/core/rabbitmq/evidence.ts';

/** A member in good health that sees those it is given, itself among them. */
export function seenBy(host: string, others: readonly string[], more: Partial<SeenMember> = {}): SeenMember {
  const nodes = others.map((one) => `rabbit@${one}`).sort();
  return {
    kind: 'seen',
    host,
    node: `rabbit@${host}`,
    version: '3.10.8',
    erlang: '25',
    known: nodes,
    running: nodes,
    partitions: [],
    alarms: [],
    drained: [],
    flags: [],
    ...more,
  };
}

export function wholeCluster(hosts: readonly string[] = ['node1', 'node2', 'node3']): MemberEvidence[] {
  return hosts.map((host) => seenBy(host, hosts));
}
