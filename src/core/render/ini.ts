import { type Diagnostic, error, type Result, resultOf } from '../model/diagnostic.ts';

/** One key of a section with all its values, in order: oslo.config's MultiOpt repeats the key. */
export interface IniOption {
  readonly key: string;
  /** A value of several lines holds line breaks; lines have no leading or trailing blanks. */
  readonly values: readonly string[];
}

export interface IniSection {
  /** Empty for the keys before the first header. */
  readonly name: string;
  readonly options: readonly IniOption[];
}

/** Sections and keys in the order they were first seen. */
export interface IniFile {
  readonly sections: readonly IniSection[];
}

type Sections = Map<string, Map<string, string[]>>;

interface Position {
  readonly file: string;
  readonly line: number;
}

/**
 * Parses the INI dialect of oslo.config: full-line comments with `#` or `;`, keys end at the first `=` or `:`, one pair
 * of equal quotes around a value is dropped, indented lines continue a value, a blank line ends it, repeated keys
 * accumulate, a section may come back. All errors of the file are reported together.
 */
export function parseIni(text: string, file: string): Result<IniFile> {
  const diagnostics: Diagnostic[] = [];
  const sections: Sections = new Map();
  let section = '';
  let open: string[] | undefined;
  for (const [index, source] of splitLines(text.replace(/^\uFEFF/, '')).entries()) {
    const where = { file, line: index + 1 };
    const line = source.trimEnd();
    if (line === '') {
      open = undefined;
    } else if (/^[ \t]/.test(line)) {
      if (open) open[open.length - 1] += `\n${line.trimStart()}`;
      else diagnostics.push(strayContinuation(line, where));
    } else if (line.startsWith('[')) {
      open = undefined;
      section = sectionName(line, where, diagnostics) ?? section;
      if (!sections.has(section)) sections.set(section, new Map());
    } else if (/^[#;]/.test(line)) {
      open = undefined;
    } else {
      open = addValue(sections, section, assignment(line, where, diagnostics));
    }
  }
  return resultOf(freeze(sections), diagnostics);
}

/**
 * Merges files in order: for each section and key a later file replaces the whole list of values of the earlier ones.
 * Order is that of first appearance. Errors of all files are reported together.
 */
export function mergeIni(files: readonly { readonly text: string; readonly file: string }[]): Result<IniFile> {
  const diagnostics: Diagnostic[] = [];
  const merged: Sections = new Map();
  for (const { text, file } of files) {
    const parsed = parseIni(text, file);
    diagnostics.push(...parsed.diagnostics);
    if (!parsed.ok) continue;
    for (const section of parsed.value.sections) {
      const target = merged.get(section.name) ?? new Map<string, string[]>();
      merged.set(section.name, target);
      for (const option of section.options) target.set(option.key, [...option.values]);
    }
  }
  return resultOf(freeze(merged), diagnostics);
}

/**
 * Writes `key = value`, continuation lines indented to the value's column, a blank line after each section. Reading the
 * result gives the same file again, whatever the values contain: a line break in a value can only become a
 * continuation line (empty lines inside a value cannot be expressed in this format and are left out).
 */
export function writeIni(ini: IniFile): string {
  const unnamed = ini.sections.filter((section) => section.name === '');
  const named = ini.sections.filter((section) => section.name !== '');
  return [...unnamed, ...named]
    .filter((section) => section.name !== '' || section.options.length > 0)
    .map(sectionText)
    .join('');
}

function sectionText(section: IniSection): string {
  if (/[\r\n]/.test(section.name)) throw new Error('a section name cannot contain a line break');
  const header = section.name === '' ? '' : `[${section.name}]\n`;
  const lines = section.options.flatMap((option) => option.values.map((value) => optionText(option.key, value)));
  return `${header}${lines.join('')}\n`;
}

function optionText(key: string, value: string): string {
  if (key.trim() !== key || !/^[^[#;=:\r\n][^=:\r\n]*$/.test(key)) {
    throw new Error(`${JSON.stringify(key)} cannot be a key of an INI file`);
  }
  const [first = '', ...more] = splitLines(value);
  const rest = more.map((line) => line.trim()).filter((line) => line !== '');
  const indent = ' '.repeat(key.length + 3);
  return [
    `${key} = ${protectedQuotes(rest.length > 0 ? first.trim() : first)}`.trimEnd(),
    ...rest.map((line) => indent + line),
  ]
    .join('\n')
    .concat('\n');
}

/** The reader drops one pair of quotes and outer blanks; a value that has such itself gets a pair to lose. */
function protectedQuotes(value: string): string {
  const last = value.at(-1);
  const wrapped = (last === '"' || last === "'") && value.startsWith(last);
  return wrapped || value.trim() !== value ? `"${value}"` : value;
}

/** Python's text mode, which reads these files, takes all three for the end of a line. */
function splitLines(text: string): string[] {
  return text.split(/\r\n|\r|\n/);
}

function sectionName(line: string, where: Position, diagnostics: Diagnostic[]): string | undefined {
  if (!line.endsWith(']')) {
    diagnostics.push(problem('the section header has no closing bracket', where, line.length + 1));
    return undefined;
  }
  if (line.length <= 2) {
    diagnostics.push(problem('the section header has no name', where, 1));
    return undefined;
  }
  return line.slice(1, -1);
}

function assignment(
  line: string,
  where: Position,
  diagnostics: Diagnostic[],
): { key: string; value: string } | undefined {
  const end = line.search(/[=:]/);
  if (end < 0) {
    diagnostics.push(
      problem(
        'expected "key = value"',
        where,
        1,
        'indent the line if it continues the value above, or put # before a comment',
      ),
    );
    return undefined;
  }
  const key = line.slice(0, end).trim();
  if (key === '') {
    diagnostics.push(problem('the key before "=" is missing', where, 1));
    return undefined;
  }
  const value = line.slice(end + 1).trim();
  const last = value.at(-1);
  const quoted = (last === '"' || last === "'") && value.startsWith(last);
  return { key, value: quoted ? value.slice(1, -1) : value };
}

/** A broken assignment still opens a value, so that its continuation lines are not reported as well. */
function addValue(sections: Sections, section: string, found: { key: string; value: string } | undefined): string[] {
  if (!found) return [''];
  const options = sections.get(section) ?? new Map<string, string[]>();
  sections.set(section, options);
  const values = options.get(found.key) ?? [];
  options.set(found.key, values);
  values.push(found.value);
  return values;
}

function strayContinuation(line: string, where: Position): Diagnostic {
  const column = line.search(/\S/) + 1;
  return problem('an indented line with no key above it to continue', where, column, 'remove the blanks at its start');
}

function problem(message: string, where: Position, column: number, hint?: string): Diagnostic {
  return error('ini-syntax', message, { at: { ...where, column }, hint });
}

function freeze(sections: Sections): IniFile {
  return {
    sections: [...sections].map(([name, options]) => ({
      name,
      options: [...options].map(([key, values]) => ({ key, values })),
    })),
  };
}
