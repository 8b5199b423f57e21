import type { HostName } from '../model/node.ts';
import type { View } from './evidence.ts';
import { sameHistory, type Voter } from './votes.ts';

/** Members that were the last Primary component together, by what each of them noted of it. */
export type CommonView =
  | {
      readonly kind: 'complete';
      readonly id: string;
      readonly hosts: readonly HostName[];
      readonly start: readonly HostName[];
    }
  /** It would be complete, but somebody outside of it may be ahead: these have to be asked first. */
  | { readonly kind: 'ask'; readonly hosts: readonly HostName[] };

interface Carrier {
  readonly voter: Voter;
  readonly view: View;
}

/**
 * The last view that a majority of the group has in common, if Galera can form a Primary component of it by itself: it
 * does so only when every member of that view is back. Not when a member outside of it has another history, or has
 * gone on since: what would form is then not the latest.
 */
export function commonView(voters: readonly Voter[]): CommonView | undefined {
  const carriers = voters.flatMap(carrierOf);
  const [first] = carriers.filter(({ view }) => countOf(carriers, view.id) * 2 > voters.length);
  if (first === undefined) return undefined;
  const inside = carriers.filter(({ view }) => view.id === first.view.id);
  if (!isComplete(inside)) return undefined;
  // They see each other already, and Galera did not think it was enough.
  const seen = new Set(inside.map(({ voter }) => liveView(voter)));
  if (seen.size === 1 && !seen.has(undefined)) return undefined;
  const outside = voters.filter((voter) => !inside.some((carrier) => carrier.voter === voter));
  const stopped = inside.map(({ voter }) => voter).filter(({ vote }) => vote.kind === 'unasked' || isStopped(vote));
  const unasked = [...outside, ...stopped].filter(({ vote }) => vote.kind === 'unasked').map(({ host }) => host);
  if (outside.some(({ vote }) => vote.kind === 'position' || vote.kind === 'unasked') && unasked.length > 0)
    return { kind: 'ask', hosts: voters.map(({ host }) => host).filter((host) => unasked.includes(host)) };
  if (
    !isLatest(
      inside.map(({ voter }) => voter),
      outside,
    )
  )
    return undefined;
  const hosts = inside.map(({ voter }) => voter.host);
  return { kind: 'complete', id: first.view.id, hosts, start: stopped.map(({ host }) => host) };
}

/** What is no copy of a history, or cannot be opened, is not started for its view. */
function carrierOf(voter: Voter): Carrier[] {
  const { evidence, vote } = voter;
  if (evidence.kind === 'unreachable' || evidence.view === undefined || evidence.view === 'corrupt') return [];
  if (vote.kind === 'none' && vote.why !== 'not-answering') return [];
  return [{ voter, view: evidence.view }];
}

function countOf(carriers: readonly Carrier[], id: string): number {
  return carriers.filter(({ view }) => view.id === id).length;
}

function isComplete(inside: readonly Carrier[]): boolean {
  const ids = new Set(inside.map(({ view }) => view.member));
  return inside.every(({ view }) => view.members.length > 0 && view.members.every((id) => ids.has(id)));
}

function isStopped(vote: Voter['vote']): boolean {
  return vote.kind === 'position' && !vote.live;
}

function liveView({ evidence }: Voter): string | undefined {
  return evidence.kind === 'seen' ? evidence.live?.viewId : undefined;
}

/** As far as positions are known: one history inside, and nobody outside who is ahead of all of it. */
function isLatest(inside: readonly Voter[], outside: readonly Voter[]): boolean {
  const known = inside.flatMap(({ vote }) => (vote.kind === 'position' ? [vote.position] : []));
  const others = outside.flatMap(({ vote }) => (vote.kind === 'position' ? [vote.position] : []));
  const [one] = known;
  if (one === undefined) return others.length === 0;
  return (
    [...known, ...others].every((position) => sameHistory(position, one)) &&
    others.every((other) => known.some(({ seqno }) => seqno >= other.seqno))
  );
}
