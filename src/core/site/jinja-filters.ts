import type { Environment } from 'minijinja-js';

/** What the engine hands to a filter: a map is a `Map`, named arguments come as one more map at the end. */
type Handed = unknown;

class FilterError extends Error {}

/** Data as the rest of the program has it: maps as plain objects, `undefined` as null, big integers as text. */
export function plainData(value: unknown): unknown {
  if (value instanceof Map) return Object.fromEntries([...value].map(([k, v]) => [String(k), plainData(v)]));
  if (Array.isArray(value)) return value.map(plainData);
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
  return value === undefined ? null : value;
}

/** Text as Python prints a value: `True`, `None`, `['a', 1]`. */
export function pythonText(value: unknown, nested = false): string {
  if (typeof value === 'string') return nested ? quoted(value) : value;
  if (value === true) return 'True';
  if (value === false) return 'False';
  if (value === null || value === undefined) return 'None';
  if (Array.isArray(value)) return `[${value.map((item) => pythonText(item, true)).join(', ')}]`;
  if (typeof value !== 'object') return String(value);
  return `{${Object.entries(value)
    .map(([k, v]) => `${quoted(k)}: ${pythonText(v, true)}`)
    .join(', ')}}`;
}

function quoted(text: string): string {
  const escaped = text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
  return escaped.includes("'") && !escaped.includes('"') ? `"${escaped}"` : `'${escaped.replaceAll("'", "\\'")}'`;
}

/** yes/no/on/off/true/false/1/0 in any case; undefined for anything else. */
export function truthOf(value: unknown): boolean | undefined {
  if (typeof value === 'boolean') return value;
  if (value === 1 || value === 0) return value === 1;
  const text = typeof value === 'string' ? value.trim().toLowerCase() : '';
  if (/^(?:yes|on|true|y|t|1)$/.test(text)) return true;
  return /^(?:no|off|false|n|f|0)$/.test(text) ? false : undefined;
}

type Options = Readonly<Record<string, unknown>>;
type Filter = (value: unknown, args: readonly unknown[], options: Options) => unknown;

/** Filters of Ansible (and Kolla) that the engine lacks or understands differently. They throw FilterError only. */
const filters: Readonly<Record<string, Filter>> = {
  bool: (value) => truthOf(value) ?? false,
  int: (value, [fallback = 0, base = 10], o) => toInteger(value, o.default ?? fallback, Number(o.base ?? base)),
  string: (value) => pythonText(value),
  join: (value, [separator = ''], o) => {
    const items = o.attribute === undefined ? list(value) : list(value).map((item) => map(item)[text(o.attribute)]);
    return items.map((item) => pythonText(item)).join(text(separator));
  },
  to_json: (value) => spacedJson(value),
  to_nice_json: (value, _, o) => JSON.stringify(sorted(value), null, Number(o.indent ?? 4)),
  from_json: (value) => attempt('is not valid JSON', () => JSON.parse(text(value))),
  regex_replace: (value, [pattern, replacement = ''], o) =>
    pythonText(value).replace(regex(pattern, o), pythonReplacement(text(replacement))),
  regex_search: (value, [pattern], o) => pythonText(value).match(new RegExp(regex(pattern, o), ''))?.[0] ?? null,
  regex_escape: (value) => text(value).replace(/[.*+?^${}()|[\]\\]/g, '\\$&'),
  b64encode: (value) =>
    btoa(Array.from(new TextEncoder().encode(pythonText(value)), (b) => String.fromCharCode(b)).join('')),
  b64decode: (value) =>
    attempt('is not base64', () =>
      new TextDecoder('utf-8', { fatal: true }).decode(Uint8Array.from(atob(text(value)), (c) => c.charCodeAt(0))),
    ),
  ternary: (value, [yes, no, none]) => (value === null && none !== undefined ? none : pythonTruth(value) ? yes : no),
  combine: (value, others, o) => {
    const recursive = o.recursive === true;
    return others
      .flat()
      .reduce<Record<string, unknown>>((merged, other) => combine(merged, map(other), recursive), map(value));
  },
  difference: (value, [other]) => unique(list(value).filter((item) => !has(list(other), item))),
  intersect: (value, [other]) => unique(list(value).filter((item) => has(list(other), item))),
  union: (value, [other]) => unique([...list(value), ...list(other)]),
  flatten: (value, [levels], o) =>
    list(value)
      .flat(Number(o.levels ?? levels ?? 32))
      .filter((item) => item !== null),
  dict2items: (value) => Object.entries(map(value)).map(([key, item]) => ({ key, value: item })),
  items2dict: (value) => Object.fromEntries(list(value).map((item) => [text(map(item).key), map(item).value])),
  zip: (value, others) => {
    const lists = [list(value), ...others.map(list)];
    return Array.from({ length: Math.min(...lists.map((l) => l.length)) }, (_, i) => lists.map((l) => l[i]));
  },
  extract: (value, [container, more]) => {
    const path = [value, ...(more === undefined || more === null ? [] : [more].flat())];
    return path.reduce((here, key) => extractKey(here, key), container);
  },
  format: (value, args) => {
    const rest = [...args];
    return text(value).replace(/%(?:%|[sd])/g, (m) => (m === '%%' ? '%' : pythonText(rest.shift())));
  },
  mandatory: (value) => value,
  __get: (value, [key, fallback = null]) => {
    const found = map(value);
    return Object.hasOwn(found, text(key)) ? found[text(key)] : fallback;
  },
  quote: (value) => (/^[\w@%+=:,./-]+$/.test(text(value)) ? value : `'${text(value).replaceAll("'", `'"'"'`)}'`),
  basename: (value) => text(value).replace(/^.*\//, ''),
  dirname: (value) => text(value).replace(/\/?[^/]*$/, ''),
  put_address_in_context: (value, [context]) => addressInContext(text(value), text(context)),
};

const tests: Readonly<Record<string, (value: unknown, args: readonly unknown[], options: Options) => boolean>> = {
  match: (value, [pattern], o) => new RegExp(`^(?:${regex(pattern, o).source})`, flags(o)).test(pythonText(value)),
  search: (value, [pattern], o) => new RegExp(regex(pattern, o), flags(o)).test(pythonText(value)),
  subset: (value, [other]) => list(value).every((item) => has(list(other), item)),
  superset: (value, [other]) => list(other).every((item) => has(list(value), item)),
  contains: (value, [item]) => has(list(value), item),
  truthy: (value) => pythonTruth(value),
  falsy: (value) => !pythonTruth(value),
};

const optionNames = new Set([
  'default',
  'base',
  'attribute',
  'indent',
  'recursive',
  'levels',
  'ignorecase',
  'multiline',
  'list_merge',
  'sort_keys',
]);

/** Named arguments are not told apart from a map given as the last argument, except by their names. */
function separate(handed: readonly Handed[]): { args: unknown[]; options: Options } {
  const last = handed.at(-1);
  const named = last instanceof Map && last.size > 0 && [...last.keys()].every((key) => optionNames.has(String(key)));
  const args = (named ? handed.slice(0, -1) : handed).map((arg) => (arg === undefined ? undefined : plainData(arg)));
  return { args, options: named ? (plainData(last) as Options) : {} };
}

/**
 * Registers the filters. They must never throw into the engine (that kills it): a failure is told to `report` and
 * the filter yields an empty text; whoever evaluates looks for a report afterwards.
 */
export function addFilters(environment: Environment, report: (problem: string) => void): void {
  const guarded =
    (name: string, run: Filter) =>
    (value: Handed, ...handed: Handed[]) => {
      try {
        const { args, options } = separate(handed);
        return run(plainData(value), args, options);
      } catch (problem) {
        report(`filter ${name}: ${problem instanceof FilterError ? problem.message : 'cannot handle this value'}`);
        return '';
      }
    };
  for (const [name, filter] of Object.entries(filters)) environment.addFilter(name, guarded(name, filter));
  for (const [name, test] of Object.entries(tests)) environment.addTest(name, guarded(name, test));
  // Not for operators: how values of a template with statements become text.
  environment.addFilter('__text', (value: Handed, defined: Handed) => {
    if (defined === false) report('undefined value');
    return pythonText(plainData(value));
  });
}

function attempt<T>(problem: string, run: () => T): T {
  try {
    return run();
  } catch (cause) {
    if (cause instanceof FilterError) throw cause;
    throw new FilterError(`the value ${problem}`);
  }
}

function text(value: unknown): string {
  if (typeof value === 'string' || typeof value === 'number') return String(value);
  throw new FilterError('a text is needed');
}

function list(value: unknown): unknown[] {
  if (Array.isArray(value)) return value;
  if (value !== null && typeof value === 'object') return Object.keys(value);
  if (typeof value === 'string') return [...value];
  throw new FilterError('a list is needed');
}

function map(value: unknown): Record<string, unknown> {
  if (value !== null && typeof value === 'object' && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new FilterError('a map is needed');
}

function has(items: readonly unknown[], item: unknown): boolean {
  const key = JSON.stringify(sorted(item));
  return items.some((other) => JSON.stringify(sorted(other)) === key);
}

function unique(items: readonly unknown[]): unknown[] {
  return [...new Map(items.map((item) => [JSON.stringify(sorted(item)), item])).values()];
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([k, v]) => [k, sorted(v)]),
  );
}

/** JSON with a blank after `,` and `:`, as Python writes it. */
function spacedJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(spacedJson).join(', ')}]`;
  if (value === null || typeof value !== 'object') return JSON.stringify(value ?? null);
  return `{${Object.entries(value)
    .map(([k, v]) => `${JSON.stringify(k)}: ${spacedJson(v)}`)
    .join(', ')}}`;
}

function pythonTruth(value: unknown): boolean {
  if (Array.isArray(value)) return value.length > 0;
  if (value !== null && typeof value === 'object') return Object.keys(value).length > 0;
  return Boolean(value);
}

function toInteger(value: unknown, fallback: unknown, base: number): unknown {
  if (typeof value === 'boolean') return Number(value);
  if (typeof value === 'number') return Number.isFinite(value) ? Math.trunc(value) : fallback;
  const digits = typeof value === 'string' ? value.trim().replaceAll('_', '') : '';
  if (base === 10 && /^[-+]?\d+(?:\.\d*)?$/.test(digits)) return Math.trunc(Number(digits));
  const parsed = Number.parseInt(digits.replace(/^0[xo]/i, ''), base);
  return base !== 10 && Number.isSafeInteger(parsed) ? parsed : fallback;
}

function combine(low: Record<string, unknown>, high: Record<string, unknown>, deep: boolean): Record<string, unknown> {
  const isMap = (v: unknown): v is Record<string, unknown> => v !== null && typeof v === 'object' && !Array.isArray(v);
  const entries = Object.entries(high).map(([key, value]): [string, unknown] => {
    const old = Object.hasOwn(low, key) ? low[key] : undefined;
    return [key, deep && isMap(old) && isMap(value) ? combine(old, value, deep) : value];
  });
  return Object.fromEntries([...Object.entries(low), ...entries]);
}

function extractKey(here: unknown, key: unknown): unknown {
  if (Array.isArray(here)) return here[Number(key)];
  const found = map(here);
  if (!Object.hasOwn(found, text(key))) throw new FilterError(`nothing is known as ${text(key)}`);
  return found[text(key)];
}

function flags(options: Options): string {
  return `u${options.ignorecase === true ? 'i' : ''}${options.multiline === true ? 'm' : ''}`;
}

/** A Python regular expression; `(?P<name>` and `(?i)` are translated. */
function regex(pattern: unknown, options: Options): RegExp {
  const source = text(pattern).replaceAll('(?P<', '(?<').replaceAll('\\Z', '$').replaceAll('\\A', '^');
  const ignoreCase = source.startsWith('(?i)');
  return attempt('is not a regular expression', () => {
    return new RegExp(ignoreCase ? source.slice(4) : source, `g${flags(options).slice(1)}${ignoreCase ? 'i' : ''}`);
  });
}

function pythonReplacement(replacement: string): string {
  return replacement
    .replaceAll('$', '$$$$')
    .replace(/\\g<(\w+)>/g, (_, n: string) => (/^\d+$/.test(n) ? `$${n}` : `$<${n}>`))
    .replace(/\\(\d)/g, '$$$1');
}

/** IPv6 addresses are bracketed in URLs and for memcached (there with `inet6:` before them). */
function addressInContext(address: string, context: string): string {
  if (!['url', 'memcache', 'rabbitmq'].includes(context)) throw new FilterError(`context ${context} is not known`);
  if (!address.includes(':')) return address;
  return context === 'memcache' ? `inet6:[${address}]` : `[${address}]`;
}
