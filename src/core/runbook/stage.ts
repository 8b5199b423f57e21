import type { EvaluatedGate } from '../desired/gate.ts';
import type { SourceSpan } from '../model/diagnostic.ts';

/** A stage with every expression evaluated. */
export interface Stage {
  readonly name: string;
  /** Counted from 1, among all stages of the runbook. */
  readonly number: number;
  readonly at: SourceSpan;
  readonly note?: string | undefined;
  /** Its `when` is false. */
  readonly skipped: boolean;
  readonly build?: { readonly images: readonly string[]; readonly push: boolean } | undefined;
  readonly pull: boolean;
  /** `command` is one of the program's; `verb` is what it plans or carries out. */
  readonly verb?: { readonly command: string; readonly verb: string } | undefined;
  readonly tags: readonly string[];
  readonly skipTags: readonly string[];
  readonly limit?: string | undefined;
  readonly mustBeEmpty: boolean;
  readonly pause?: string | undefined;
  readonly gates: readonly StageGate[];
}

export type StageGate = EvaluatedGate & { readonly at: SourceSpan };

/** One command of a stage, as an operator would type it. */
export interface StageCommand {
  readonly name: string;
  readonly args: readonly string[];
  readonly options: {
    readonly tags?: readonly string[];
    readonly skipTags?: readonly string[];
    readonly limit?: string | undefined;
    readonly push?: boolean;
  };
}

/** The commands a stage consists of, in their order. */
export function stageCommands(stage: Stage): { build?: StageCommand; pull?: StageCommand; verb?: StageCommand } {
  const { tags, skipTags, limit } = stage;
  const options = { tags, skipTags, limit };
  return {
    ...(stage.build && { build: { name: 'build', args: stage.build.images, options: { push: stage.build.push } } }),
    ...(stage.pull && { pull: { name: 'pull', args: [], options } }),
    ...(stage.verb && {
      verb: {
        name: stage.verb.command,
        args: stage.verb.command === 'plan' ? [stage.verb.verb] : [],
        options,
      },
    }),
  };
}

/** `deploy upgrade --tags magnum --skip-tags common` */
export function commandText({ name, args, options }: StageCommand): string {
  const lists = [
    options.tags?.length ? ['--tags', options.tags.join(',')] : [],
    options.skipTags?.length ? ['--skip-tags', options.skipTags.join(',')] : [],
    options.limit === undefined ? [] : ['--limit', options.limit],
    options.push ? ['--push'] : [],
  ];
  return ['deploy', name, ...args, ...lists.flat()].join(' ');
}
