import { isSecret } from '../model/secret.ts';

/** A function a template can call: `{{name arg …}}`. Gets the evaluated arguments; an Error it throws is shown with its place. */
export type TemplateHelper = (...args: readonly unknown[]) => unknown;

export type HelperTable = Readonly<Record<string, TemplateHelper>>;

/** Truth as Handlebars' own `if` sees it: empty strings and empty lists are false, and so is 0. */
export function isTruthy(value: unknown): boolean {
  return Array.isArray(value) ? value.length > 0 : Boolean(value);
}

/** Truth as operators write it in YAML and Jinja2: yes, on, true, 1 in any case. */
export function toBool(value: unknown): boolean {
  if (typeof value === 'string') return ['yes', 'on', 'true', '1', 'y', 't'].includes(value.trim().toLowerCase());
  return value === true || value === 1;
}

/** Variables come from YAML, Jinja2 and the command line, so 9511 and "9511" are the same value here. */
function same(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a === 'object' || typeof b === 'object') return JSON.stringify(a) === JSON.stringify(b);
  return String(a) === String(b);
}

function twoValues(name: string, args: readonly unknown[]): readonly [unknown, unknown] {
  if (args.length !== 2) throw new Error(`${name} needs two values and got ${args.length}`);
  return [args[0], args[1]];
}

function text(name: string, value: unknown): string {
  if (isSecret(value)) throw new Error(`${name} was given a secret that has not been revealed`);
  if (value === null || value === undefined) return '';
  if (typeof value === 'object') throw new Error(`${name} needs plain values, not a list or a mapping`);
  return String(value);
}

function toNumber(value: unknown): number {
  const parsed = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
  if (typeof parsed !== 'number' || !Number.isFinite(parsed)) throw new Error('add needs numbers');
  return parsed;
}

function joined(list: unknown, separator: unknown = ','): string {
  if (!Array.isArray(list)) throw new Error('join needs a list as its first value');
  return list.map((item: unknown) => text('join', item)).join(text('join', separator));
}

function json(value: unknown, indent: unknown = 0): string {
  // A secret has become its mask by the time a replacer is given the member: look at the holder instead.
  function refuseSecrets(this: Record<string, unknown>, key: string, member: unknown): unknown {
    if (isSecret(this[key])) throw new Error('json was given a secret that has not been revealed');
    return member;
  }
  return JSON.stringify(value, refuseSecrets, typeof indent === 'number' ? indent : 0);
}

function firstWhere(args: readonly unknown[], wanted: boolean): unknown {
  return args.find((value) => isTruthy(value) === wanted) ?? args.at(-1);
}

/** The helpers every template has. `and` and `or` give the deciding value, so `or a "default"` works. */
export const builtinHelpers: HelperTable = {
  eq: (...args) => same(...twoValues('eq', args)),
  ne: (...args) => !same(...twoValues('ne', args)),
  and: (...args) => firstWhere(args, false),
  or: (...args) => firstWhere(args, true),
  not: (value) => !isTruthy(value),
  bool: toBool,
  join: joined,
  json,
  add: (...args) => args.reduce((sum: number, value) => sum + toNumber(value), 0),
  concat: (...args) => args.map((value) => text('concat', value)).join(''),
};
