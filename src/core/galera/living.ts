import type { DecideOptions, Decision, Joiner, Reason } from './decision.ts';
import type { LiveStatus } from './evidence.ts';
import { missingEvidence, primaryLives, twoClusters, twoComponents, wouldLose } from './refusals.ts';
import { hostsOf, joinOrder, sameHistory, type Voter } from './votes.ts';

interface Primary {
  readonly voter: Voter;
  readonly live: LiveStatus;
}

/** What to do while a Primary component lives: never form another, let the rest join. Undefined when none does. */
export function decideLiving(voters: readonly Voter[], options: DecideOptions): Decision | undefined {
  const primaries = primariesOf(voters);
  const [first] = primaries;
  if (first === undefined) return undefined;
  const hosts = primaries.map(({ voter }) => voter.host);
  const lives: Reason = { rule: 'primary-lives', members: hosts };
  const refusal = contradiction(primaries, first) ?? (options.force && primaryLives(hosts, options.force.from));
  if (refusal) return { ...refusal, reasons: [lives] };
  const unasked = hostsOf(voters.filter(({ vote }) => vote.kind === 'unasked'));
  if (unasked.length > 0)
    return {
      kind: 'needs-positions',
      hosts: unasked,
      reasons: [lives, { rule: 'position-unknown', members: unasked }],
    };
  return rejoin(voters, primaries, options, [lives, ...strangers(voters, primaries)]);
}

function primariesOf(voters: readonly Voter[]): Primary[] {
  return voters.flatMap((voter) => {
    const live = liveOf(voter);
    return live?.cluster === 'Primary' ? [{ voter, live }] : [];
  });
}

function liveOf({ evidence }: Voter): LiveStatus | undefined {
  return evidence.kind === 'seen' ? evidence.live : undefined;
}

function contradiction(primaries: readonly Primary[], first: Primary): ReturnType<typeof twoClusters> | undefined {
  const lives = primaries.map(({ live }) => live);
  const others = lives.slice(1);
  const who = primaries.map(({ voter }) => voter);
  if (others.some((live) => !sameHistory(live, first.live))) return twoClusters(who, lives);
  const one = (live: LiveStatus) => live.viewId === first.live.viewId && live.clusterSize === first.live.clusterSize;
  if (others.every(one) && first.live.clusterSize >= primaries.length) return undefined;
  return twoComponents(who.map(({ host }) => host));
}

/** More members in the view than there are in the group and could be in it. */
function strangers(voters: readonly Voter[], primaries: readonly Primary[]): Reason[] {
  const size = primaries[0]?.live.clusterSize ?? 0;
  const maybe = voters.filter(
    ({ vote }) => vote.kind === 'none' && (vote.why === 'unreachable' || vote.why === 'not-answering'),
  );
  const members = primaries.map(({ voter }) => voter.host);
  return size > primaries.length + maybe.length ? [{ rule: 'stranger', members }] : [];
}

function rejoin(
  voters: readonly Voter[],
  primaries: readonly Primary[],
  options: DecideOptions,
  reasons: readonly Reason[],
): Decision {
  const at = primaries.map(({ live }) => live).reduce((best, live) => (live.seqno > best.seqno ? live : best));
  const outside = voters.filter((voter) => liveOf(voter)?.cluster !== 'Primary');
  const away = outside.filter(({ evidence }) => evidence.kind === 'unreachable');
  const starting = outside.filter(({ vote }) => vote.kind === 'none' && vote.why === 'not-answering');
  const rest = joinOrder(
    outside.filter((voter) => !away.includes(voter) && !starting.includes(voter)),
    at,
    true,
  );
  const held = options.acceptLoss ? [] : rest.filter(({ loss }) => loss);
  // What runs in a view of its own joins by itself as soon as the network lets it.
  const cutOff = rest.filter((joiner) => !joiner.loss && isCutOff(outside, joiner)).map(({ host }) => host);
  const order = rest.filter((joiner) => !held.includes(joiner) && !cutOff.includes(joiner.host));
  const moving = primaries.filter(({ live }) => !isSynced(live)).map(({ voter }) => voter.host);
  const donors = primaries.filter(({ live }) => isSynced(live)).map(({ voter }) => voter.host);
  const waitFor = [...moving, ...hostsOf(starting), ...cutOff];
  const starts = because('starting', hostsOf(starting));
  const moves = because('state-transfer', moving);
  const all = [...reasons, ...moves, ...starts, ...because('cut-off-from-primary', cutOff)];
  const leftOut = because('left-out', hostsOf(away));
  // The load balancer gives writes to the first member that is up: it should donate last.
  if (order.length + waitFor.length > 0)
    return { kind: 'rejoin', waitFor, order, donors: donors.toReversed(), held, reasons: [...all, ...leftOut] };
  if (held.length > 0) return { ...wouldLose(held, at), reasons: all };
  const missing = away.filter(({ host }) => !options.without?.includes(host));
  if (missing.length > 0) return { ...missingEvidence(missing, true), reasons: all };
  return { kind: 'healthy', reasons: [...all, ...because('all-synced', donors), ...leftOut] };
}

function isCutOff(outside: readonly Voter[], { host }: Joiner): boolean {
  return outside.some((voter) => voter.host === host && liveOf(voter)?.cluster === 'non-Primary');
}

function isSynced({ state, ready, connected }: LiveStatus): boolean {
  return state === 4 && ready && connected;
}

export function because(rule: Reason['rule'], members: readonly string[]): Reason[] {
  return members.length > 0 ? [{ rule, members }] : [];
}
