import type { HostName } from '../model/node.ts';
import type { Joiner, OwnData } from './decision.ts';
import type { Grastate, HistoryUuid, MemberEvidence, Position, SeenMember } from './evidence.ts';

export type NoVote =
  | 'unreachable'
  | 'not-answering'
  | 'left-the-group'
  | 'no-data'
  | 'cut-off-transfer'
  | 'no-history'
  | 'recovery-failed'
  | 'contradiction';

/** What a member has to say about which data is the latest. */
export type Vote =
  | { readonly kind: 'position'; readonly position: Position; readonly safe: boolean; readonly live: boolean }
  | { readonly kind: 'none'; readonly why: NoVote; readonly detail?: string | undefined }
  /** `--wsrep-recover` was not run there yet. */
  | { readonly kind: 'unasked' };

/** A member with its vote and its place in the inventory. */
export interface Voter {
  readonly host: HostName;
  readonly at: number;
  readonly evidence: MemberEvidence;
  readonly vote: Vote;
}

export type PositionVote = Extract<Vote, { readonly kind: 'position' }>;

export function votersOf(members: readonly MemberEvidence[]): Voter[] {
  return members.map((evidence, at) => ({ host: evidence.host, at, evidence, vote: voteOf(evidence) }));
}

export function hostsOf(voters: readonly Voter[]): HostName[] {
  return voters.map(({ host }) => host);
}

function voteOf(member: MemberEvidence): Vote {
  if (member.kind === 'unreachable') return { kind: 'none', why: 'unreachable', detail: member.why };
  if (member.live !== undefined || member.container === 'running') return voteOfRunning(member);
  if (member.data === 'missing') return { kind: 'none', why: 'no-data' };
  return voteOfStopped(member);
}

function voteOfRunning({ live, unfinishedTransfer }: SeenMember): Vote {
  if (live === undefined) return { kind: 'none', why: 'not-answering' };
  if (unfinishedTransfer) return { kind: 'none', why: 'cut-off-transfer' };
  if (live.cluster === 'Disconnected') return { kind: 'none', why: 'left-the-group' };
  if (!isDefined(live)) return { kind: 'none', why: 'no-history' };
  return { kind: 'position', position: { uuid: live.uuid, seqno: live.seqno }, safe: false, live: true };
}

/** What InnoDB holds goes before what grastate.dat says, as long as the two speak of the same history. */
function voteOfStopped(member: SeenMember): Vote {
  const { recovered, unfinishedTransfer } = member;
  const grastate = grastateOf(member);
  if (unfinishedTransfer) return { kind: 'none', why: 'cut-off-transfer' };
  if (grastate !== undefined && isZero(grastate.uuid)) return { kind: 'none', why: 'no-history' };
  if (recovered?.kind === 'failed')
    return { kind: 'none', why: 'recovery-failed', detail: `exit ${recovered.exitCode}: ${recovered.why}` };
  const position = recovered?.position ?? grastate;
  if (recovered === undefined && (position === undefined || position.seqno < 0n)) return { kind: 'unasked' };
  if (position === undefined || !isDefined(position)) return { kind: 'none', why: 'no-history' };
  if (grastate !== undefined && !sameHistory(grastate, position)) return { kind: 'none', why: 'contradiction' };
  const { uuid, seqno } = position;
  return { kind: 'position', position: { uuid, seqno }, safe: grastate?.safeToBootstrap === true, live: false };
}

function grastateOf({ grastate }: SeenMember): Grastate | undefined {
  return grastate === 'corrupt' ? undefined : grastate;
}

/** `00000000-…`, or nothing at all. */
export function isZero(uuid: HistoryUuid): boolean {
  return /^[0-]*$/.test(uuid);
}

function isDefined({ uuid, seqno }: Position): boolean {
  return !isZero(uuid) && seqno >= 0n;
}

/** The zero uuid is the same history as no other, itself included. */
export function sameHistory(a: Position, b: Position): boolean {
  return !isZero(a.uuid) && a.uuid.toLowerCase() === b.uuid.toLowerCase();
}

/**
 * Of members of one history: the most advanced first, then the flag of the one that left last, then one that runs, then
 * the inventory's order.
 */
export function compareVoters(a: Voter, b: Voter): number {
  const [x, y] = [a.vote, b.vote];
  if (x.kind !== 'position' || y.kind !== 'position') return a.at - b.at;
  if (x.position.seqno !== y.position.seqno) return x.position.seqno > y.position.seqno ? -1 : 1;
  return Number(y.safe) - Number(x.safe) || Number(y.live) - Number(x.live) || a.at - b.at;
}

/**
 * What joining a component of that position does to a member's data. `lives`: the component is a Primary one that runs,
 * so a member of its history whose position cannot be read has nothing that the majority has not.
 */
export function joinerOf(voter: Voter, at: Position | undefined, lives: boolean): Joiner {
  const { host, vote, evidence } = voter;
  const own = ownData(voter, at);
  const loss = own === 'ahead' || own === 'foreign' || own === 'unknown' || (own === 'unreadable' && !lives);
  const how = evidence.kind === 'seen' && evidence.live !== undefined ? 'restart' : 'start';
  const broken = vote.kind === 'none' && (vote.why === 'recovery-failed' || vote.why === 'cut-off-transfer');
  const position = vote.kind === 'position' ? { position: vote.position } : {};
  return { host, how, own, loss, ...position, ...(broken && how === 'start' ? { startsNot: true } : {}) };
}

function ownData({ vote, evidence }: Voter, at: Position | undefined): OwnData {
  if (vote.kind === 'position') return compared(vote.position, at);
  if (evidence.kind === 'unreachable') return 'unknown';
  const grastate = grastateOf(evidence);
  const none = vote.kind === 'none' ? vote.why : undefined;
  if (none === 'no-data') return 'nothing';
  if (none === 'cut-off-transfer' || (grastate !== undefined && isZero(grastate.uuid))) return 'no-history';
  if (none === 'left-the-group' && evidence.live && isDefined(evidence.live)) return compared(evidence.live, at);
  if (none === 'contradiction' || grastate === undefined || at === undefined) return 'unknown';
  return sameHistory(grastate, at) ? 'unreadable' : 'foreign';
}

function compared(own: Position, at: Position | undefined): OwnData {
  if (at === undefined) return 'unknown';
  if (!sameHistory(own, at)) return 'foreign';
  return own.seqno > at.seqno ? 'ahead' : 'older';
}

/** The most advanced first, then those whose position cannot be compared, then those without data. */
export function joinOrder(voters: readonly Voter[], at: Position | undefined, lives: boolean): Joiner[] {
  const rank = ({ vote }: Voter) => {
    if (vote.kind !== 'position') return vote.kind === 'none' && vote.why === 'no-data' ? 3 : 2;
    return at !== undefined && sameHistory(vote.position, at) ? 0 : 1;
  };
  return [...voters]
    .sort((a, b) => rank(a) - rank(b) || (rank(a) === 0 ? compareVoters(a, b) : a.at - b.at))
    .map((voter) => joinerOf(voter, at, lives));
}
