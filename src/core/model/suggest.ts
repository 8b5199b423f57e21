/** Levenshtein distance; small inputs only (names an operator typed). */
function distance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const current = [i];
    for (let j = 1; j <= b.length; j++) {
      const substituted = (previous[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      current.push(Math.min((previous[j] ?? 0) + 1, (current[j - 1] ?? 0) + 1, substituted));
    }
    previous = current;
  }
  return previous[b.length] ?? 0;
}

/** The known names nearest to a misspelled one, best first; at most three, none when nothing is near. */
export function nearest(name: string, known: Iterable<string>): string[] {
  const limit = Math.max(1, Math.floor(name.length / 3));
  return [...known]
    .map((candidate) => ({ candidate, d: distance(name.toLowerCase(), candidate.toLowerCase()) }))
    .filter(
      ({ candidate, d }) =>
        d <= limit || candidate.includes(name) || (candidate.length > 3 && name.includes(candidate)),
    )
    .sort((x, y) => x.d - y.d || x.candidate.localeCompare(y.candidate))
    .slice(0, 3)
    .map(({ candidate }) => candidate);
}

/** `did you mean magnum?` or undefined, ready to be a hint. */
export function didYouMean(name: string, known: Iterable<string>): string | undefined {
  const names = nearest(name, known);
  return names.length > 0 ? `did you mean ${names.join(' or ')}?` : undefined;
}
