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
  /** Look for what is no longer wanted on every host of the inventory, and remove it. */
  readonly prune?: boolean | undefined;
}

export interface ChangeOptions extends SelectionOptions {
  readonly yes: boolean;
}
