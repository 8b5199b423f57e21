import type { Recovered } from '../core/galera/evidence.ts';
import type { HostName } from '../core/model/node.ts';
import type { DiffMode } from '../core/plan/file-diff.ts';
import type { MaxFail } from '../core/plan/max-fail.ts';
import type { RolloutLimits } from '../core/plan/rollout-limits.ts';
import type { RunEvent } from '../run/run.ts';

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
  /** How long to wait for another run's lock; not at all without it. */
  readonly lockWaitMs?: number | undefined;
  /** Look for what is no longer wanted on every host of the inventory, and remove it. */
  readonly prune?: boolean | undefined;
  readonly diff?: DiffMode | undefined;
  /** Go on without hosts that do not answer; undefined where that is not offered. */
  readonly skipUnreachable?: boolean | undefined;
}

export interface ChangeOptions extends SelectionOptions {
  /** The command line as it was typed, after the program's name. */
  readonly argv?: readonly string[] | undefined;
  readonly yes: boolean;
  readonly maxFail?: MaxFail | undefined;
  /** Told how far the data of a Galera member goes. */
  readonly onPosition?: ((host: HostName, recovered: Recovered) => void) | undefined;
  /** Told of every step as it begins and ends. */
  readonly onEvent?: ((event: RunEvent) => void) | undefined;
  /** Asked instead of the terminal when a command is part of something larger. Does not return when refused. */
  readonly confirm?: ((question: string) => Promise<boolean>) | undefined;
}
