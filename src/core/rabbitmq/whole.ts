import type { MemberEvidence } from './evidence.ts';

/**
 * Why a cluster is not whole, as one of its members sees it: fewer run than should, or some are cut off from others;
 * for a member that is about to leave also: an alarm stands, or another one is in maintenance. Nothing when it is whole.
 */
export function notWhole(
  evidence: MemberEvidence,
  { members, leaves }: { readonly members: number; readonly leaves: boolean },
): string[] {
  if (evidence.kind === 'unreachable') return [`it cannot be reached: ${evidence.why}`];
  if (evidence.kind === 'down') return [`it does not run (${evidence.container})`];
  if (evidence.kind === 'silent') return [evidence.why];
  const { known, running, partitions, alarms, drained, node } = evidence;
  const away = known.filter((name) => !running.includes(name));
  const few = `${running.length} of ${members} members run${away.length > 0 ? `, not ${away.join(', ')}` : ''}`;
  const apart = [
    ...(running.length < members ? [few] : []),
    ...partitions.map((one) => `${one.node} is cut off from ${one.lost.join(', ')}`),
  ];
  if (!leaves) return apart;
  const others = drained.filter((name) => running.includes(name) && name !== node);
  return [
    ...apart,
    ...alarms.map((alarm) => `alarm at ${alarm.node || node}: ${alarm.resource}`),
    ...(others.length > 0 ? [`${others.join(', ')} is in maintenance mode`] : []),
  ];
}
