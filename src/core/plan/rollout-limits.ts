/** Replicas of a group: a number of them, or a share of the group in percent. */
export type Amount = { readonly replicas: number } | { readonly percent: number };

/** What the operator says about this one run; each wins over the definitions of the services. */
export interface RolloutLimits {
  readonly batch?: Amount | undefined;
  readonly maxUnavailable?: Amount | undefined;
}

/** `2` or `25%`; undefined for anything else. Nothing at all cannot be asked for: no rollout would ever move. */
export function parseAmount(text: string): Amount | undefined {
  const parts = /^([1-9]\d{0,5})(%?)$/.exec(text.trim());
  if (!parts) return undefined;
  const number = Number(parts[1]);
  if (parts[2] === '') return { replicas: number };
  return number <= 100 ? { percent: number } : undefined;
}

/** Replicas an amount stands for in a group; a share is rounded down, but is never less than one. */
export function replicasOf(amount: Amount, group: number): number {
  if ('replicas' in amount) return amount.replicas;
  return Math.max(1, Math.floor((group * amount.percent) / 100));
}

export interface RolloutSize {
  /** Replicas replaced at once. */
  readonly batch: number;
  /** Replicas that must serve beside them. */
  readonly keep: number;
}

/**
 * How many replicas of a group may be away at once: the smaller of batch and limit, never more than the group has.
 * `missing` of them are away all the time.
 */
export function rolloutSize(defined: number, group: number, limits: RolloutLimits, missing = 0): RolloutSize {
  const wanted = limits.batch === undefined ? defined : replicasOf(limits.batch, group);
  const away = limits.maxUnavailable === undefined ? wanted : replicasOf(limits.maxUnavailable, group);
  return { batch: Math.max(1, Math.min(wanted, away - missing)), keep: Math.max(0, group - away) };
}
