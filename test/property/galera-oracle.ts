import type { DecideOptions, Decision, Joiner } from '../../src/core/galera/decision.ts';
import type { LiveStatus, MemberEvidence, Position, SeenMember } from '../../src/core/galera/evidence.ts';

/*
 * What must never be decided, and what must be, in the plainest words and without the code that decides: nothing but
 * types is imported.
 */

type Members = readonly MemberEvidence[];
type Of<K extends Decision['kind']> = Extract<Decision, { readonly kind: K }>;

const zero = '00000000-0000-0000-0000-000000000000';

export function liveOf(m: MemberEvidence): LiveStatus | undefined {
  return m.kind === 'seen' ? m.live : undefined;
}

export function runs(m: MemberEvidence): boolean {
  return m.kind === 'seen' && (m.container === 'running' || m.live !== undefined);
}

export function isPrimary(m: MemberEvidence): boolean {
  return liveOf(m)?.cluster === 'Primary';
}

function isGrastate(m: SeenMember, uuid: string): boolean {
  return m.grastate !== undefined && m.grastate !== 'corrupt' && m.grastate.uuid === uuid;
}

/** Where this member's data certainly is. Undefined: nobody knows. */
export function known(m: MemberEvidence): Position | undefined {
  if (m.kind === 'unreachable' || m.unfinishedTransfer) return undefined;
  let position: Position | undefined;
  if (m.live) position = m.live.cluster === 'Disconnected' ? undefined : m.live;
  else if (m.container === 'running' || m.data === 'missing' || isGrastate(m, zero)) return undefined;
  else if (m.recovered?.kind === 'failed') return undefined;
  else if (m.recovered) position = m.recovered.position;
  else if (m.grastate !== 'corrupt') position = m.grastate;
  if (position === undefined || position.uuid === zero || position.seqno < 0n) return undefined;
  const noted = m.live || m.grastate === 'corrupt' ? undefined : m.grastate;
  return noted && noted.uuid !== position.uuid ? undefined : position;
}

export function hasData(m: MemberEvidence): boolean {
  return m.kind === 'seen' && (m.data !== 'missing' || runs(m));
}

/** Sentences that the decision breaks. */
export function broken(members: Members, options: DecideOptions, decision: Decision): string[] {
  const wrong: string[] = [];
  const never = (bad: boolean, sentence: string) => {
    if (bad) wrong.push(sentence);
  };
  living(members, options, decision, never);
  if (decision.kind === 'bootstrap' || decision.kind === 'pc-bootstrap') forming(members, options, decision, never);
  if (decision.kind === 'rejoin') rejoining(members, options, decision, never);
  if (decision.kind === 'wait') waiting(members, options, decision, never);
  between(members, options, decision, never);
  return wrong;
}

type Never = (bad: boolean, sentence: string) => void;

function living(
  members: Members,
  { force, without, ...options }: DecideOptions,
  decision: Decision,
  never: Never,
): void {
  const primaries = members.flatMap((m) => (isPrimary(m) ? [liveOf(m)] : []));
  const forms = ['bootstrap', 'pc-bootstrap', 'new-cluster', 'wait', 'stop'].includes(decision.kind);
  never(
    force !== undefined && primaries.length > 0 && decision.kind !== 'refuse',
    '--from is refused while a Primary component lives',
  );
  never(forms && primaries.length > 0, 'nothing is formed, stopped or waited for while a Primary component lives');
  never(decision.kind === 'rejoin' && primaries.length === 0, 'nobody joins what does not live');
  const agree = primaries.every((live) => live?.uuid === primaries[0]?.uuid && live?.viewId === primaries[0]?.viewId);
  never(!agree && decision.kind !== 'refuse', 'two Primary components are refused whatever is typed');
  const silentlyOut = members.filter((m) => m.kind === 'unreachable' && !without?.includes(m.host));
  never(forms && silentlyOut.length > 0, 'nothing is formed, stopped or started while a member cannot be reached');
  const recent = (options.secondsSinceLastRecovery ?? Number.POSITIVE_INFINITY) < 3600 && !options.again;
  never(recent && ['bootstrap', 'pc-bootstrap', 'stop'].includes(decision.kind), 'no second recovery within the hour');
  const well = members.every((m) =>
    m.kind === 'unreachable' ? without?.includes(m.host) : isPrimary(m) && liveOf(m)?.state === 4,
  );
  never(
    decision.kind === 'healthy' && !(well && agree),
    'healthy means that every member is Synced in one Primary component',
  );
  never(force !== undefined && decision.kind === 'wait', 'what is forced does not wait');
}

function forming(
  members: Members,
  options: DecideOptions,
  decision: Of<'bootstrap' | 'pc-bootstrap'>,
  never: Never,
): void {
  const chosen = members.find((m) => m.host === decision.host);
  const own = chosen && known(chosen);
  const others = members.filter((m) => m !== chosen);
  never(chosen === undefined || !hasData(chosen), 'never from a member that has no data');
  never(chosen?.kind === 'seen' && chosen.unfinishedTransfer === true, 'never from half of a state transfer');
  never(
    own?.seqno !== decision.position?.seqno || own?.uuid !== decision.position?.uuid,
    'the position is the one found',
  );
  if (options.force) never(options.force.from !== decision.host, 'force means that member and no other');
  else {
    never(own === undefined, 'never from a member without a vote, without force');
    const votes = others.flatMap((m) => known(m) ?? []);
    never(
      votes.some((vote) => vote.uuid === own?.uuid && vote.seqno > own.seqno),
      'never while a voting member of the same uuid is ahead',
    );
    never(
      votes.some((vote) => vote.uuid !== own?.uuid),
      'never across uuids',
    );
    never(
      others.some((m) => known(m) === undefined && !options.without?.includes(m.host)),
      'never on missing evidence, without force',
    );
  }
  if (decision.kind === 'bootstrap') never(members.some(runs), 'never a new cluster beside a member that runs');
  else pcBootstrap(members, chosen, decision, never);
  joining(members, own, decision.order, true, never);
  never(
    decision.order.some((j) => j.host === decision.host),
    'the first one does not join itself',
  );
  const absent = others.filter((m) => m.kind === 'seen' && !decision.order.some((j) => j.host === m.host));
  never(
    absent.some((m) => decision.kind === 'bootstrap' || !runs(m)),
    'every member that was seen joins',
  );
}

function pcBootstrap(
  members: Members,
  chosen: MemberEvidence | undefined,
  decision: Of<'pc-bootstrap'>,
  never: Never,
): void {
  const live = chosen && liveOf(chosen);
  never(live?.cluster !== 'non-Primary', 'pc.bootstrap needs a member that runs outside of a Primary component');
  never(!/^(10\.|11\.[01]\.)/.test(live?.version ?? ''), 'pc.bootstrap cannot be set from 11.2 on');
  const running = members.filter(runs);
  never(
    running.some((m) => liveOf(m)?.viewId !== live?.viewId),
    'pc.bootstrap while all that run see each other',
  );
  never(
    running.some((m) => liveOf(m)?.uuid !== live?.uuid),
    'pc.bootstrap within one history',
  );
  never(
    running.some((m) => !decision.view.includes(m.host)),
    'the view is all that run',
  );
}

function rejoining(members: Members, options: DecideOptions, decision: Of<'rejoin'>, never: Never): void {
  const lives = members.flatMap((m) => (isPrimary(m) ? (liveOf(m) ?? []) : []));
  const at = lives.reduce((best, live) => (live.seqno > best.seqno ? live : best), lives[0] as Position);
  joining(members, at, decision.order, options.acceptLoss === true, never);
  const donors = members.filter((m) => decision.donors.includes(m.host));
  never(
    donors.some((m) => liveOf(m)?.state !== 4 || !isPrimary(m)),
    'only a Synced member donates',
  );
  const busy = members.filter((m) => isPrimary(m) && liveOf(m)?.state !== 4);
  never(
    busy.some((m) => !decision.waitFor.includes(m.host)),
    'donors and joiners are waited for',
  );
  for (const m of members) {
    const named = [...decision.order, ...decision.held].filter(({ host }) => host === m.host).length;
    const waited = decision.waitFor.includes(m.host);
    const settled = m.kind === 'unreachable' || (isPrimary(m) && liveOf(m)?.state === 4);
    never(
      settled ? named > 0 || waited : named + Number(waited) !== 1,
      'everybody joins, is waited for or held back, once',
    );
    never(named > 0 && runs(m) && liveOf(m)?.cluster === undefined, 'what starts is not touched');
  }
}

/** Whose data may be replaced, and whether it is said. */
function joining(
  members: Members,
  at: Position | undefined,
  order: readonly Joiner[],
  allowed: boolean,
  never: Never,
): void {
  const places: bigint[] = [];
  for (const joiner of order) {
    const m = members.find(({ host }) => host === joiner.host);
    const own = m && (known(m) ?? left(m));
    const more = own !== undefined && (at === undefined || own.uuid !== at.uuid || own.seqno > at.seqno);
    never(more && !joiner.loss, 'a loss is said');
    never(more && !allowed, 'no commits are given up without --accept-loss');
    never(m === undefined || m.kind === 'unreachable' || isPrimary(m), 'only members outside that can be reached join');
    if (m?.kind === 'seen' && own === undefined && hasData(m) && !m.unfinishedTransfer && !isGrastate(m, zero))
      never(!joiner.loss && !isGrastate(m, at?.uuid ?? ''), 'data of unknown history is a loss');
    if (own && !more) places.push(own.seqno);
  }
  never(
    places.some((seqno, i) => i > 0 && seqno > (places[i - 1] ?? seqno)),
    'the most advanced joins first',
  );
}

function left(m: MemberEvidence): Position | undefined {
  const live = liveOf(m);
  const whole =
    m.kind === 'seen' && !m.unfinishedTransfer && live !== undefined && live.uuid !== zero && live.seqno >= 0n;
  return whole ? live : undefined;
}

function waiting(members: Members, options: DecideOptions, decision: Of<'wait'>, never: Never): void {
  never(options.waited === true, 'what was waited for in vain is not waited for again');
  const views = members.flatMap((m) => {
    const view = m.kind === 'seen' && m.view !== 'corrupt' ? m.view : undefined;
    return view?.id === decision.view ? [{ m, view }] : [];
  });
  never(views.length * 2 <= members.length, 'a common view of a majority');
  const there = views.map(({ view }) => view.member);
  never(
    views.some(({ view }) => view.members.some((id) => !there.includes(id))),
    'the whole view is there',
  );
  const starts = members.filter((m) => decision.start.includes(m.host));
  never(
    starts.some((m) => runs(m) || !hasData(m) || !views.some((one) => one.m === m)),
    'only stopped members of that view start',
  );
  never(
    starts.some((m) => m.kind === 'seen' && m.unfinishedTransfer),
    'half of a state transfer is not started',
  );
  const inside = views.flatMap(({ m }) => known(m) ?? []);
  const outside = members.filter((m) => !views.some((one) => one.m === m)).flatMap((m) => known(m) ?? []);
  never(
    outside.some((o) => !inside.some((i) => i.uuid === o.uuid && i.seqno >= o.seqno)),
    'nobody outside of the view is ahead of it',
  );
}

function between(members: Members, options: DecideOptions, decision: Decision, never: Never): void {
  const of = (hosts: readonly string[]) => members.filter((m) => hosts.includes(m.host));
  if (decision.kind === 'stop') {
    never(decision.hosts.length === 0 || of(decision.hosts).some((m) => !runs(m)), 'only what runs is stopped');
  }
  if (decision.kind === 'needs-positions') {
    const asked = of(decision.hosts);
    never(asked.length === 0, 'somebody is asked');
    never(
      asked.some((m) => m.kind !== 'seen' || runs(m) || m.data === 'missing'),
      'only stopped members with data are asked',
    );
    never(
      asked.some((m) => m.kind === 'seen' && m.recovered !== undefined),
      'nobody is asked twice',
    );
    never(
      asked.some((m) => known(m) !== undefined),
      'nobody is asked what is known',
    );
  }
  if (decision.kind === 'new-cluster')
    never(
      members.some((m) => m.kind === 'unreachable' || hasData(m)),
      'a new cluster only where nothing is',
    );
  if (decision.kind === 'refuse') {
    const { who, message, hint, lift } = decision;
    never(message === '' || hint === '', 'a refusal says why, and what to do');
    never(
      who.some((host) => !members.some((m) => m.host === host) && host !== options.force?.from),
      'a refusal names members',
    );
    never(lift?.from?.some((from) => !of([from]).some(hasData)) === true, 'only data that is there can be forced');
  }
}
