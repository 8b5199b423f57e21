/** A step as a run has begun it. */
export interface BegunStep {
  readonly id: string;
  readonly kind: string;
}

/** A place where a run is killed. */
export interface Point extends BegunStep {
  readonly when: 'before' | 'after';
  /** The how-many-th step of its kind in a run that nobody disturbs, from 1 on. */
  readonly n: number;
}

export function pointText({ kind, when, n }: Point): string {
  return `${kind}:${when}:${n}`;
}

/** `stop:after:2` or the start of one (`stop`, `stop:after`): which points it means. */
export function matches(point: Point, text: string): boolean {
  return `${pointText(point)}:`.startsWith(`${text}:`);
}

/** Every point of a run that began these steps, in their order. */
export function pointsOf(steps: readonly BegunStep[]): readonly Point[] {
  const counts = new Map<string, number>();
  return steps.flatMap(({ id, kind }) => {
    const n = (counts.get(kind) ?? 0) + 1;
    counts.set(kind, n);
    return (['before', 'after'] as const).map((when) => ({ id, kind, when, n }));
  });
}

/**
 * So many of these points, the same ones each time: of every kind and of before and after as evenly as there are any,
 * and within those from all over the run.
 */
export function sampleOf(points: readonly Point[], size: number): readonly Point[] {
  const groups = new Map<string, Point[]>();
  for (const point of points) {
    const name = `${point.kind} ${point.when}`;
    groups.set(name, [...(groups.get(name) ?? []), point]);
  }
  // Befores and afters take turns, so that a small sample has both.
  const sorted = [...groups.values()].sort((a, b) => turn(a, groups) - turn(b, groups));
  const chosen = new Set<Point>();
  for (let round = 0; chosen.size < Math.min(size, points.length); round++) {
    for (const [i, group] of sorted.entries()) {
      const left = group.filter((point) => !chosen.has(point));
      const pick = left[Math.floor(left.length * ((round + i) * 0.618 - Math.floor((round + i) * 0.618)))];
      if (pick !== undefined && chosen.size < size) chosen.add(pick);
    }
  }
  return points.filter((point) => chosen.has(point));
}

function turn(group: readonly Point[], groups: ReadonlyMap<string, unknown>): number {
  const [first] = group;
  const kinds = [...new Set([...groups.keys()].map((name) => name.split(' ')[0]))];
  const at = kinds.indexOf(first?.kind);
  // First one point of each kind, before and after in turns; then the other one of each.
  return (at % 2 === 0) === (first?.when === 'before') ? at : at + kinds.length;
}

/** The `index`-th of `count` parts (from 1 on), each from all over the run. */
export function partOf<T>(all: readonly T[], index: number, count: number): readonly T[] {
  return all.filter((_, i) => i % count === index - 1);
}

/**
 * Several kills in one course of a change: at the first point, and then again while the same command goes on. Each
 * course takes points from the early and the later parts of the run, in the run's order.
 */
export function courses(points: readonly Point[], kills: number): readonly (readonly Point[])[] {
  const count = Math.ceil(points.length / kills);
  return Array.from({ length: count }, (_, i) => points.filter((_, at) => at % count === i));
}
