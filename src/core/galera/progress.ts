import type { HostName } from '../model/node.ts';
import type { MemberEvidence } from './evidence.ts';

/** How far a member that joins has come, as far as two looks can tell. */
export type Progress =
  | { readonly kind: 'synced' }
  /** It answers no query: it starts, or its data is being replaced as a whole, which only the donor's log tells apart. */
  | { readonly kind: 'silent'; readonly donor?: HostName | undefined }
  /** It applies what it missed. `share` is 0 to 1 of what was missing at the first look. */
  | {
      readonly kind: 'applying';
      readonly behind: bigint;
      readonly share: number;
      readonly donor?: HostName | undefined;
    }
  | { readonly kind: 'gone'; readonly why: string };

/**
 * What became of `host` between a first look at the group and the one now. Members of one group each time, in any order.
 */
export function progressOf(host: HostName, first: readonly MemberEvidence[], now: readonly MemberEvidence[]): Progress {
  const member = now.find((one) => one.host === host);
  if (member === undefined) return { kind: 'gone', why: 'it was not looked at' };
  if (member.kind === 'unreachable') return { kind: 'gone', why: member.why };
  const { live, container } = member;
  if (container !== 'running') return { kind: 'gone', why: 'its container does not run' };
  const donor = donorOf(host, now);
  if (live === undefined) return { kind: 'silent', donor };
  if (live.cluster === 'Primary' && live.state === 4 && live.ready) return { kind: 'synced' };
  const start = positionOf(host, first);
  const behind = lag(latest(now), live.seqno);
  const missed = start === undefined ? behind : lag(latest(now), start);
  return {
    kind: 'applying',
    behind,
    share: missed > 0n ? Number(((missed - behind) * 1000n) / missed) / 1000 : 0,
    donor,
  };
}

function donorOf(host: HostName, members: readonly MemberEvidence[]): HostName | undefined {
  const donors = members.filter((m) => m.host !== host && m.kind === 'seen' && m.live?.state === 2);
  return donors.length === 1 ? donors[0]?.host : undefined;
}

function latest(members: readonly MemberEvidence[]): bigint {
  let best = 0n;
  for (const m of members)
    if (m.kind === 'seen' && m.live?.cluster === 'Primary' && m.live.seqno > best) best = m.live.seqno;
  return best;
}

function lag(target: bigint, seqno: bigint): bigint {
  return target > seqno ? target - seqno : 0n;
}

/** The place its own data was at: what it missed is counted from there. */
function positionOf(host: HostName, members: readonly MemberEvidence[]): bigint | undefined {
  const member = members.find((one) => one.host === host);
  if (member?.kind !== 'seen') return undefined;
  const recovered = member.recovered?.kind === 'position' ? member.recovered.position.seqno : undefined;
  const noted = member.grastate === 'corrupt' ? undefined : member.grastate?.seqno;
  const seqno = member.live?.seqno ?? recovered ?? noted;
  return seqno !== undefined && seqno >= 0n ? seqno : undefined;
}
