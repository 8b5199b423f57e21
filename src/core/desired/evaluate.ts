import { type Diagnostic, error, type SourceSpan } from '../model/diagnostic.ts';
import type { HostName } from '../model/node.ts';
import { Secret } from '../model/secret.ts';
import type { LoadedService } from '../schema/service-file.ts';
import type { YamlPath } from '../schema/yaml.ts';
import { culpritOf } from '../site/culprit.ts';
import { VariableError } from '../site/variable-error.ts';
import type { Scope } from '../site/variables.ts';

/** Evaluates fields of one service's definition for one host and collects what is wrong with them. */
export class FieldReader {
  readonly #scope: Scope;
  readonly #service: LoadedService;
  readonly #diagnostics: Diagnostic[];
  readonly #locals: Readonly<Record<string, unknown>>;
  readonly #secrets: readonly string[];

  constructor(
    scope: Scope,
    service: LoadedService,
    diagnostics: Diagnostic[],
    secrets: readonly string[],
    locals: Readonly<Record<string, unknown>> = {},
  ) {
    this.#scope = scope;
    this.#service = service;
    this.#diagnostics = diagnostics;
    this.#secrets = secrets;
    this.#locals = locals;
  }

  value(field: unknown, path: YamlPath): unknown {
    return this.#attempt(() => this.#scope.evaluate(field, () => this.at(path), this.#locals));
  }

  text(field: unknown, path: YamlPath): string {
    const value = this.value(field, path);
    return value === undefined || value === null ? '' : String(value);
  }

  secret(field: unknown, path: YamlPath): Secret {
    return new Secret(this.text(field, path));
  }

  /** Text that is a secret as soon as it contains one. */
  guarded(field: unknown, path: YamlPath): string | Secret {
    const text = this.text(field, path);
    return this.#secrets.some((secret) => text.includes(secret)) ? new Secret(text) : text;
  }

  integer(field: unknown, path: YamlPath): number {
    const value = this.value(field, path);
    const number = Number(value);
    if (value !== undefined && !Number.isInteger(number)) {
      const { name, at = this.at(path) } = culpritOf(this.#scope, field);
      const message = `${name ? `${name} ` : ''}must be a whole number, not ${JSON.stringify(value)}`;
      this.#diagnostics.push(error('not-a-number', message, { at }));
    }
    return number;
  }

  boolean(field: unknown, path: YamlPath): boolean {
    return this.#attempt(() => this.#scope.boolean(field, () => this.at(path), this.#locals)) ?? false;
  }

  /** A variable by name, for what the tool itself needs to know (the database's address). */
  variable(name: string): unknown {
    return this.#attempt(() => this.#scope.get(name, this.at(['service'])));
  }

  variableText(name: string): string {
    const value = this.variable(name);
    return value === undefined || value === null ? '' : String(value);
  }

  at(path: YamlPath): SourceSpan {
    return this.#service.span(path);
  }

  /** A variable that cannot be had is noted and the reading goes on, so that all problems are met in one go. */
  #attempt<T>(read: () => T): T | undefined {
    try {
      return read();
    } catch (cause) {
      if (!(cause instanceof VariableError)) throw cause;
      this.#diagnostics.push(cause.diagnostic);
      return undefined;
    }
  }
}

/**
 * All variables of a host as own properties, the form in which templates see them, each evaluated when it is read.
 * A proxy, because defining hundreds of getters for every file costs more than rendering it.
 */
export function templateContext(
  scope: Scope,
  names: ReadonlySet<string>,
  at: SourceSpan,
  extra: Readonly<Record<string, unknown>>,
): object {
  const isVariable = (name: string | symbol): name is string =>
    typeof name === 'string' && names.has(name) && !Object.hasOwn(extra, name);
  return new Proxy(
    { ...extra },
    {
      get: (own, name) => (isVariable(name) ? scope.get(name, at) : Reflect.get(own, name)),
      has: (own, name) => isVariable(name) || Reflect.has(own, name),
      ownKeys: (own) => [...new Set([...names, ...Reflect.ownKeys(own)])],
      getOwnPropertyDescriptor: (own, name) =>
        isVariable(name)
          ? { enumerable: true, configurable: true, get: () => scope.get(name, at) }
          : Reflect.getOwnPropertyDescriptor(own, name),
    },
  );
}

export function hostAddress(scopeOf: (host: HostName) => Scope, host: HostName, at: SourceSpan): string {
  return String(scopeOf(host).get('api_interface_address', at));
}
