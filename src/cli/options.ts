import type { DiffMode } from '../core/plan/file-diff.ts';
import type { RolloutLimits } from '../core/plan/rollout-limits.ts';

/** What every command that looks at a site takes, as commander parsed it. */
export interface SiteOptions {
  readonly configdir: string;
  readonly inventory: readonly string[];
  readonly extraVars: readonly string[];
  readonly forks: number;
  readonly json: boolean;
  readonly knownHosts: readonly string[];
}

export interface SelectionOptions extends SiteOptions {
  readonly tags: readonly string[];
  readonly skipTags: readonly string[];
  readonly limit: string | undefined;
  readonly rollout: RolloutLimits;
  readonly diff?: DiffMode | undefined;
}

export interface ChangeOptions extends SelectionOptions {
  readonly yes: boolean;
}
