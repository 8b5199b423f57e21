import type { SourceSpan } from '../model/diagnostic.ts';
import type { HostName } from '../model/node.ts';
import type { Engine, Outcome } from './jinja-engine.ts';
import { pythonText } from './jinja-filters.ts';
import {
  type Mention,
  type ScanProblem,
  type Segment,
  scanTemplate,
  stringValue,
  type Template,
  type Token,
} from './jinja-scan.ts';
import { VariableError } from './variable-error.ts';

/** Where a template finds names, and how it says that it did not. */
export interface Surroundings {
  readonly engine: Engine;
  readonly templates: Map<string, Template | ScanProblem>;
  readonly host: HostName;
  hosts(): readonly HostName[];
  /** Value of a variable of a host; throws VariableError. */
  lookup(host: HostName, name: string, at: () => SourceSpan): unknown;
  /** Place of an offset in the template. */
  at(offset: number): SourceSpan;
  fail(code: string, message: string, at: SourceSpan, hint?: string): VariableError;
}

type Block = Exclude<Segment, { kind: 'text' }>;

/** A name a template mentions that has no value: an error as soon as the engine touches it. */
interface Missing {
  readonly mention: Mention;
  readonly failure: VariableError;
}

interface Prepared {
  readonly names: Record<string, unknown>;
  readonly missing: Missing[];
}

/** The value of a template; throws VariableError. */
export function evaluateTemplate(text: string, around: Surroundings): unknown {
  const template = parsed(text, around.templates);
  if ('problem' in template) {
    throw around.fail('template-syntax', `malformed expression: ${template.problem}`, around.at(template.offset));
  }
  if (template.statements) return renderStatements(template, around);
  const [only] = template.segments;
  if (template.segments.length === 1 && only?.kind === 'expression') return evaluateExpression(template, only, around);
  return template.segments
    .map((segment) =>
      segment.kind === 'text' ? segment.text : pythonText(evaluateExpression(template, segment, around)),
    )
    .join('');
}

function parsed(text: string, templates: Map<string, Template | ScanProblem>): Template | ScanProblem {
  const known = templates.get(text);
  if (known) return known;
  const template = scanTemplate(text);
  templates.set(text, template);
  return template;
}

function evaluateExpression(template: Template, block: Block, around: Surroundings): unknown {
  const [mention] = block.mentions;
  if (block.kind === 'expression' && mention && mention.start === block.from && mention.end === block.to) {
    if (mention.name !== 'hostvars') return followPath(mention, around);
  }
  const prepared = prepare([block], around);
  const source = rewrite(template.text, block, prepared.missing);
  return settle(
    around.engine.expression(source, prepared.names),
    prepared,
    around,
    block.kind === 'expression' ? block.from : block.start,
  );
}

/** `{{ name.path }}`: no engine needed, and maps keep the order of their keys. */
function followPath(mention: Mention, around: Surroundings): unknown {
  const at = (): SourceSpan => around.at(mention.start);
  const value = walk(around.lookup(around.host, mention.name, at), mention.path);
  if (value === undefined) throw missingPath(mention, around);
  return value;
}

function missingPath(mention: Mention, around: Surroundings): VariableError {
  const path = [mention.name, ...mention.path].join('.');
  return around.fail(
    'undefined-variable',
    `${path} is not defined`,
    around.at(mention.start),
    `${mention.name} is defined, but has nothing of that name`,
  );
}

/** Undefined when there is nothing at the path. Attributes of texts and lists are left to the engine (`null`). */
function walk(value: unknown, path: readonly string[]): unknown {
  let here = value;
  for (const key of path) {
    if (Array.isArray(here) && /^\d+$/.test(key)) here = here[Number(key)];
    else if (here === null || typeof here !== 'object' || !Object.hasOwn(here, key)) return undefined;
    else here = (here as Record<string, unknown>)[key];
  }
  return here;
}

/** Evaluates what the blocks mention, before the engine is entered; failures wait until it turns out they matter. */
function prepare(blocks: readonly Block[], around: Surroundings): Prepared {
  const names: Record<string, unknown> = {};
  const missing: Missing[] = [];
  for (const block of blocks) {
    for (const mention of block.mentions) {
      if (mention.name === 'hostvars') {
        names.hostvars = hostVariables(block.tokens, mention, around, names.hostvars, missing);
        continue;
      }
      try {
        const value = around.lookup(around.host, mention.name, () => around.at(mention.start));
        names[mention.name] = value;
        if (walk(value, mention.path) === undefined) missing.push({ mention, failure: missingPath(mention, around) });
      } catch (failure) {
        if (!(failure instanceof VariableError)) throw failure;
        // `default` is for names without value, not for values that are wrong.
        if (mention.guarded && failure.diagnostic.code !== 'undefined-variable') throw failure;
        missing.push({ mention, failure });
      }
    }
  }
  return { names, missing };
}

/**
 * `hostvars` with only the variables that stand by name in the expression, of the hosts it can mean.
 * A whole one would mean evaluating every variable of every host.
 */
function hostVariables(
  tokens: readonly Token[],
  mention: Mention,
  around: Surroundings,
  earlier: unknown,
  missing: Missing[],
): Record<string, unknown> {
  const words = tokens.map((token) => (token.kind === 'string' ? stringValue(token.text) : token.text));
  const wanted = new Set(words.filter((word, i) => isKey(tokens, i) && word !== 'hostvars'));
  const index = tokens.findIndex(({ start }) => start === mention.start);
  const subscript = tokens[index + 1]?.text === '[' && tokens[index + 3]?.text === ']' ? tokens[index + 2] : undefined;
  const named = subscript?.kind === 'string' ? stringValue(subscript.text) : mention.path[0];
  const own = subscript?.text === 'inventory_hostname' ? around.host : named;
  const hosts = around.hosts().filter((host) => own === undefined || host === own);
  const result = { ...(earlier as Record<string, Record<string, unknown>> | undefined) };
  for (const host of hosts) {
    const values: Record<string, unknown> = { ...result[host] };
    for (const name of wanted) {
      try {
        values[name] = around.lookup(host, name, () => around.at(mention.start));
      } catch (failure) {
        if (!(failure instanceof VariableError)) throw failure;
        if (failure.diagnostic.code !== 'undefined-variable')
          missing.push({ mention: { ...mention, guarded: true }, failure });
      }
    }
    result[host] = values;
  }
  return result;
}

function isKey(tokens: readonly Token[], i: number): boolean {
  const token = tokens[i];
  return token?.kind === 'string' || (token?.kind === 'name' && tokens[i - 1]?.text === '.');
}

/**
 * The engine takes a name without value for empty text in `~`, lists and arguments. So such a mention becomes one
 * that it cannot take (`name.missing.missing`), unless `default` or `is defined` follows.
 */
function rewrite(text: string, block: Block, missing: readonly Missing[]): string {
  const [from, to] = block.kind === 'expression' ? [block.from, block.to] : [block.start, block.end];
  const edits = missing
    .filter(({ mention }) => mention.name !== 'hostvars' && mention.start >= from && mention.end <= to)
    .map(({ mention: { start, end, guarded } }) => ({ start, end, text: guarded ? '__missing' : '__missing.value' }));
  block.tokens.forEach((token, i) => {
    const [dot, open] = [block.tokens[i - 1], block.tokens[i + 1]];
    // The engine's maps have no method `get`.
    if (token.text === 'get' && dot?.text === '.' && open?.text === '(') {
      edits.push({ start: dot.start, end: token.end, text: '|__get' });
    }
  });
  let result = '';
  let at = from;
  for (const edit of edits.sort((a, b) => a.start - b.start)) {
    result += text.slice(at, edit.start) + edit.text;
    at = edit.end;
  }
  return result + text.slice(at, to);
}

function settle(outcome: Outcome, { missing }: Prepared, around: Surroundings, offset: number): unknown {
  if (outcome.kind === 'value') return outcome.value;
  if (outcome.kind === 'undefined') {
    const culprit = missing.find(({ mention }) => !mention.guarded) ?? missing[0];
    if (culprit) throw culprit.failure;
    throw around.fail(
      'undefined-variable',
      'the expression has no value',
      around.at(offset),
      'something in it is not defined',
    );
  }
  throw around.fail('expression', `the expression cannot be evaluated: ${outcome.message}`, around.at(offset));
}

/** A template with `{% %}`: rendered as one text, its values printed as Python prints them. */
function renderStatements(template: Template, around: Surroundings): unknown {
  const blocks = template.segments.filter((segment) => segment.kind !== 'text');
  const prepared = prepare(blocks, around);
  let source = '';
  for (const segment of template.segments) {
    if (segment.kind === 'text') {
      source += literalText(segment.text);
    } else if (segment.kind === 'expression') {
      const expression = rewrite(template.text, segment, prepared.missing);
      source += `{{ (${expression})|__text((${expression}) is defined) }}`;
    } else {
      const body = rewrite(template.text, segment, prepared.missing);
      source += body.replace(/^\{%[-+]/, '{%').replace(/[-+]%\}$/, '%}');
    }
  }
  return settle(around.engine.template(source, prepared.names), prepared, around, 0);
}

/** Text that must come out as it is, even where it looks like a template (from a `raw` block). */
function literalText(text: string): string {
  return /\{[{%#]/.test(text) ? `{{ ${JSON.stringify(text)} }}` : text;
}
