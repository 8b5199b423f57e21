import { error, type SourceSpan } from '../model/diagnostic.ts';
import type { HostName } from '../model/node.ts';
import { didYouMean } from '../model/suggest.ts';
import type { YamlPath } from '../schema/yaml.ts';
import { culpritOf } from './culprit.ts';
import { evaluateTemplate } from './evaluate.ts';
import type { Inventory } from './inventory.ts';
import { createEngine, type Engine } from './jinja-engine.ts';
import { truthOf } from './jinja-filters.ts';
import { isTemplate, type ScanProblem, type Template } from './jinja-scan.ts';
import { entryIn, type VariableEntry, type VariableLayer, type Written, writtenIn } from './layers.ts';
import { magicOf } from './magic.ts';
import { ReadTracker, type ReadVariable } from './reads.ts';
import { advance, describe, hasTemplate } from './values.ts';
import { VariableError } from './variable-error.ts';

export interface VariableSource {
  readonly inventory: Inventory;
  /** Every layer of a host, lowest first. */
  layersFor(host: HostName): readonly VariableLayer[];
  /** Values that exist without being set anywhere, `CONFIG_DIR` for example. */
  readonly constants?: Readonly<Record<string, unknown>> | undefined;
  /** Texts that must not appear in a message. */
  secretValues?(): readonly string[];
}

export interface Origin {
  /** Of the layer that wins; undefined for a magic variable. */
  readonly at: SourceSpan | undefined;
  /** Every layer that sets the name, lowest first; values as written. */
  readonly layers: readonly { readonly name: string; readonly at: SourceSpan; readonly value: unknown }[];
}

export type Locals = Readonly<Record<string, unknown>>;

/** Where a value stands; a function where finding that out is worth it only when there is something to say. */
export type Place = SourceSpan | (() => SourceSpan);

/** The variables of one host. Evaluated when asked for, once. */
export interface Scope {
  readonly host: HostName;
  /** Throws VariableError when the name or anything it needs has no value. `usedAt` is where the name stands. */
  get(name: string, usedAt?: SourceSpan): unknown;
  /** Set by a layer, or magic. Says nothing about whether its value can be evaluated. */
  has(name: string): boolean;
  /**
   * The value with every `{{ }}` and `{% %}` in it replaced, lists and maps inside and out. A text that is one
   * `{{ expression }}` takes the type of the result. Results are not evaluated again. Throws VariableError.
   * `locals` are names known to this value alone; they win over variables.
   */
  evaluate(value: unknown, at: Place, locals?: Locals): unknown;
  /** `evaluate`, then yes/no/on/off/true/false/1/0 as boolean; VariableError for anything else. */
  boolean(value: unknown, at: Place, locals?: Locals): boolean;
  /** Names of all variables, sorted. */
  names(): string[];
  origin(name: string): Origin | undefined;
  /** Undefined for a magic variable and for a name that nothing sets. */
  written(name: string): Written | undefined;
  /** Does the work and tells which variables it read directly, of this host and of others. */
  used<T>(work: () => T): { readonly value: T; readonly reads: ReadonlySet<ReadVariable> };
  /** Where the value at a path inside a variable stands; undefined when the name is not set anywhere. */
  placeIn(name: string, path: YamlPath): SourceSpan | undefined;
}

/** Scopes of a site. They share the engine and the parsed templates; each host's values are kept. */
export interface Scopes {
  scope(host: HostName): Scope;
}

const maxDepth = 150;
const maxEvaluations = 50_000;

interface Session {
  readonly source: VariableSource;
  readonly engine: Engine;
  readonly templates: Map<string, Template | ScanProblem>;
  readonly scopes: Map<HostName, HostScope>;
  /** Variables being evaluated, outermost first. */
  readonly stack: { readonly host: HostName; readonly name: string }[];
  evaluations: number;
  readonly reads: ReadTracker;
}

export function createScopes(source: VariableSource): Scopes {
  const session: Session = {
    source,
    engine: createEngine(),
    templates: new Map(),
    scopes: new Map(),
    stack: [],
    evaluations: 0,
    reads: new ReadTracker(),
  };
  return { scope: (host) => scopeOf(session, host) };
}

/** The variables of one host, for a caller that needs no other. */
export function createScope(source: VariableSource, host: HostName): Scope {
  return createScopes(source).scope(host);
}

function scopeOf(session: Session, host: HostName): HostScope {
  const known = session.scopes.get(host);
  if (known) return known;
  const scope = new HostScope(session, host);
  session.scopes.set(host, scope);
  return scope;
}

type Path = readonly (string | number)[];

type Kept = { readonly value: unknown } | { readonly failure: VariableError };

interface Variable extends ReadVariable {
  readonly reads: Set<ReadVariable>;
  kept?: Kept;
}

class HostScope implements Scope {
  readonly host: HostName;
  readonly #session: Session;
  readonly #layers: readonly VariableLayer[];
  readonly #variables = new Map<string, Variable>();
  readonly #magic: Readonly<Record<string, () => unknown>>;

  constructor(session: Session, host: HostName) {
    this.host = host;
    this.#session = session;
    this.#layers = session.source.layersFor(host);
    this.#magic = magicOf(session.source.inventory, host, session.source.constants);
  }

  has(name: string): boolean {
    return Object.hasOwn(this.#magic, name) || entryIn(this.#layers, name) !== undefined;
  }

  get(name: string, usedAt?: SourceSpan): unknown {
    return this.lookup(name, () => usedAt);
  }

  /** `get` for expressions: where the name stands is worked out only when there is something to say about it. */
  lookup(name: string, usedAt: () => SourceSpan | undefined): unknown {
    const variable = this.#variable(name);
    this.#session.reads.note(variable);
    const { kept } = variable;
    if (kept) {
      if ('failure' in kept) throw kept.failure;
      return kept.value;
    }
    const entry = entryIn(this.#layers, name);
    if (!entry) {
      const magic = Object.hasOwn(this.#magic, name) ? this.#magic[name] : undefined;
      if (!magic) throw this.#undefinedName(name, usedAt());
      const value = magic();
      variable.kept = { value };
      return value;
    }
    return this.#evaluateEntry(variable, entry);
  }

  evaluate(value: unknown, at: Place, locals?: Locals): unknown {
    const entry = {
      value,
      get at() {
        return spanOf(at);
      },
    };
    return this.#deep(value, entry, [], locals);
  }

  boolean(value: unknown, at: Place, locals?: Locals): boolean {
    const result = this.evaluate(value, at, locals);
    const truth = truthOf(result);
    if (truth !== undefined) return truth;
    const { name, at: written } = culpritOf(this, value);
    throw new VariableError(
      error('not-boolean', `${name ? `${name} ` : ''}must be yes or no, not ${describe(result)}`, {
        at: written ?? spanOf(at),
        host: this.host,
        hint: 'write true or false (yes, no, on, off are understood too)',
      }),
    );
  }

  names(): string[] {
    const names = new Set([...Object.keys(this.#magic), ...this.#layers.flatMap(({ values }) => [...values.keys()])]);
    return [...names].sort();
  }

  origin(name: string): Origin | undefined {
    const layers = this.#layers.flatMap((layer) => {
      const entry = layer.values.get(name);
      return entry ? [{ name: layer.name, at: entry.at, value: entry.value }] : [];
    });
    if (layers.length === 0 && !Object.hasOwn(this.#magic, name)) return undefined;
    return { at: layers.at(-1)?.at, layers };
  }

  written(name: string): Written | undefined {
    return writtenIn(this.#layers, name);
  }

  placeIn(name: string, path: YamlPath): SourceSpan | undefined {
    const entry = this.#entry(name);
    return entry && (entry.inside?.(path) ?? entry.at);
  }

  #entry(name: string): VariableEntry | undefined {
    for (let i = this.#layers.length - 1; i >= 0; i--) {
      const entry = this.#layers[i]?.values.get(name);
      if (entry) return entry;
    }
    return undefined;
  }

  used<T>(work: () => T): { readonly value: T; readonly reads: ReadonlySet<ReadVariable> } {
    const reads = new Set<ReadVariable>();
    return { value: this.#session.reads.within(reads, work), reads };
  }

  #variable(name: string): Variable {
    const known = this.#variables.get(name);
    if (known) return known;
    const variable: Variable = { host: this.host, name, reads: new Set() };
    this.#variables.set(name, variable);
    return variable;
  }

  #evaluateEntry(variable: Variable, entry: VariableEntry): unknown {
    const { name } = variable;
    if (entry.absent) throw this.#failure(entry.absent.code, entry.absent.message, entry.at, entry.absent.hint);
    const { stack } = this.#session;
    const first = stack.findIndex((item) => item.name === name && item.host === this.host);
    if (first >= 0) {
      const chain = [...stack.slice(first).map((item) => item.name), name].join(' → ');
      throw this.#failure('variable-cycle', `variables need each other: ${chain}`, entry.at);
    }
    if (stack.length === 0) this.#session.evaluations = 0;
    if (stack.length >= maxDepth || ++this.#session.evaluations > maxEvaluations) {
      throw this.#failure('variables-too-deep', `${name} needs too many other variables`, entry.at);
    }
    stack.push({ host: this.host, name });
    try {
      const value = this.#session.reads.within(variable.reads, () => this.#deep(entry.value, entry, []));
      variable.kept = { value };
      return value;
    } catch (cause) {
      // Whether a cycle is met depends on where one began to ask, so only other failures are kept.
      const passing = cause instanceof VariableError && /-cycle$|-deep$/.test(cause.diagnostic.code);
      if (cause instanceof VariableError && !passing) variable.kept = { failure: cause };
      throw cause;
    } finally {
      stack.pop();
    }
  }

  #deep(value: unknown, entry: VariableEntry, path: Path, locals?: Locals): unknown {
    if (typeof value === 'string') return this.#text(value, entry, path, locals);
    if (value === null || typeof value !== 'object' || !hasTemplate(value)) return value;
    if (Array.isArray(value)) return value.map((item, i) => this.#deep(item, entry, [...path, i], locals));
    return Object.fromEntries(
      Object.entries(value).map(([key, item]) => [key, this.#deep(item, entry, [...path, key], locals)]),
    );
  }

  #text(text: string, entry: VariableEntry, path: Path, locals: Locals = {}): unknown {
    if (!isTemplate(text) || entry.isPlain?.(path)) return text;
    const { source, engine, templates } = this.#session;
    return evaluateTemplate(text, {
      engine,
      templates,
      host: this.host,
      hosts: () => [...source.inventory.hosts.keys()],
      lookup: (host, name, at) => {
        if (host !== this.host) return scopeOf(this.#session, host).lookup(name, at);
        return Object.hasOwn(locals, name) ? locals[name] : this.lookup(name, at);
      },
      at: (offset) => advance(path.length > 0 && entry.inside ? entry.inside(path) : entry.at, text, offset),
      fail: (code, message, at, hint) => this.#failure(code, message, at, hint),
    });
  }

  #undefinedName(name: string, at: SourceSpan | undefined): VariableError {
    const facts = /^ansible_/.test(name) ? 'facts of hosts are not known here; set the value yourself' : undefined;
    // A variable that is made from the missing one is no other spelling of it.
    const others = this.names().filter((other) => !String(entryIn(this.#layers, other)?.value).includes(name));
    const hint = facts ?? didYouMean(name, others) ?? `set ${name} in globals.yml`;
    return this.#failure('undefined-variable', `variable ${name} is not defined`, at, hint);
  }

  #failure(code: string, message: string, at: SourceSpan | undefined, hint?: string): VariableError {
    const secrets = this.#session.source.secretValues?.() ?? [];
    const clean = secrets.reduce((text, secret) => text.replaceAll(secret, '‹secret›'), message);
    return new VariableError(error(code, clean, { at, host: this.host, hint }));
  }
}

function spanOf(place: Place): SourceSpan {
  return typeof place === 'function' ? place() : place;
}
