import type { ClusterEvidence, MemberEvidence, QueueEvidence } from '../core/rabbitmq/evidence.ts';
import type { Finding } from '../core/rabbitmq/judge.ts';
import { isReplicated } from '../core/rabbitmq/judge.ts';

/** A table of members, a line about queues, and what was found, for people. */
export function rabbitmqStatusText(evidence: ClusterEvidence, findings: readonly Finding[]): string {
  const grave = findings.some((finding) => finding.grave);
  return [
    ...table(evidence.members.map((member) => cellsOf(member, findings))),
    queuesLine(evidence.queues),
    ...findings.map(
      ({ text, hint, grave: bad }) => `${bad ? 'NOT OK' : 'note'}: ${text}${hint ? `\n    ${hint}` : ''}`,
    ),
    grave ? 'the cluster is not whole' : 'the cluster is whole',
  ].join('\n');
}

const header = ['', 'host', 'member', 'version', 'Erlang', 'state', 'sees', 'alarms'];

function cellsOf(member: MemberEvidence, findings: readonly Finding[]): string[] {
  const bad = findings.some((one) => one.grave && one.hosts.includes(member.host));
  const mark = bad ? 'NOT OK' : 'ok';
  if (member.kind !== 'seen') return [mark, member.host, '-', '-', '-', stateOf(member), '-', '-'];
  const { host, node, version, erlang, running, known, alarms } = member;
  const own = alarms.filter((alarm) => alarm.node === node || alarm.node === '').map(({ resource }) => resource);
  const sees = `${running.length} of ${known.length}`;
  return [mark, host, node, version, erlang, stateOf(member), sees, own.join(', ') || '-'];
}

function stateOf(member: MemberEvidence): string {
  if (member.kind === 'unreachable') return 'unreachable';
  if (member.kind === 'down') return member.container;
  if (member.kind === 'silent') return 'no answer';
  return member.drained.includes(member.node) ? 'maintenance' : 'running';
}

function queuesLine(queues: readonly QueueEvidence[] | undefined): string {
  if (queues === undefined) return 'queues: nobody could be asked for them';
  if (queues.length === 0) return 'queues: none';
  const types = [...new Set(queues.map(({ type }) => type))].sort();
  const counts = types.map((type) => `${queues.filter((queue) => queue.type === type).length} ${type}`);
  const mirrored = queues.filter((queue) => queue.mirrored).length;
  const leaders = new Map<string, number>();
  for (const { leader } of queues.filter(isReplicated)) leaders.set(leader, (leaders.get(leader) ?? 0) + 1);
  const led = [...leaders].sort().map(([node, count]) => `${node || 'nobody'} ${count}`);
  const messages = queues.reduce((sum, queue) => sum + queue.messages, 0);
  return [
    `queues: ${counts.join(', ')}${mirrored > 0 ? ` (${mirrored} mirrored)` : ''}`,
    ...(led.length > 0 ? [`leaders: ${led.join(', ')}`] : []),
    `${messages} messages`,
  ].join('; ');
}

function table(cells: readonly (readonly string[])[]): string[] {
  const all = [header, ...cells];
  const widths = header.map((_, column) => Math.max(...all.map((line) => line[column]?.length ?? 0)));
  return all.map((line) =>
    line
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}
