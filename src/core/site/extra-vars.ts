import { type Diagnostic, error, failure, type Result, success } from '../model/diagnostic.ts';
import { shellWords } from '../schema/literal.ts';
import { parseYaml } from '../schema/yaml.ts';
import { documentEntries, type VariableEntry, type VariableLayer } from './layers.ts';

/** One `-e` of the command line; of `@file` the text has been read. */
export type ExtraVars =
  | { readonly kind: 'argument'; readonly text: string }
  | { readonly kind: 'file'; readonly file: string; readonly text: string };

/** The path of `@file`, or undefined when the argument holds the variables itself. */
export function extraVarsFile(argument: string): string | undefined {
  return argument.startsWith('@') ? argument.slice(1) : undefined;
}

/** `name=value` pairs (values are texts), a JSON object, or a YAML file, as the highest layer of variables. */
export function parseExtraVars(extra: ExtraVars): Result<VariableLayer> {
  if (extra.kind === 'file') return fromDocument(extra.text, extra.file, `-e @${extra.file}`);
  if (extra.text.trimStart().startsWith('{')) return fromDocument(extra.text, '-e', '-e');
  return fromPairs(extra.text);
}

/** A text that must not be kept anywhere, by its name or by what is in it. */
export interface SecretTest {
  isSecretName(name: string): boolean;
  secretValues(): readonly string[];
}

/** Shorter ones are parts of ordinary words; as a whole value they count all the same. */
const shortestPart = 5;

/** One error for each variable of an argument of `-e` that is a secret, at its place. A file's content is not in it. */
export function secretsOnCommandLine(argument: string, test: SecretTest): Diagnostic[] {
  const parsed =
    extraVarsFile(argument) === undefined ? parseExtraVars({ kind: 'argument', text: argument }) : undefined;
  if (!parsed?.ok) return [];
  const holds = (text: string) =>
    test.secretValues().some((secret) => text === secret || (secret.length >= shortestPart && text.includes(secret)));
  return [...parsed.value.values].flatMap(([name, { value, at }]) => {
    const texts = textsIn(value);
    if (!test.isSecretName(name) && !texts.some(holds)) return [];
    const message = `-e ${name} holds a secret, which a saved plan must not`;
    return [
      error('secret-in-plan', message, { at, hint: `put ${name} into passwords.yml, or into a file for -e @FILE` }),
    ];
  });
}

function textsIn(value: unknown): string[] {
  if (value !== null && typeof value === 'object') return Object.values(value).flatMap(textsIn);
  return value === null || value === undefined ? [] : [String(value)];
}

function fromDocument(text: string, file: string, name: string): Result<VariableLayer> {
  const document = parseYaml(text, file);
  if (!document.ok) return document;
  const { value } = document.value;
  if (value !== null && (typeof value !== 'object' || Array.isArray(value))) {
    const at = { file, line: 1, column: 1 };
    return failure([error('invalid-value', 'must be a map of variables', { at })]);
  }
  return success({ name, values: documentEntries(document.value) });
}

function fromPairs(text: string): Result<VariableLayer> {
  const words = shellWords(text);
  const place = (offset: number) => ({ file: '-e', line: 1, column: offset + 1 });
  if (!Array.isArray(words)) {
    return failure([error('extra-vars', 'a quote is not closed', { at: place(words.unclosed) })]);
  }
  const bad = words.filter((word) => !/^[A-Za-z_]\w*=/.test(word.text));
  if (bad.length > 0 || words.length === 0) {
    const hint = 'write -e name=value, -e \'{"name": "value"}\' or -e @file.yml';
    const at = place(bad[0]?.start ?? 0);
    return failure([error('extra-vars', 'an extra variable is not name=value', { at, hint })]);
  }
  const values = words.map((word): [string, VariableEntry] => {
    const equals = word.text.indexOf('=');
    return [word.text.slice(0, equals), { value: word.text.slice(equals + 1), at: place(word.start + equals + 1) }];
  });
  return success({ name: '-e', values: new Map(values) });
}
