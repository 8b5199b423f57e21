import { hashOf } from '../hash.ts';
import { type Diagnostic, error, failure, type Result, success } from '../model/diagnostic.ts';
import { didYouMean } from '../model/suggest.ts';

/** How far a runbook got on a site; what is kept of it between two runs. */
export interface RunbookProgress {
  readonly format: 1;
  readonly runbook: string;
  /** Hash of the runbook's text. */
  readonly text: string;
  /** Hash of its variables and of what was given with `-e`: they may hold secrets. */
  readonly variables: string;
  /** Names of finished stages, in their order. */
  readonly finished: readonly string[];
}

export function newProgress(runbook: string, text: string, variables: unknown): RunbookProgress {
  return { format: 1, runbook, text: hashOf(text), variables: hashOf(variables), finished: [] };
}

export interface Start {
  /** Index of the first stage to be carried out. */
  readonly index: number;
  /** Stages before it, as this run is to record them. */
  readonly finished: readonly string[];
  /** What the operator has to know about that choice. */
  readonly notice?: string | undefined;
}

/**
 * Where a run starts: at `from`; else after what an earlier run of the same text with the same variables finished;
 * else at the first stage. After an edit only the operator can say what is still true.
 */
export function startOf(
  stages: readonly string[],
  now: RunbookProgress,
  earlier: RunbookProgress | undefined,
  from: string | undefined,
): Result<Start> {
  if (from !== undefined) {
    const index = stages.indexOf(from);
    if (index >= 0) return success({ index, finished: stages.slice(0, index) });
    const hint = didYouMean(from, stages) ?? `its stages: ${stages.join(', ')}`;
    return failure([error('unknown-stage', `--from ${from}: the runbook has no such stage`, { hint })]);
  }
  const finished = earlier?.finished ?? [];
  if (earlier === undefined || finished.length === 0) return success({ index: 0, finished: [] });
  const changed = changes(now, earlier);
  if (changed !== undefined) return failure([edited(changed, finished, stages)]);
  const index = stages.findIndex((stage) => !finished.includes(stage));
  if (index < 0) return success({ index: 0, finished: [] });
  const notice = `${said(finished)} finished by an earlier run (give --from ${stages[0]} to do them again)`;
  return success({ index, finished: stages.slice(0, index), notice });
}

function changes(now: RunbookProgress, earlier: RunbookProgress): string | undefined {
  if (now.text !== earlier.text) return 'the runbook was edited';
  return now.variables === earlier.variables ? undefined : 'the variables are others';
}

function edited(changed: string, finished: readonly string[], stages: readonly string[]): Diagnostic {
  const next = stages.find((stage) => !finished.includes(stage));
  const on = next === undefined ? '' : `, --from ${next} to go on`;
  const hint = `say where to start: --from ${stages[0]} to begin anew${on}`;
  return error('runbook-changed', `${changed} since ${said(finished)} finished by an earlier run`, { hint });
}

function said(finished: readonly string[]): string {
  return `${finished.length === 1 ? 'stage' : 'stages'} ${finished.join(', ')} ${finished.length === 1 ? 'was' : 'were'}`;
}
