import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { buildDesired } from '../../../src/core/desired/build.ts';
import type { Desired, DesiredContainer } from '../../../src/core/desired/model.ts';
import { topologicalOrder } from '../../../src/core/graph/dag.ts';
import { selectByTags } from '../../../src/core/graph/select.ts';
import { formatDiagnostic, type Result } from '../../../src/core/model/diagnostic.ts';
import { parseInventory } from '../../../src/core/schema/inventory.ts';
import { type LoadedService, parseServiceFile } from '../../../src/core/schema/service-file.ts';
import { parseYaml } from '../../../src/core/schema/yaml.ts';
import { type Inventory, mergeInventory } from '../../../src/core/site/inventory.ts';
import { documentEntries, type VariableLayer } from '../../../src/core/site/layers.ts';
import { createScopes, type Scope } from '../../../src/core/site/variables.ts';

export const repository = fileURLToPath(new URL('../../../', import.meta.url));

export function read(path: string): string {
  return readFileSync(`${repository}${path}`, 'utf8');
}

export const serviceNames = readdirSync(`${repository}services`, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map((entry) => entry.name)
  .sort();

export function templateNames(service: string): string[] {
  const folder = `${repository}services/${service}/templates`;
  return existsSync(folder) ? readdirSync(folder).sort() : [];
}

export function must<T>(result: Result<T>): T {
  if (!result.ok) throw new Error(result.diagnostics.map(formatDiagnostic).join('\n'));
  return result.value;
}

export function loadService(name: string): LoadedService {
  const file = `services/${name}/service.yml`;
  return must(parseServiceFile(read(file), file));
}

function loadInventory(text: string): Inventory {
  return must(mergeInventory([must(parseInventory(text, 'inventory'))], { groupVars: [], hostVars: [] }));
}

/** The shipped multinode inventory with real-looking addresses for its three controllers. */
export const threeControllers = [3, 2, 1].reduce(
  (text, n) => text.replace('[control]\n', `[control]\ncontrol0${n} ansible_host=192.0.2.1${n}\n`),
  read('inventory/multinode').replace('control[01:03]\n', ''),
);

function layer(name: string, text: string, base: readonly string[] = []): VariableLayer {
  return { name, values: documentEntries(must(parseYaml(text, name)), base) };
}

/** Every password of the template gets the value `<name>-value`. */
function passwords(): string {
  return read('config/passwords.yml').replaceAll(/^(\w+):$/gm, '$1: $1-value');
}

export interface ShippedSite {
  readonly desired: Desired;
  readonly scope: (host: string) => Scope;
  readonly inventory: Inventory;
  container(name: string, host?: string): DesiredContainer;
  /** Content of a file in a container's config directory. */
  file(container: string, name: string, host?: string): string;
}

/** All shipped services on an inventory, evaluated and rendered by the program's own code. */
export function shippedSite(
  globals: string,
  overrides: Readonly<Record<string, string>> = {},
  hosts: string = threeControllers,
): ShippedSite {
  const inventory = loadInventory(hosts);
  const all = serviceNames.map(loadService);
  const layers = [
    layer('services/defaults.yml', read('services/defaults.yml')),
    ...all.map((s) => ({ name: s.file, values: documentEntries(s.document, ['variables']) })),
  ];
  const operator = [layer('globals.yml', globals), layer('passwords.yml', passwords())];
  const { scope } = createScopes({
    inventory,
    layersFor: (host) => [...layers, ...(inventory.hosts.get(host)?.vars ?? []), ...operator],
  });
  const [first = ''] = inventory.groups.get('control')?.hosts ?? [];
  const at = { file: 'test', line: 1, column: 1 };
  const enabled = inOrder(all.filter((s) => scope(first).boolean(s.definition.enabled, at)));
  const definitions = enabled.map((s) => s.definition);
  const desired = must(
    buildDesired({
      services: enabled,
      selection: must(selectByTags(definitions, [], [], [])),
      hosts: [...inventory.hosts.keys()].filter((host) => host !== 'localhost'),
      groups: new Map([...inventory.groups].map(([name, group]) => [name, group.hosts])),
      scope,
      templates: allTemplates(),
      overrides: new Map(Object.entries(overrides)),
      secrets: [],
    }),
  );
  const containers = desired.services.flatMap((service) => service.containers);
  function container(name: string, host = first): DesiredContainer {
    const found = containers.find((c) => c.name === name && c.host === host);
    if (!found) throw new Error(`no ${name} on ${host}`);
    return found;
  }
  function file(name: string, fileName: string, host = first): string {
    const { directory, files } = container(name, host);
    const found = files.find(({ path }) => path === `${directory}${fileName}`);
    if (!found) throw new Error(`${name} has no ${fileName}: ${files.map(({ path }) => path).join(', ')}`);
    return found.content;
  }
  return { desired, scope, inventory, container, file };
}

function inOrder(services: readonly LoadedService[]): LoadedService[] {
  const edges = new Map(services.map(({ definition: d }) => [d.service, [...d.requires, ...d.after]]));
  return must(topologicalOrder(edges, 'services')).flatMap((name) =>
    services.filter(({ definition }) => definition.service === name),
  );
}

function allTemplates(): Map<string, { text: string; file: string }> {
  return new Map(
    serviceNames.flatMap((service) =>
      templateNames(service).map((name) => {
        const file = `services/${service}/templates/${name}`;
        return [`${service}/${name}`, { text: read(file), file }] as const;
      }),
    ),
  );
}
