import type { Selection } from '../graph/select.ts';
import type { Stage } from './stage.ts';

export interface EarlierStages {
  /** Names of those that change nodes. */
  readonly changing: readonly string[];
  /** Of these, those that change containers which this stage selects too. */
  readonly overlapping: readonly string[];
}

/**
 * What stages `before` another one mean for its plan, which is made before any of them has run. `changes` says
 * whether a command changes nodes.
 */
export function earlierStages(
  before: readonly Stage[],
  stage: Stage,
  selectionOf: (stage: string) => Selection | undefined,
  changes: (command: string) => boolean,
): EarlierStages {
  const changing = before
    .filter(({ skipped }) => !skipped)
    .filter(({ pull, verb }) => pull || (verb !== undefined && changes(verb.command)))
    .map(({ name }) => name);
  const own = selectionOf(stage.name) ?? new Map();
  return { changing, overlapping: changing.filter((name) => overlap(own, selectionOf(name) ?? new Map())) };
}

function overlap(one: Selection, other: Selection): boolean {
  return [...other].some(([service, { containers }]) => {
    const here = one.get(service)?.containers;
    return here !== undefined && [...containers].some((name) => here.has(name));
  });
}
