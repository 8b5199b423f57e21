import { evaluateGate } from '../desired/gate.ts';
import { type Diagnostic, error, failure, type Result, resultOf, warning } from '../model/diagnostic.ts';
import type { ContainerName, HostName } from '../model/node.ts';
import { didYouMean } from '../model/suggest.ts';
import type { YamlPath } from '../schema/yaml.ts';
import { VariableError } from '../site/variable-error.ts';
import type { Locals, Scope } from '../site/variables.ts';
import type { RunbookFile } from './runbook-file.ts';
import type { StageDefinition } from './schema.ts';
import type { Stage, StageGate } from './stage.ts';

/** What the expressions of a runbook are evaluated with. */
export interface RunbookSite {
  /** Of the host the gates are asked from. */
  readonly scope: Scope;
  readonly secrets: readonly string[];
  readonly containers: ReadonlyMap<ContainerName, readonly HostName[]>;
}

export interface ResolvedRunbook {
  readonly name: string;
  readonly summary: string;
  readonly file: string;
  readonly stages: readonly Stage[];
  /** What the declared variables are in this run. */
  readonly variables: Locals;
}

/** Every expression of a runbook evaluated, before its first stage starts: a slip in the last one is found now. */
export function resolveRunbook(runbook: RunbookFile, site: RunbookSite): Result<ResolvedRunbook> {
  const diagnostics: Diagnostic[] = [];
  const variables = declaredVariables(runbook, site.scope, diagnostics);
  if (diagnostics.length > 0) return failure(diagnostics);
  diagnostics.push(...misspelled(runbook, site.scope));
  const { definition, file } = runbook;
  const stages = definition.stages.map((stage, i) =>
    new StageReader(runbook, i, site, variables, diagnostics).stage(stage),
  );
  return resultOf({ name: definition.runbook, summary: definition.summary, file, stages, variables }, diagnostics);
}

/** A variable is what `-e` or the site says, else the runbook's default. */
function declaredVariables({ definition, document }: RunbookFile, site: Scope, diagnostics: Diagnostic[]): Locals {
  const values: Record<string, unknown> = {};
  for (const [name, { summary, default: preset }] of Object.entries(definition.variables)) {
    const at = document.keyAt(['variables', name]);
    if (site.has(name)) values[name] = keep(diagnostics, () => site.get(name, at));
    else if (preset !== undefined) {
      const place = document.textAt(['variables', name, 'default']);
      values[name] = keep(diagnostics, () => site.evaluate(preset, place));
    } else {
      const hint = `add -e ${name}=VALUE`;
      diagnostics.push(error('missing-variable', `this runbook needs ${name}: ${summary}`, { at, hint }));
    }
  }
  return values;
}

/** Variables nobody but `-e` knows, with nearly the name of one of the runbook's: it would take its default unnoticed. */
function misspelled({ definition }: RunbookFile, scope: Scope): Diagnostic[] {
  const declared = Object.keys(definition.variables);
  const given = scope.names().filter((name) => {
    const layers = scope.origin(name)?.layers ?? [];
    return layers.length > 0 && layers.every((layer) => layer.name.startsWith('-e')) && !declared.includes(name);
  });
  return given.flatMap((name) => {
    const hint = didYouMean(name, declared);
    const at = scope.origin(name)?.at;
    return hint === undefined ? [] : [warning('unknown-variable', `nothing uses the variable ${name}`, { at, hint })];
  });
}

class StageReader {
  readonly #runbook: RunbookFile;
  readonly #path: YamlPath;
  readonly #number: number;
  readonly #site: RunbookSite;
  readonly #variables: Locals;
  readonly #diagnostics: Diagnostic[];

  constructor(runbook: RunbookFile, index: number, site: RunbookSite, variables: Locals, diagnostics: Diagnostic[]) {
    this.#runbook = runbook;
    this.#path = ['stages', index];
    this.#number = index + 1;
    this.#site = site;
    this.#variables = variables;
    this.#diagnostics = diagnostics;
  }

  stage(stage: StageDefinition): Stage {
    const [command = '', planned = ''] = stage.verb?.split(/\s+/) ?? [];
    return {
      name: stage.stage,
      number: this.#number,
      at: this.#runbook.document.spanAt([...this.#path, 'stage']),
      note: this.#text(stage.note, ['note']),
      skipped: !this.#isTrue(stage.when, ['when']),
      build: stage.build && { images: this.#names(stage.build.images, ['build', 'images']), push: stage.build.push },
      pull: stage.pull,
      verb: stage.verb === undefined ? undefined : { command, verb: command === 'plan' ? planned : command },
      tags: this.#names(stage.tags, ['tags']),
      skipTags: this.#names(stage.skip_tags, ['skip_tags']),
      limit: this.#text(stage.limit, ['limit']),
      mustBeEmpty: stage.expect === 'empty',
      pause: this.#text(stage.pause, ['pause']),
      gates: stage.gate.flatMap((gate, i) => this.#gate(gate, i)),
    };
  }

  #place(path: YamlPath) {
    return () => this.#runbook.document.textAt([...this.#path, ...path]);
  }

  #value(value: unknown, path: YamlPath): unknown {
    return keep(this.#diagnostics, () => this.#site.scope.evaluate(value, this.#place(path), this.#variables));
  }

  #isTrue(value: unknown, path: YamlPath): boolean {
    const truth = keep(this.#diagnostics, () => this.#site.scope.boolean(value, this.#place(path), this.#variables));
    return truth ?? true;
  }

  #text(written: string | undefined, path: YamlPath): string | undefined {
    const value = written === undefined ? undefined : this.#value(written, path);
    return value === undefined || value === null || value === '' ? undefined : String(value).trimEnd();
  }

  #names(written: string | readonly string[], path: YamlPath): string[] {
    if (typeof written === 'string') return namesOf(this.#value(written, path));
    return written.flatMap((item, i) => namesOf(this.#value(item, [...path, i])));
  }

  #gate(gate: StageDefinition['gate'][number], i: number): StageGate[] {
    const { scope, secrets, containers } = this.#site;
    const path = [...this.#path, 'gate', i];
    const at = (inside: YamlPath) => this.#runbook.document.spanAt([...path, ...inside]);
    const named = { ...gate, name: this.#text(gate.name, ['gate', i, 'name']) };
    const evaluated = evaluateGate(named, {
      host: scope.host,
      diagnostics: this.#diagnostics,
      secrets,
      databases: [],
      containers,
      value: (field, inside) => this.#value(field, ['gate', i, ...inside]),
      variable: (name) => String(keep(this.#diagnostics, () => scope.get(name, at([]))) ?? ''),
      at,
    });
    return evaluated ? [{ ...evaluated, at: at([]) }] : [];
  }
}

/** Names from a list, or from a text of names between commas; an empty text has none. */
function namesOf(value: unknown): string[] {
  const items = Array.isArray(value) ? value.map(String) : String(value ?? '').split(',');
  return items.map((item) => item.trim()).filter((item) => item !== '');
}

/** What went wrong is about the runbook, not about the host whose variables it is evaluated with. */
function keep<T>(diagnostics: Diagnostic[], evaluate: () => T): T | undefined {
  try {
    return evaluate();
  } catch (cause) {
    if (!(cause instanceof VariableError)) throw cause;
    diagnostics.push({ ...cause.diagnostic, host: undefined });
    return undefined;
  }
}
