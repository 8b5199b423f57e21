import { type Diagnostic, error, failure, type Result, resultOf } from '../model/diagnostic.ts';
import { didYouMean } from '../model/suggest.ts';
import { parseWith } from '../schema/parse.ts';
import { parseYaml, type YamlDocument } from '../schema/yaml.ts';
import { type RunbookDefinition, runbookSchema, type StageDefinition } from './schema.ts';

/** What a stage may call, as the table of commands has it. */
export interface Vocabulary {
  /** Commands, `plan` not among them. */
  readonly verbs: readonly string[];
  /** What may follow `plan`. */
  readonly planned: readonly string[];
}

export interface RunbookFile {
  readonly definition: RunbookDefinition;
  /** As the operator would write it. */
  readonly file: string;
  readonly text: string;
  readonly document: YamlDocument;
}

/** A runbook's shape, and that its stages say something that can be done. All problems at once. */
export function parseRunbook(text: string, file: string, vocabulary: Vocabulary): Result<RunbookFile> {
  const document = parseYaml(text, file);
  if (!document.ok) return document;
  const parsed = parseWith(runbookSchema, document.value);
  if (!parsed.ok) return failure(parsed.diagnostics);
  const runbook: RunbookFile = { definition: parsed.value, file, text, document: document.value };
  const problems = runbook.definition.stages.flatMap((stage, i) => [
    ...duplicate(runbook, stage, i),
    ...verbProblems(runbook, stage, i, vocabulary),
    ...idleKeys(runbook, stage, i),
  ]);
  return resultOf(runbook, problems);
}

function duplicate({ definition, document }: RunbookFile, { stage }: StageDefinition, i: number): Diagnostic[] {
  const first = definition.stages.findIndex((other) => other.stage === stage);
  if (first === i) return [];
  const line = document.spanAt(['stages', first, 'stage']).line;
  const at = document.spanAt(['stages', i, 'stage']);
  return [error('duplicate-stage', `there is a stage ${stage} already, in line ${line}`, { at })];
}

function verbProblems(
  { document }: RunbookFile,
  { verb, expect }: StageDefinition,
  i: number,
  { verbs, planned }: Vocabulary,
): Diagnostic[] {
  const at = document.spanAt(['stages', i, 'verb']);
  const [command = '', ...args] = verb?.split(/\s+/) ?? [];
  const problems: Diagnostic[] = [];
  const unknown = (message: string, name: string, known: readonly string[]) => {
    const hint = didYouMean(name, known) ?? `one of ${known.join(', ')}`;
    problems.push(error('unknown-verb', message, { at, hint }));
  };
  if (command === 'plan') {
    const [what = ''] = args;
    if (!planned.includes(what)) unknown(`verb: a stage cannot plan ${what || 'nothing'}`, what, planned);
    if (args.length > 1) problems.push(error('unknown-verb', `verb: ${args.slice(1).join(' ')} is too much`, { at }));
  } else if (verb !== undefined && !verbs.includes(verb)) {
    if (verbs.includes(command)) {
      const hint = 'tags, skip_tags and limit are keys of the stage';
      problems.push(error('unknown-verb', `verb: only ${command}, without ${args.join(' ')}`, { at, hint }));
    } else unknown(`verb: a stage cannot ${command}`, command, [...verbs, 'plan']);
  }
  if (expect !== undefined && command !== 'plan') {
    const place = document.keyAt(['stages', i, 'expect']);
    problems.push(error('useless-key', 'expect belongs to a verb that begins with plan', { at: place }));
  }
  return problems;
}

/** Keys that would do nothing are slips: a selection without anything that selects, a stage without any part. */
function idleKeys({ document }: RunbookFile, stage: StageDefinition, i: number): Diagnostic[] {
  const at = document.spanAt(['stages', i, 'stage']);
  if (!stage.note && !stage.build && !stage.pull && !stage.verb && !stage.pause && stage.gate.length === 0) {
    const hint = 'give it a verb, build, pull, gate, pause or note';
    return [error('empty-stage', `stage ${stage.stage} does nothing`, { at, hint })];
  }
  if (stage.verb || stage.pull) return [];
  return (['tags', 'skip_tags', 'limit'] as const)
    .filter((key) => stage[key] !== undefined && stage[key].length > 0)
    .map((key) =>
      error('useless-key', `${key} selects for a verb or a pull, and stage ${stage.stage} has neither`, {
        at: document.keyAt(['stages', i, key]),
      }),
    );
}
