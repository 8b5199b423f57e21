/** A part of the reason for a change: with values, and without those that may differ from host to host. */
export interface Explanation {
  readonly exact: string;
  readonly general: string;
}

/** What a plan with details can say about one container on one host; nothing when it knows nothing. */
export interface Explainer {
  settings(): readonly Explanation[];
  files(): readonly Explanation[];
}

export function plain(text: string): Explanation {
  return { exact: text, general: text };
}

/** What there is to say, or else `otherwise`. */
export function orElse(parts: readonly Explanation[] | undefined, otherwise: string): readonly Explanation[] {
  return parts !== undefined && parts.length > 0 ? parts : [plain(otherwise)];
}

/** The first three, and how many more. */
export function few(all: readonly string[]): string {
  const more = all.length - 3;
  return [...all.slice(0, 3), ...(more > 0 ? [`and ${more} more`] : [])].join(', ');
}

export function reasonOf(parts: readonly Explanation[]): string {
  return parts.map((part) => part.exact).join('; ');
}
