import { type Diagnostic, error, type SourceSpan, warning } from '../model/diagnostic.ts';
import type { ContainerName, HostName } from '../model/node.ts';
import { Secret } from '../model/secret.ts';
import { didYouMean } from '../model/suggest.ts';
import type { GateDefinition } from '../schema/gate.ts';
import type { YamlPath } from '../schema/yaml.ts';

/** A gate with every expression replaced and everything in it that is needed to ask. */
export interface EvaluatedGate {
  readonly name: string;
  /** The node it is asked from. */
  readonly host: HostName;
  /** Seconds. */
  readonly within: number;
  /** Times in a row. */
  readonly passes: number;
  readonly check: GateCheck;
}

export interface KeystoneAccess {
  readonly authUrl: string;
  readonly user: string;
  readonly project: string;
  readonly password: Secret;
}

export type GateCheck =
  | {
      readonly kind: 'http';
      readonly url: string;
      readonly method: string;
      readonly statuses: readonly number[];
      readonly contains?: string | Secret | undefined;
      readonly headers: Readonly<Record<string, string | Secret>>;
      readonly auth?: KeystoneAccess | undefined;
      readonly timeoutSeconds: number;
    }
  | { readonly kind: 'tcp'; readonly address: string; readonly port: number }
  | {
      readonly kind: 'sql';
      readonly query: string | Secret;
      readonly expect?: string | Secret | undefined;
      readonly database?: string | undefined;
      readonly server: {
        readonly address: string;
        readonly port: number;
        readonly user: string;
        readonly password: Secret;
      };
    }
  | {
      readonly kind: 'command';
      readonly container: ContainerName;
      readonly argv: readonly string[];
      readonly exit: number;
    };

/** What a gate is evaluated with. */
export interface GatePlace {
  /** The node it is asked from, unless a command's container lies elsewhere. */
  readonly host: HostName;
  readonly diagnostics: Diagnostic[];
  readonly secrets: readonly string[];
  /** Databases of the service the gate belongs to: a query asks as their own user. */
  readonly databases: readonly { readonly name: string; readonly user: string; readonly password: Secret }[];
  /** Every container of the site and the reachable hosts that hold it. */
  readonly containers: ReadonlyMap<ContainerName, readonly HostName[]>;
  /** The value of a field that may be an expression; undefined, and a diagnostic, when it has none. */
  value(field: unknown, path: YamlPath): unknown;
  /** A variable of the host as text. */
  variable(name: string): string;
  /** Where the value at a path inside the gate stands. */
  at(path: YamlPath): SourceSpan;
}

/** The gate as it will be asked, or undefined and diagnostics in `place`. */
export function evaluateGate(gate: GateDefinition, place: GatePlace): EvaluatedGate | undefined {
  const fields = new GateFields(place);
  const before = place.diagnostics.length;
  const check = checkOf(gate, fields, place);
  const within = fields.number(gate.within, ['within'], 'positive');
  const passes = fields.number(gate.passes, ['passes'], 'whole');
  if (check === undefined || place.diagnostics.slice(before).some((d) => d.severity === 'error')) return undefined;
  const host = check.kind === 'command' ? hostOf(check.container, place) : place.host;
  if (host === undefined) return undefined;
  return { name: gate.name ?? nameOf(check), host, within, passes: Math.max(1, passes), check };
}

/** The place itself when it holds the container, else the first host that does. */
function hostOf(container: ContainerName, place: GatePlace): HostName | undefined {
  const at = place.at(['command', 'container']);
  const hosts = place.containers.get(container);
  if (hosts === undefined) {
    const hint = didYouMean(container, place.containers.keys());
    place.diagnostics.push(error('gate-container', `gate: there is no container ${container}`, { at, hint }));
    return undefined;
  }
  const host = hosts.includes(place.host) ? place.host : hosts[0];
  if (host === undefined) {
    const message = `gate is left out: none of the selected hosts holds ${container}`;
    const hint = 'without --limit it is asked, or when it runs in a container of the service itself';
    place.diagnostics.push(warning('gate-container', message, { at, hint }));
  }
  return host;
}

function checkOf(gate: GateDefinition, fields: GateFields, place: GatePlace): GateCheck | undefined {
  const { http, tcp, sql, command } = gate;
  if (http) {
    const statuses = Array.isArray(http.status) ? http.status : [http.status];
    return {
      kind: 'http',
      url: fields.url(http.url, ['http', 'url']),
      method: fields.text(http.method, ['http', 'method']).toUpperCase(),
      statuses: statuses.map((status) => fields.number(status, ['http', 'status'], 'whole')),
      contains: http.contains === undefined ? undefined : fields.guarded(http.contains, ['http', 'contains']),
      headers: Object.fromEntries(
        Object.entries(http.headers).map(([name, value]) => [name, fields.guarded(value, ['http', 'headers', name])]),
      ),
      auth: http.auth && keystoneAccess(place),
      timeoutSeconds: fields.number(http.timeout, ['http', 'timeout'], 'positive'),
    };
  }
  if (tcp) {
    const address = fields.text(tcp.address, ['tcp', 'address']);
    return { kind: 'tcp', address, port: fields.number(tcp.port, ['tcp', 'port'], 'port') };
  }
  if (sql) {
    return {
      kind: 'sql',
      query: fields.guarded(sql.query, ['sql', 'query']),
      expect: sql.expect === undefined ? undefined : fields.guarded(sql.expect, ['sql', 'expect']),
      ...databaseFor(sql.database === undefined ? undefined : fields.text(sql.database, ['sql', 'database']), place),
    };
  }
  if (!command) return undefined;
  return {
    kind: 'command',
    container: fields.text(command.container, ['command', 'container']),
    argv: command.argv.map((argument, i) => fields.open(argument, ['command', 'argv', i])),
    exit: fields.number(command.exit, ['command', 'exit'], 'whole'),
  };
}

function keystoneAccess(place: GatePlace): KeystoneAccess {
  return {
    authUrl: place.variable('keystone_internal_url'),
    user: place.variable('keystone_admin_user'),
    project: place.variable('keystone_admin_project'),
    password: new Secret(place.variable('keystone_admin_password')),
  };
}

function databaseFor(wanted: string | undefined, place: GatePlace) {
  const own = wanted === undefined ? place.databases[0] : place.databases.find(({ name }) => name === wanted);
  const login = own ?? {
    user: place.variable('database_user'),
    password: new Secret(place.variable('database_password')),
  };
  return {
    database: wanted ?? own?.name,
    server: {
      address: place.variable('database_address'),
      port: Number(place.variable('database_port')),
      user: login.user,
      password: login.password,
    },
  };
}

function nameOf(check: GateCheck): string {
  if (check.kind === 'http') return `${check.method} ${check.url}`;
  if (check.kind === 'tcp') return `port ${check.port} of ${check.address}`;
  if (check.kind === 'sql') return `query of database ${check.database ?? 'server'}`;
  return `${check.argv[0]} in ${check.container}`;
}

const numberRules = {
  whole: { good: (n: number) => Number.isInteger(n) && n >= 0, words: 'a whole number' },
  positive: { good: (n: number) => n > 0, words: 'a number of seconds above 0' },
  port: { good: (n: number) => Number.isInteger(n) && n > 0 && n < 65_536, words: 'a port number' },
} as const;

/** Values of a gate in the types they are needed in. */
class GateFields {
  readonly #place: GatePlace;

  constructor(place: GatePlace) {
    this.#place = place;
  }

  text(field: unknown, path: YamlPath): string {
    const value = this.#place.value(field, path);
    return value === undefined || value === null ? '' : String(value);
  }

  number(field: unknown, path: YamlPath, rule: keyof typeof numberRules): number {
    const value = this.#place.value(field, path);
    const { good, words } = numberRules[rule];
    const number = typeof value === 'string' && value.trim() === '' ? Number.NaN : Number(value);
    if (value !== undefined && !good(number)) this.#refuse(path, `must be ${words}`);
    return number;
  }

  /** Text that is a secret as soon as it contains one. */
  guarded(field: unknown, path: YamlPath): string | Secret {
    const text = this.text(field, path);
    return this.#holdsSecret(text) ? new Secret(text) : text;
  }

  /** Text that everybody may see. */
  open(field: unknown, path: YamlPath): string {
    const text = this.text(field, path);
    if (this.#holdsSecret(text)) {
      const hint =
        'arguments and addresses are seen by others: give a secret in a header, or let the container read it';
      this.#refuse(path, 'must not hold a password', hint);
    }
    return text;
  }

  url(field: unknown, path: YamlPath): string {
    const text = this.open(field, path);
    if (text !== '' && !(/^https?:\/\/[^/]/.test(text) && URL.canParse(text)))
      this.#refuse(path, 'must be an address like http://10.0.0.1:5000/v3');
    return text;
  }

  #holdsSecret(text: string): boolean {
    return this.#place.secrets.some((secret) => text.includes(secret));
  }

  #refuse(path: YamlPath, what: string, hint?: string): void {
    this.#place.diagnostics.push(
      error('invalid-gate', `gate: ${path.join('.')} ${what}`, { at: this.#place.at(path), hint }),
    );
  }
}
