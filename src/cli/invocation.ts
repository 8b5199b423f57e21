import type { ExitCode } from '../core/model/diagnostic.ts';
import type { DiffMode } from '../core/plan/file-diff.ts';
import { parseMaxFail } from '../core/plan/max-fail.ts';
import { parseAmount } from '../core/plan/rollout-limits.ts';
import { parseDuration } from './duration.ts';
import type { ChangeOptions } from './options.ts';
import type { Output } from './output.ts';
import type { VerbOptions } from './verbs.ts';

/** What the command line was parsed into; each command reads what it declares. */
export interface Invocation {
  readonly name: string;
  readonly args: readonly string[];
  readonly options: Readonly<Record<string, unknown>>;
  /** The command line as it was given, after the program's name. */
  readonly argv: readonly string[];
  /** Runs another command line in this process. */
  again(argv: readonly string[]): Promise<ExitCode>;
  /** The process's one sink; a command makes none of its own. */
  readonly output: Output;
}

function list(value: unknown): string[] {
  return Array.isArray(value) ? value.map(String) : typeof value === 'string' && value !== '' ? [value] : [];
}

function amount(value: unknown) {
  return typeof value === 'string' ? parseAmount(value) : undefined;
}

function diffMode(value: unknown): DiffMode | undefined {
  return value === 'none' || value === 'changed' || value === 'all' ? value : undefined;
}

/** Options as commander gives them, with the types the commands work with. */
export function changeOptions(options: Readonly<Record<string, unknown>>): ChangeOptions {
  return {
    configdir: String(options.configdir ?? '/etc/kolla'),
    inventory: list(options.inventory),
    extraVars: list(options.extraVars),
    forks: Number(options.forks ?? 12),
    json: options.json === true,
    knownHosts: list(options.knownHosts),
    tags: list(options.tags),
    skipTags: list(options.skipTags),
    limit: typeof options.limit === 'string' ? options.limit : undefined,
    rollout: { batch: amount(options.batch), maxUnavailable: amount(options.maxUnavailable) },
    prune: options.prune === true,
    diff: diffMode(options.diff),
    skipUnreachable: typeof options.skipUnreachable === 'boolean' ? options.skipUnreachable : undefined,
    maxFail: typeof options.maxFail === 'string' ? parseMaxFail(options.maxFail) : undefined,
    lockWaitMs: typeof options.lockWait === 'string' ? parseDuration(options.lockWait) : undefined,
    yes: options.yes === true || options.yesIReallyReallyMeanIt === true,
    confirm: typeof options.confirm === 'function' ? (options.confirm as ChangeOptions['confirm']) : undefined,
  };
}

/** What only some verbs take. */
export function verbOptions(options: Readonly<Record<string, unknown>>): VerbOptions {
  return { keepVolumes: options.keepVolumes === true };
}
