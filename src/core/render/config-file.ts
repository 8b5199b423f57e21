import { type Diagnostic, failure, type Result, success } from '../model/diagnostic.ts';
import type { HelperTable } from './helpers.ts';
import { mergeIni, writeIni } from './ini.ts';
import type { OverrideSource } from './overrides.ts';
import { compileTemplate, renderTemplate } from './template.ts';

export interface ConfigFileInput {
  readonly format: 'ini' | 'text';
  /** The service's own Handlebars template, if it has one; `file` is its name in diagnostics. */
  readonly template?: { readonly text: string; readonly file: string } | undefined;
  /** As `selectOverrides` gave them. */
  readonly overrides: readonly OverrideSource[];
  /** Variables of the host as own properties, best as lazy getters. */
  readonly context: object;
  readonly helpers?: HelperTable | undefined;
  /** Renders an operator's file, which is Jinja2. `file` is the override's path. */
  readonly renderOverride: (text: string, file: string) => Result<string>;
}

/**
 * The text of one configuration file: `ini` is the template merged with every override, `text` the override or else
 * the template. Undefined when there is neither. Errors of all sources are reported together.
 */
export function renderConfigFile(input: ConfigFileInput): Result<string | undefined> {
  const diagnostics: Diagnostic[] = [];
  const texts: { text: string; file: string }[] = [];
  const keep = (file: string, rendered: Result<string>): void => {
    diagnostics.push(...rendered.diagnostics);
    if (rendered.ok) texts.push({ text: rendered.value, file });
  };
  const replaced = input.format === 'text' && input.overrides.length > 0;
  if (input.template && !replaced) keep(input.template.file, renderOwn(input, input.template));
  for (const { path, text } of input.overrides) keep(path, input.renderOverride(text, path));
  if (diagnostics.some((d) => d.severity === 'error')) return failure(diagnostics);
  if (input.format === 'text' || texts.length === 0) return success(texts.at(-1)?.text, diagnostics);
  const merged = mergeIni(texts);
  diagnostics.push(...merged.diagnostics);
  return merged.ok ? success(writeIni(merged.value), diagnostics) : failure(diagnostics);
}

function renderOwn(input: ConfigFileInput, source: { readonly text: string; readonly file: string }): Result<string> {
  const template = compileTemplate(source.text, source.file, { format: input.format });
  return template.ok ? renderTemplate(template.value, input.context, input.helpers) : template;
}
