import type { LiveStatus, MemberEvidence } from './evidence.ts';

/**
 * Outside of a Primary component views have no number that members share, and a member may know of the others in its
 * view nothing but how many there are. But a view is ordered by the ids of its members, and each knows its own place:
 * those that name the same size are in one view when their places follow the order of their ids. More of them than the
 * size says cannot be told apart, and count as apart.
 */
export function withCommonViews(members: readonly MemberEvidence[]): readonly MemberEvidence[] {
  const outside = members.flatMap(outsiderOf);
  return members.map((member) => {
    const [live] = outsiderOf(member);
    return member.kind === 'seen' && live ? { ...member, live: { ...live, viewId: viewOf(live, outside) } } : member;
  });
}

type Seated = LiveStatus & { readonly seat: NonNullable<LiveStatus['seat']> };

function outsiderOf(member: MemberEvidence): Seated[] {
  const live = member.kind === 'seen' ? member.live : undefined;
  return live?.cluster === 'non-Primary' && live.seat !== undefined ? [{ ...live, seat: live.seat }] : [];
}

function viewOf(live: Seated, outside: readonly Seated[]): string {
  const size = live.clusterSize;
  const alike = outside
    .filter(({ clusterSize }) => clusterSize === size)
    .toSorted((one, other) => (one.seat.id < other.seat.id ? -1 : 1));
  const places = alike.map(({ seat }) => seat.index);
  const one = places.length <= size && places.every((place, i) => place < size && place > (places[i - 1] ?? -1));
  return `${((one && alike[0]) || live).seat.id.slice(0, 8)} ${size}`;
}
