import type { HostName } from '../model/node.ts';
import { commonView } from './common-view.ts';
import type { DecideOptions, Decision, Reason, Refusal } from './decision.ts';
import type { MemberEvidence, Position } from './evidence.ts';
import { because, decideLiving } from './living.ts';
import {
  fromUnusable,
  historiesDiffer,
  missingEvidence,
  nobodyVotes,
  noMembers,
  noVoteText,
  split,
  tooSoon,
} from './refusals.ts';
import { compareVoters, hostsOf, joinOrder, type NoVote, sameHistory, type Voter, votersOf } from './votes.ts';

/** A second recovery earlier than this means that something brings the cluster down. */
const flappingSeconds = 3600;

type Electable = Voter & { readonly position: Position; readonly safe: boolean; readonly live: boolean };

/**
 * What to do about a Galera cluster. `members` are all of the group, in the inventory's order. Total and deterministic;
 * the order of the members decides between equals only. A member that could have commits of its own is never passed
 * over: without evidence of every member nothing is formed unless the operator names the member to do without, or to
 * take the data from.
 */
export function decide(members: readonly MemberEvidence[], options: DecideOptions = {}): Decision {
  const voters = votersOf(members);
  if (voters.length === 0) return { ...noMembers(), reasons: [] };
  const decision = decideLiving(voters, options) ?? decideDown(voters, options);
  return held(decision, options);
}

/** Nothing forms a cluster twice within the hour; that others join one, or that it forms by itself, is no recovery. */
function held(decision: Decision, { again, secondsSinceLastRecovery: since }: DecideOptions): Decision {
  if (again || since === undefined || since >= flappingSeconds) return decision;
  if (decision.kind === 'stop') return { ...tooSoon(decision.hosts, since), reasons: decision.reasons };
  if (decision.kind !== 'bootstrap' && decision.kind !== 'pc-bootstrap') return decision;
  return { ...tooSoon([decision.host], since), reasons: decision.reasons };
}

/** No member that answers is in a Primary component. */
function decideDown(voters: readonly Voter[], options: DecideOptions): Decision {
  const leftOut = (voter: Voter) => options.without?.includes(voter.host) === true;
  const missing = voters.filter((voter) => isMissing(voter) && !leftOut(voter));
  if (missing.some((voter) => has(voter, 'unreachable')))
    return {
      ...missingEvidence(options.force ? missing.filter((v) => has(v, 'unreachable')) : missing, false),
      reasons: [],
    };
  if (voters.every((voter) => has(voter, 'no-data')))
    return { kind: 'new-cluster', reasons: because('no-data-anywhere', hostsOf(voters)) };
  const refusal = options.force && unusable(voters, options.force.from);
  if (refusal) return { ...refusal, reasons: [] };
  const first = (options.waited || options.force ? undefined : waiting(voters)) ?? stopping(voters) ?? asking(voters);
  if (first) return first;
  if (options.force) return forced(voters, options.force.from);
  if (missing.length > 0 && voters.some(electable)) return { ...missingEvidence(missing, false), reasons: [] };
  return elect(voters);
}

function has({ vote }: Voter, why: NoVote): boolean {
  return vote.kind === 'none' && vote.why === why;
}

/** Has no say, and will not have one by being looked at or stopped. */
function isMissing(voter: Voter): boolean {
  return voter.vote.kind === 'none' && !has(voter, 'not-answering') && !has(voter, 'left-the-group');
}

/** Data that could be taken when an operator says so; half of a state transfer never is. */
function takeable(voters: readonly Voter[]): HostName[] {
  const none: readonly NoVote[] = ['unreachable', 'no-data', 'cut-off-transfer'];
  return hostsOf(voters.filter((voter) => !none.some((why) => has(voter, why))));
}

function unusable(voters: readonly Voter[], from: HostName): Refusal | undefined {
  const candidates = takeable(voters);
  if (candidates.includes(from)) return undefined;
  const vote = voters.find(({ host }) => host === from)?.vote;
  return fromUnusable(from, vote?.kind === 'none' ? noVoteText[vote.why] : 'is no member of the group', candidates);
}

function waiting(voters: readonly Voter[]): Decision | undefined {
  const common = commonView(voters);
  if (common === undefined) return undefined;
  if (common.kind === 'ask')
    return { kind: 'needs-positions', hosts: common.hosts, reasons: because('position-unknown', common.hosts) };
  return { kind: 'wait', start: common.start, view: common.id, reasons: because('common-view', common.hosts) };
}

function stopping(voters: readonly Voter[]): Decision | undefined {
  const silent = hostsOf(voters.filter((voter) => has(voter, 'not-answering')));
  const left = hostsOf(voters.filter((voter) => has(voter, 'left-the-group')));
  const hosts = hostsOf(voters).filter((host) => silent.includes(host) || left.includes(host));
  const reasons = [...because('not-answering', silent), ...because('left-the-group', left)];
  return hosts.length > 0 ? { kind: 'stop', hosts, reasons } : undefined;
}

function asking(voters: readonly Voter[]): Decision | undefined {
  const hosts = hostsOf(voters.filter(({ vote }) => vote.kind === 'unasked'));
  return hosts.length > 0 ? { kind: 'needs-positions', hosts, reasons: because('position-unknown', hosts) } : undefined;
}

function electable(voter: Voter): voter is Voter & { readonly vote: Extract<Voter['vote'], { kind: 'position' }> } {
  return voter.vote.kind === 'position';
}

/** Every member has a vote, or the operator does without it. */
function elect(voters: readonly Voter[]): Decision {
  const candidates = voters.filter(electable).map((voter): Electable => ({ ...voter, ...voter.vote }));
  const [best] = [...candidates].sort(compareVoters);
  const chosen = voters.find(({ host }) => host === best?.host);
  if (best === undefined || chosen === undefined) return { ...nobodyVotes(takeable(voters)), reasons: [] };
  if (candidates.some(({ position }) => !sameHistory(position, best.position)))
    return {
      ...historiesDiffer(
        candidates,
        candidates.map(({ position }) => position),
      ),
      reasons: [],
    };
  const reasons: Reason[] = [reasonFor(best, candidates), ...leftOutOf(voters)];
  return form(chosen, best.position, voters, { reasons, force: false });
}

function reasonFor(best: Electable, all: readonly Electable[]): Reason {
  const equal = all.filter(({ position }) => position.seqno === best.position.seqno);
  const members = [best.host];
  if (all.length === 1) return { rule: 'only-member', members };
  if (best.safe && all.filter(({ safe }) => safe).length === 1) return { rule: 'safe-flag', members };
  return equal.length > 1 ? { rule: 'tie', members: hostsOf(equal) } : { rule: 'most-advanced', members };
}

function leftOutOf(voters: readonly Voter[]): Reason[] {
  return because('left-out', hostsOf(voters.filter(({ vote }) => vote.kind === 'none')));
}

function forced(voters: readonly Voter[], from: HostName): Decision {
  const chosen = voters.find(({ host }) => host === from);
  if (chosen === undefined) return { ...nobodyVotes(takeable(voters)), reasons: [] };
  const position = chosen.vote.kind === 'position' ? chosen.vote.position : undefined;
  const reasons: Reason[] = [{ rule: 'forced', members: [from] }, ...leftOutOf(voters)];
  return form(chosen, position, voters, { reasons, force: true });
}

/**
 * A member that runs becomes Primary where it stands, with its view; as soon as another one is chosen, or the server
 * cannot do that, all that run are stopped first, so that two components never meet.
 */
function form(chosen: Voter, position: Position | undefined, voters: readonly Voter[], how: How): Decision {
  const running = voters.filter((voter) => liveView(voter) !== undefined);
  const rest = voters.filter((voter) => voter !== chosen && !has(voter, 'unreachable'));
  const joining = joinOrder(rest, position, false);
  const { host } = chosen;
  const { reasons } = how;
  if (running.length === 0) return { kind: 'bootstrap', host, position, donor: host, order: joining, reasons };
  const oneView = new Set(running.map(liveView)).size === 1;
  if (!oneView && !how.force) return { ...split(hostsOf(running), [host]), reasons };
  const view = hostsOf(running);
  const able = chosen.evidence.kind === 'seen' && takesPcBootstrap(chosen.evidence.live?.version ?? '');
  const alike = !joining.some((joiner) => joiner.loss && view.includes(joiner.host));
  if (view.includes(host) && oneView && able && alike) {
    const order = joining.filter((joiner) => !view.includes(joiner.host));
    const why = [...reasons, ...because('one-view', view)];
    return { kind: 'pc-bootstrap', host, position, view, donor: host, order, reasons: why };
  }
  const why = because(view.includes(host) && !able ? 'no-pc-bootstrap' : 'not-where-it-stands', view);
  return { kind: 'stop', hosts: view, reasons: [...reasons, ...why] };
}

interface How {
  readonly reasons: readonly Reason[];
  readonly force: boolean;
}

function liveView({ evidence }: Voter): string | undefined {
  return evidence.kind === 'seen' ? evidence.live?.viewId : undefined;
}

/** MDEV-32800: from 11.2 on the server refuses to set pc.bootstrap while it runs. What cannot be read is taken for it. */
function takesPcBootstrap(version: string): boolean {
  const [, major, minor] = /^(\d+)\.(\d+)/.exec(version) ?? [];
  if (major === undefined || minor === undefined) return false;
  return Number(major) < 11 || (Number(major) === 11 && Number(minor) < 2);
}
