import Handlebars from 'handlebars';
import { type Diagnostic, error, failure, type Result, type SourceSpan, success } from '../model/diagnostic.ts';
import { isSecret } from '../model/secret.ts';
import { didYouMean } from '../model/suggest.ts';
import { builtinHelpers, type HelperTable } from './helpers.ts';
import { call, instrument, spanOf } from './template-ast.ts';

export interface TemplateOptions {
  /**
   * Format of the result. In `ini` a line break inside an inserted value becomes a continuation line, so that a value
   * can never start a new key or section; `{{{value}}}` inserts it as it is.
   */
  readonly format?: 'text' | 'ini';
}

export interface Template {
  readonly file: string;
  readonly render: (context: object, helpers: HelperTable) => string;
}

/** Carries diagnostics out of the template engine. Never leaves this file. */
class TemplateFailure extends Error {
  readonly diagnostics: readonly Diagnostic[];

  constructor(diagnostics: readonly Diagnostic[]) {
    super(diagnostics.map((d) => d.message).join('\n'));
    this.diagnostics = diagnostics;
  }
}

interface CallOptions {
  readonly loc?: hbs.AST.SourceLocation;
  readonly data?: { readonly helpers?: HelperTable };
}

const cacheLimit = 1000;
const cache = new Map<string, Result<Template>>();

/**
 * Compiles a Handlebars template (strict, no HTML escaping, no access to prototypes). Compiling the same text again is
 * free. `file` is the name used in diagnostics; syntax errors carry line and column.
 */
export function compileTemplate(text: string, file: string, options: TemplateOptions = {}): Result<Template> {
  const key = `${options.format ?? 'text'}\0${file}\0${text}`;
  const known = cache.get(key);
  if (known) return known;
  if (cache.size >= cacheLimit) cache.clear();
  const compiled = compile(text, file, options);
  cache.set(key, compiled);
  return compiled;
}

/**
 * Renders with the own enumerable properties of `context`, which may be lazy getters. Undefined names and failing
 * helpers are diagnostics at the template's line and column; diagnostics thrown by a getter or helper
 * (`.diagnostics` or `.diagnostic`) are handed on unchanged.
 */
export function renderTemplate(template: Template, context: object, extraHelpers: HelperTable = {}): Result<string> {
  try {
    return success(template.render(context, { ...builtinHelpers, ...extraHelpers }));
  } catch (thrown) {
    return failure(
      diagnosticsOf(thrown) ?? [error('template-failed', messageOf(thrown), { at: startOf(template.file) })],
    );
  }
}

function compile(text: string, file: string, options: TemplateOptions): Result<Template> {
  const instance = Handlebars.create();
  let program: hbs.AST.Program;
  try {
    program = instance.parse(text);
  } catch (thrown) {
    return failure([syntaxError(thrown, text, file)]);
  }
  const problems = instrument(program, file);
  if (problems.length > 0) return failure(problems);
  registerCalls(instance, file, options.format ?? 'text');
  const knownHelpers = Object.fromEntries(Object.values(call).map((name) => [name, true]));
  const render = instance.compile(program, { noEscape: true, strict: true, knownHelpers });
  return success({
    file,
    render: (context, helpers) =>
      render(context, {
        data: { helpers },
        // Said aloud, because leaving it out makes Handlebars write to the console when a template tries.
        allowProtoMethodsByDefault: false,
        allowProtoPropertiesByDefault: false,
      }),
  });
}

function registerCalls(instance: typeof Handlebars, file: string, format: 'text' | 'ini'): void {
  for (const name of ['log', 'lookup', 'helperMissing', 'blockHelperMissing']) instance.unregisterHelper(name);
  const place = (options: CallOptions): SourceSpan => spanOf(file, options.loc);
  instance.registerHelper(call.get, (...all: unknown[]) => {
    const [base, path, ...names] = all.slice(0, -1);
    return get(base, String(path), names.map(String), place(all.at(-1) as CallOptions));
  });
  instance.registerHelper(call.helper, (...all: unknown[]) => {
    const options = all.at(-1) as CallOptions;
    const [name, ...args] = all.slice(0, -1);
    return callHelper(String(name), args, options.data?.helpers ?? {}, place(options));
  });
  instance.registerHelper(call.output, (value: unknown, raw: unknown, options: CallOptions) => {
    const inserted = outputText(value, place(options));
    return format === 'ini' && raw !== true ? continued(inserted) : inserted;
  });
  instance.registerHelper(call.list, (value: unknown, options: CallOptions) => {
    if (value === null || typeof value === 'object') return value;
    throw problem('template-type', `{{#each}} needs a list or a mapping, not ${kindOf(value)}`, place(options));
  });
}

function get(base: unknown, path: string, names: readonly string[], at: SourceSpan): unknown {
  let value = base;
  for (const name of names) {
    if (typeof value !== 'object' || value === null || isSecret(value)) {
      throw problem('undefined-variable', `"${path}" is not defined: there is no "${name}" in ${kindOf(value)}`, at);
    }
    if (!Object.hasOwn(value, name)) {
      const where = name === path ? '' : `: there is no "${name}"`;
      const what = name === path ? `variable ${name}` : `"${path}"`;
      throw problem('undefined-variable', `${what} is not defined${where}`, at, didYouMean(name, Object.keys(value)));
    }
    value = (value as Record<string, unknown>)[name];
  }
  return value;
}

function callHelper(name: string, args: readonly unknown[], helpers: HelperTable, at: SourceSpan): unknown {
  const helper = Object.hasOwn(helpers, name) ? helpers[name] : undefined;
  if (!helper) {
    throw problem('unknown-helper', `there is no helper "${name}"`, at, didYouMean(name, Object.keys(helpers)));
  }
  try {
    return helper(...args);
  } catch (thrown) {
    throw diagnosticsOf(thrown) ? thrown : problem('helper-failed', messageOf(thrown), at);
  }
}

function outputText(value: unknown, at: SourceSpan): string {
  if (value === null || value === undefined) return '';
  if (isSecret(value)) throw problem('hidden-secret', 'a secret that has not been revealed would be written here', at);
  if (typeof value === 'object' || typeof value === 'function') {
    const hint = Array.isArray(value)
      ? 'use {{join list ","}} or {{json list}}'
      : 'use {{json value}} or name a member';
    throw problem('template-type', `${kindOf(value)} cannot be written as text`, at, hint);
  }
  return String(value);
}

function continued(value: string): string {
  if (!/[\r\n]/.test(value)) return value;
  const lines = value.split(/\r\n|\r|\n/).filter((line) => line.trim() !== '');
  return lines.join('\n    ');
}

function kindOf(value: unknown): string {
  if (value === null || value === undefined) return 'an empty value';
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'object' ? 'a mapping' : `a ${typeof value}`;
}

function problem(code: string, message: string, at: SourceSpan, hint?: string): TemplateFailure {
  return new TemplateFailure([error(code, message, { at, hint })]);
}

/** Structural on purpose: a getter may throw any error class that carries diagnostics. */
function diagnosticsOf(thrown: unknown): readonly Diagnostic[] | undefined {
  if (typeof thrown !== 'object' || thrown === null) return undefined;
  const carrier = thrown as { diagnostics?: unknown; diagnostic?: unknown };
  if (Array.isArray(carrier.diagnostics)) return carrier.diagnostics as readonly Diagnostic[];
  return carrier.diagnostic ? [carrier.diagnostic as Diagnostic] : undefined;
}

function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

function startOf(file: string): SourceSpan {
  return { file, line: 1, column: 1 };
}

/** The parser reports a line and draws an arrow under at most 20 characters before the place; both are turned into a span. */
function syntaxError(thrown: unknown, text: string, file: string): Diagnostic {
  const { lineNumber, column } = thrown as { lineNumber?: number; column?: number };
  const message = messageOf(thrown);
  if (lineNumber !== undefined) {
    const plain = message.replace(/ - \d+:\d+$/, '');
    return error('template-syntax', plain, { at: { file, line: lineNumber, column: (column ?? 0) + 1 } });
  }
  const [head = '', excerpt = '', arrow = '', tail = ''] = message.split('\n');
  const line = Number(/line (\d+)/.exec(head)?.[1] ?? 1);
  const before = excerpt.slice(0, arrow.indexOf('^')).replace(/^\.\.\./, '');
  const lines = text.split('\n');
  const source = lines[line - 1] ?? '';
  // The excerpt has its line breaks removed, so only its end is sure to stand on the reported line.
  let length = Math.min(before.length, source.length);
  while (length > 0 && !source.includes(before.slice(-length))) length--;
  const columnOfArrow = length > 0 ? source.indexOf(before.slice(-length)) + length + 1 : 1;
  const atEnd = tail.endsWith("'EOF'");
  const reason = atEnd
    ? 'the template ends inside an unfinished {{…}} or block'
    : 'the template cannot be understood here';
  return error('template-syntax', reason, {
    at: { file, line, column: columnOfArrow },
    hint: 'look for an unclosed {{ or ( and for a missing {{/if}} or {{/each}} before this place',
  });
}
