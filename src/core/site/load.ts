import { type Diagnostic, error, failure, type Result, resultOf } from '../model/diagnostic.ts';
import type { HostName } from '../model/node.ts';
import { gatesVariable } from '../schema/gate.ts';
import { type InventoryFile, parseInventory } from '../schema/inventory.ts';
import { type LoadedService, parseServiceFile } from '../schema/service-file.ts';
import { parseYaml, type YamlDocument } from '../schema/yaml.ts';
import { type ExtraVars, parseExtraVars } from './extra-vars.ts';
import { type Inventory, mergeInventory } from './inventory.ts';
import { documentEntries, type VariableLayer } from './layers.ts';
import { declaredPasswordLayer, passwordLayer } from './passwords.ts';
import { checkGlobals, checkServices } from './site-checks.ts';
import { VariableError } from './variable-error.ts';
import { createScopes, type Scope } from './variables.ts';

export interface TextFile {
  /** As the operator would write it; appears in messages. */
  readonly file: string;
  readonly text: string;
}

/** Everything a site is made of, as read; `edge/store/read-site.ts` reads it. */
export interface SiteInputs {
  readonly configDir: string;
  readonly globals: TextFile;
  /** In the order they apply. */
  readonly globalsD: readonly TextFile[];
  readonly passwords: TextFile;
  readonly inventories: readonly TextFile[];
  readonly groupVars: readonly (TextFile & { readonly name: string })[];
  readonly hostVars: readonly (TextFile & { readonly name: string })[];
  /** `services/defaults.yml` */
  readonly defaults?: TextFile | undefined;
  readonly services: readonly TextFile[];
  readonly extraVars: readonly ExtraVars[];
  /** Files under `<configdir>/config/`, by their path below it. */
  readonly overrides: ReadonlyMap<string, string>;
}

/** Inventory, variables and services, read and checked. */
export interface Site {
  readonly configDir: string;
  readonly inventory: Inventory;
  /** By name, in the order of their files. */
  readonly services: ReadonlyMap<string, LoadedService>;
  readonly overrides: ReadonlyMap<string, string>;
  /** Whether a service's `enabled` is true; asked once, on the first host. */
  enabled(service: string): boolean;
  /** Variables of a host of the inventory. */
  scope(host: HostName): Scope;
  /** Texts to be masked in all output, longest first. */
  secretValues(): readonly string[];
  /** Names whose values are secrets: those of passwords.yml, those services declare, all that end in `_password`. */
  isSecretName(name: string): boolean;
}

/** All problems of all files together, or the site. */
export function assembleSite(inputs: SiteInputs): Result<Site> {
  const problems: Diagnostic[] = [];
  const keep = <T>(result: Result<T>): T | undefined => {
    problems.push(...result.diagnostics);
    return result.ok ? result.value : undefined;
  };
  const maps = (files: readonly TextFile[]): (YamlDocument | undefined)[] => files.map((file) => keep(parseMap(file)));
  const [globals, passwords] = maps([inputs.globals, inputs.passwords]);
  const globalsD = maps(inputs.globalsD);
  const [defaults] = inputs.defaults ? maps([inputs.defaults]) : [];
  const extra = inputs.extraVars.map((vars) => keep(parseExtraVars(vars)));
  const services = new Map<string, LoadedService>();
  for (const { text, file } of inputs.services) {
    const service = keep(parseServiceFile(text, file));
    if (service) problems.push(...addService(services, service));
  }
  problems.push(...checkServices(services));
  const inventory = readInventory(inputs, keep);
  if (problems.some(({ severity }) => severity === 'error') || !inventory || !globals || !passwords) {
    return failure(problems);
  }
  const declared = new Set([...services.values()].flatMap(({ definition }) => Object.keys(definition.passwords)));
  const low = [
    declaredPasswordLayer(declared, inputs.passwords.file),
    ...(defaults
      ? [{ name: 'services/defaults.yml', from: 'services' as const, values: documentEntries(defaults) }]
      : []),
    ...[...services.values()].map(serviceLayer),
  ];
  const high = [
    { name: 'globals.yml', values: documentEntries(globals) },
    passwordLayer(passwords, declared),
    ...present(globalsD).map((document) => ({ name: document.file, values: documentEntries(document) })),
    ...present(extra),
  ];
  const gates = [...services.keys()].map(gatesVariable);
  const definitions = [
    ...gates,
    ...[...inputs.services, ...(inputs.defaults ? [inputs.defaults] : [])].map(({ text }) => text),
  ];
  const known = [...low, ...inventoryLayers(inventory)];
  problems.push(...checkGlobals([globals, ...present(globalsD)], known, passwords, definitions));
  const site = siteOf(inputs, inventory, services, { low, high, declared });
  const enabled = enabledServices(site);
  return resultOf({ ...site, enabled: (name: string) => enabled.names.has(name) }, [...problems, ...enabled.problems]);
}

function present<T>(items: readonly (T | undefined)[]): T[] {
  return items.filter((item) => item !== undefined);
}

/** A file of variables: a map, or empty. */
function parseMap({ text, file }: TextFile): Result<YamlDocument> {
  const document = parseYaml(text, file);
  if (!document.ok) return document;
  const { value } = document.value;
  if (value === null || (typeof value === 'object' && !Array.isArray(value))) return document;
  const at = document.value.spanAt([]);
  return failure([error('invalid-value', 'the file must be a map of variables, "name: value"', { at })]);
}

function addService(services: Map<string, LoadedService>, service: LoadedService): Diagnostic[] {
  const name = service.definition.service;
  const at = service.span(['service']);
  const folder = service.directory.slice(service.directory.lastIndexOf('/') + 1);
  const first = services.get(name);
  if (first) return [error('duplicate-service', `service ${name} is defined in ${first.file} already`, { at })];
  services.set(name, service);
  if (folder === name) return [];
  return [error('service-name', `service ${name} lies in the folder ${folder}; both must have the same name`, { at })];
}

function readInventory(inputs: SiteInputs, keep: <T>(result: Result<T>) => T | undefined): Inventory | undefined {
  const files: (InventoryFile | undefined)[] = inputs.inventories.map(({ text, file }) =>
    keep(parseInventory(text, file)),
  );
  const groupVars = inputs.groupVars.map((file) => ({ group: file.name, document: keep(parseMap(file)) }));
  const hostVars = inputs.hostVars.map((file) => ({ host: file.name, document: keep(parseMap(file)) }));
  if (files.includes(undefined)) return undefined;
  const inventory = keep(
    mergeInventory(present(files), {
      groupVars: groupVars.flatMap(({ group, document }) => (document ? [{ group, document }] : [])),
      hostVars: hostVars.flatMap(({ host, document }) => (document ? [{ host, document }] : [])),
    }),
  );
  if (inventory?.hosts.size === 0) {
    const at = { file: inputs.inventories[0]?.file ?? 'inventory', line: 1, column: 1 };
    keep(failure([error('no-hosts', 'the inventory has no hosts', { at })]));
  }
  return inventory;
}

function serviceLayer(service: LoadedService): VariableLayer {
  const values = documentEntries(service.document, ['variables']);
  return { name: `service ${service.definition.service}`, from: 'services', values };
}

function inventoryLayers(inventory: Inventory): VariableLayer[] {
  return [...new Set([...inventory.hosts.values()].flatMap(({ vars }) => vars))];
}

interface Layers {
  readonly low: readonly VariableLayer[];
  readonly high: readonly VariableLayer[];
  readonly declared: ReadonlySet<string>;
}

function siteOf(
  inputs: SiteInputs,
  inventory: Inventory,
  services: ReadonlyMap<string, LoadedService>,
  { low, high, declared }: Layers,
): Omit<Site, 'enabled'> {
  let secrets: readonly string[] | undefined;
  const secretValues = (): readonly string[] => {
    secrets ??= collectSecrets([...low, ...inventoryLayers(inventory), ...high], declared);
    return secrets;
  };
  const scopes = createScopes({
    inventory,
    layersFor: (host) => [...low, ...(inventory.hosts.get(host)?.vars ?? []), ...high],
    constants: { CONFIG_DIR: inputs.configDir },
    secretValues,
  });
  const { configDir, overrides } = inputs;
  const isSecretName = (name: string) =>
    callsSecret(name, declared) || high.some((layer) => layer.name === passwordsFile && layer.values.has(name));
  const scope = (host: HostName) => scopes.scope(host);
  return { configDir, overrides, inventory, services, secretValues, isSecretName, scope };
}

const passwordsFile = 'passwords.yml';

function callsSecret(name: string, declared: ReadonlySet<string>): boolean {
  return declared.has(name) || name.endsWith('_password');
}

/** Shorter texts would mask half of every output. */
const minSecretLength = 4;

/** Every text of passwords.yml, and of what is called a password anywhere else. Expressions are no secrets. */
function collectSecrets(layers: readonly VariableLayer[], declared: ReadonlySet<string>): string[] {
  const found = new Set<string>();
  const collect = (value: unknown): void => {
    if (typeof value === 'string') {
      if (value.length >= minSecretLength && !value.includes('{{')) found.add(value);
    } else if (value !== null && typeof value === 'object') Object.values(value).forEach(collect);
  };
  for (const { name: layer, values } of layers) {
    for (const [name, { value }] of values) {
      if (layer === passwordsFile || callsSecret(name, declared)) collect(value);
    }
  }
  return [...found].sort((a, b) => b.length - a.length);
}

function enabledServices(site: Omit<Site, 'enabled'>): { names: ReadonlySet<string>; problems: Diagnostic[] } {
  const [first] = site.inventory.hosts.keys();
  const names = new Set<string>();
  const problems: Diagnostic[] = [];
  if (first === undefined) return { names, problems };
  const scope = site.scope(first);
  for (const [name, { definition, document }] of site.services) {
    try {
      if (scope.boolean(definition.enabled, document.textAt(['enabled']))) names.add(name);
    } catch (cause) {
      if (!(cause instanceof VariableError)) throw cause;
      problems.push(cause.diagnostic);
    }
  }
  return { names, problems };
}
