import * as z from 'zod';
import { type Diagnostic, error, failure, type Result, type SourceSpan, success } from '../model/diagnostic.ts';
import { didYouMean } from '../model/suggest.ts';
import type { YamlDocument, YamlPath } from './yaml.ts';

type Issue = z.core.$ZodIssue;

/**
 * The document's value as the schema wants it, or one diagnostic per problem at the line it is in.
 * Keys starting with `x-` at the top are the author's own and ignored.
 */
export function parseWith<S extends z.ZodType>(schema: S, document: YamlDocument): Result<z.output<S>> {
  // Each file is read once: compiling a fast path for it would cost more than it saves.
  const parsed = schema.safeParse(withoutExtensions(document.value), { jitless: true });
  if (parsed.success) return success(parsed.data);
  return failure(parsed.error.issues.flatMap((issue) => describe(issue, [], schema, document)));
}

function withoutExtensions(value: unknown): unknown {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).filter(([key]) => !key.startsWith('x-')));
}

function describe(issue: Issue, base: YamlPath, schema: z.ZodType, document: YamlDocument): Diagnostic[] {
  const path = [...base, ...issue.path.map((part) => (typeof part === 'number' ? part : String(part)))];
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => unknownKey(key, path, schema, document));
  }
  if (issue.code === 'invalid_union') {
    const branch = bestBranch(issue.errors);
    if (branch) return branch.flatMap((inner) => describe(inner, path, schema, document));
  }
  const value = valueAt(document.value, path);
  const at = issue.code === 'invalid_key' ? document.keyAt(path) : placeOf(path, value, document);
  return [error('invalid-value', `${nameOf(path)}: ${sentence(issue, value)}`, { at })];
}

/** Of something missing, the key of what it is missing in. */
function placeOf(path: YamlPath, value: unknown, document: YamlDocument): SourceSpan {
  return value === undefined ? document.keyAt(path.slice(0, -1)) : document.spanAt(path);
}

function unknownKey(key: string, path: YamlPath, schema: z.ZodType, document: YamlDocument): Diagnostic {
  const known = keysAt(schema, path);
  const inside = path.length > 0 ? ` in ${nameOf(path)}` : '';
  return error('unknown-key', `unknown key ${key}${inside}`, {
    at: document.keyAt([...path, key]),
    hint: didYouMean(key, known) ?? (known.length > 0 ? `known keys: ${known.join(', ')}` : undefined),
  });
}

/** Of a union, the alternative the author probably meant: the one whose problems lie deepest. */
function bestBranch(branches: readonly (readonly Issue[])[]): readonly Issue[] | undefined {
  const meant = branches.filter((issues) =>
    issues.some(({ path, code }) => path.length > 0 || code === 'unrecognized_keys'),
  );
  return meant.sort((a, b) => a.length - b.length)[0];
}

function nameOf(path: YamlPath): string {
  return path.length === 0
    ? 'the file'
    : path.map((part, i) => (typeof part === 'number' ? `[${part}]` : i === 0 ? part : `.${part}`)).join('');
}

function valueAt(value: unknown, path: YamlPath): unknown {
  let here = value;
  for (const part of path) {
    if (here === null || typeof here !== 'object') return undefined;
    here = (here as Record<string | number, unknown>)[part];
  }
  return here;
}

const kinds: Readonly<Record<string, string>> = {
  object: 'a map',
  record: 'a map',
  array: 'a list',
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
};

/** What kind of thing a value is; never the value, which may be a secret. */
function kindOf(value: unknown): string {
  if (value === null) return 'nothing';
  return Array.isArray(value) ? 'a list' : (kinds[typeof value] ?? typeof value);
}

function sentence(issue: Issue, value: unknown): string {
  switch (issue.code) {
    case 'invalid_type':
      return value === undefined
        ? 'is missing'
        : `must be ${kinds[issue.expected] ?? issue.expected}, not ${kindOf(value)}`;
    case 'invalid_value':
      return `must be ${issue.values
        .map(String)
        .join(', ')
        .replace(/, ([^,]*)$/, ' or $1')}`;
    case 'invalid_union':
      return value === undefined ? 'is missing' : `has an unsuitable value (${kindOf(value)})`;
    case 'too_small':
      return issue.origin === 'string'
        ? 'must not be empty'
        : `must be ${issue.inclusive ? 'at least' : 'more than'} ${issue.minimum}`;
    case 'invalid_key':
      return `the name is not allowed: ${issue.issues[0]?.message ?? 'unsuitable'}`;
    case 'invalid_format':
      return `must be ${issue.message}`;
    default:
      return issue.message;
  }
}

/** Keys a schema knows at a path, through records, lists, defaults and unions. */
function keysAt(schema: z.ZodType, path: YamlPath): string[] {
  let schemas: z.core.$ZodType[] = unwrap(schema);
  for (const part of path) {
    schemas = schemas.flatMap((s) => {
      if (s instanceof z.ZodObject) {
        const next = (s.shape as Record<string, z.core.$ZodType>)[part];
        return next ? unwrap(next) : [];
      }
      if (s instanceof z.ZodRecord) return unwrap(s.valueType);
      return s instanceof z.ZodArray ? unwrap(s.element) : [];
    });
  }
  return [...new Set(schemas.flatMap((s) => (s instanceof z.ZodObject ? Object.keys(s.shape) : [])))];
}

function unwrap(schema: z.core.$ZodType): z.core.$ZodType[] {
  if (schema instanceof z.ZodUnion) return schema.options.flatMap(unwrap);
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodNullable) return unwrap(schema.unwrap());
  if (schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault) return unwrap(schema.unwrap());
  return [schema];
}
