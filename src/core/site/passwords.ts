import { isMap, isScalar, type Pair, parseDocument } from 'yaml';
import { error, failure, type Result, success } from '../model/diagnostic.ts';
import type { PasswordKind } from '../schema/service.ts';
import type { LoadedService } from '../schema/service-file.ts';
import { parseYaml, type YamlDocument } from '../schema/yaml.ts';
import type { VariableEntry, VariableLayer } from './layers.ts';
import { documentEntries } from './layers.ts';

export interface MissingPassword {
  readonly name: string;
  readonly kind: PasswordKind;
  readonly service: string;
}

type Declared = Pick<LoadedService, 'definition'>;

/** Entries services declare that the passwords file has not, or has without a value; in the services' order. */
export function missingPasswords(existing: YamlDocument | undefined, services: Iterable<Declared>): MissingPassword[] {
  const present = existing ? documentEntries(existing) : new Map<string, VariableEntry>();
  const missing = new Map<string, MissingPassword>();
  for (const { definition } of services) {
    for (const [name, kind] of Object.entries(definition.passwords)) {
      if ((present.get(name)?.value ?? null) !== null || missing.has(name)) continue;
      missing.set(name, { name, kind, service: definition.service });
    }
  }
  return [...missing.values()];
}

/**
 * The passwords file with values put where there are none; everything else, comments and order included, stays
 * byte for byte. Never replaces a value: a name that has one is an error.
 */
export function fillPasswords(text: string, values: ReadonlyMap<string, string>, file: string): Result<string> {
  const before = parseYaml(text, file);
  if (!before.ok) return before;
  const { edits, appended } = placeValues(text, values);
  let filled = withoutEmptyMap(text, before.value);
  for (const { from, to, value } of edits.sort((a, b) => b.from - a.from)) {
    filled = filled.slice(0, from) + value + filled.slice(to);
  }
  if (appended.length > 0) {
    const end = text.includes('\r\n') ? '\r\n' : '\n';
    if (filled !== '' && !filled.endsWith('\n')) filled += end;
    filled += appended.map((line) => line + end).join('');
  }
  return verified(before.value, filled, values, file);
}

/** `{}` is how an empty file of variables may be written; values can only be put below nothing. */
function withoutEmptyMap(text: string, { value }: YamlDocument): string {
  const empty = value !== null && typeof value === 'object' && Object.keys(value).length === 0;
  return empty
    ? text.replace(/^(---[ \t]+)?\{\s*\}[ \t]*/m, (_map, start: string | undefined) => start?.trimEnd() ?? '')
    : text;
}

function placeValues(text: string, values: ReadonlyMap<string, string>) {
  const offset = text.startsWith('\uFEFF') ? 1 : 0;
  const { contents } = parseDocument(text.slice(offset), { version: '1.1', logLevel: 'silent' });
  const edits: { from: number; to: number; value: string }[] = [];
  const appended: string[] = [];
  for (const [name, value] of values) {
    const written = /^[A-Za-z]\w*$/.test(value) ? value : JSON.stringify(value);
    const pair = isMap(contents) ? contents.items.find((item) => keyOf(item) === name) : undefined;
    if (!pair) {
      appended.push(`${name}: ${written}`);
      continue;
    }
    const node = isScalar(pair.value) ? pair.value : undefined;
    const keyEnd = isScalar(pair.key) ? (pair.key.range?.[1] ?? 0) : 0;
    const colon = text.indexOf(':', keyEnd + offset) + 1;
    const explicit = node?.source !== undefined && node.source !== '' && node.range;
    edits.push(
      explicit
        ? { from: explicit[0] + offset, to: explicit[1] + offset, value: written }
        : { from: colon, to: colon, value: ` ${written}` },
    );
  }
  return { edits, appended };
}

function keyOf(pair: Pair): string {
  return isScalar(pair.key) ? (pair.key.source ?? String(pair.key.value)) : '';
}

/** Reads the new text back: the new values are there and no other value differs. */
function verified(
  before: YamlDocument,
  filled: string,
  values: ReadonlyMap<string, string>,
  file: string,
): Result<string> {
  const refusal = (message: string) =>
    failure<string>([error('passwords-not-filled', message, { at: { file, line: 1, column: 1 } })]);
  const after = parseYaml(filled, file);
  if (!after.ok) return refusal('the file has a form that cannot be filled in; write one "name: value" per line');
  const old = documentEntries(before);
  for (const [name, { value }] of documentEntries(after.value)) {
    const wanted = values.has(name) ? values.get(name) : old.get(name)?.value;
    if (values.has(name) && (old.get(name)?.value ?? null) !== null) return refusal(`${name} has a value already`);
    if (JSON.stringify(wanted) !== JSON.stringify(value)) return refusal(`${name} could not be filled in`);
  }
  return success(filled);
}

/**
 * passwords.yml as a layer. Numbers stay the text that was written; an entry without value that a service declares
 * is an error as soon as it is used.
 */
export function passwordLayer(document: YamlDocument, declared: ReadonlySet<string>): VariableLayer {
  const values = new Map<string, VariableEntry>();
  for (const [name, entry] of documentEntries(document)) {
    const { value } = entry;
    const source = typeof value === 'number' || typeof value === 'boolean' ? document.sourceOf([name]) : undefined;
    if (source !== undefined) values.set(name, { value: source, at: entry.at });
    else if (value === null && declared.has(name))
      values.set(name, absent(name, document.file, document.keyAt([name])));
    else values.set(name, entry);
  }
  return { name: 'passwords.yml', values };
}

/** The lowest layer: names services declare as passwords, for the case that no file has them. */
export function declaredPasswordLayer(declared: ReadonlySet<string>, file: string): VariableLayer {
  const at = { file, line: 1, column: 1 };
  return {
    name: 'passwords of services',
    from: 'services',
    values: new Map([...declared].map((name) => [name, absent(name, file, at)])),
  };
}

function absent(name: string, file: string, at: VariableEntry['at']): VariableEntry {
  const base = file.slice(file.lastIndexOf('/') + 1);
  const message = `${base}: ${name} is empty`;
  return { value: null, at, absent: { code: 'empty-password', message, hint: 'run deploy genpwd' } };
}
