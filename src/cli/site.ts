import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildDesired } from '../core/desired/build.ts';
import type { Desired } from '../core/desired/model.ts';
import { topologicalOrder } from '../core/graph/dag.ts';
import { checkGroups } from '../core/graph/group-checks.ts';
import { requiredButDisabled, type Selection, selectByTags } from '../core/graph/select.ts';
import { DeployError, type ExitCode, error, exitCode, type Result, resultOf } from '../core/model/diagnostic.ts';
import type { HostName } from '../core/model/node.ts';
import type { LoadedService } from '../core/schema/service-file.ts';
import { matchHosts } from '../core/site/host-pattern.ts';
import { assembleSite, type Site } from '../core/site/load.ts';
import { writtenSecrets } from '../core/site/written-secrets.ts';
import { readSiteInputs } from '../edge/store/read-site.ts';
import { readTemplates } from '../edge/store/read-templates.ts';
import { makeRedactor } from '../report/redact.ts';
import type { SelectionOptions, SiteOptions } from './options.ts';
import type { Output } from './output.ts';

/** The program's own folder: services/ lies in it, beside dist/ or src/. */
export const programDirectory = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

/** The value, after its warnings were shown; or the errors thrown, to be shown once at the end. */
export function unwrap<T>(result: Result<T>, output: Output, exit: ExitCode): T {
  if (!result.ok) throw new DeployError(result.diagnostics, exit);
  output.diagnostics(result.diagnostics);
  return result.value;
}

export interface LoadedSite {
  readonly site: Site;
  /** Enabled services, what others require before them. */
  readonly services: readonly LoadedService[];
  readonly disabled: readonly LoadedService[];
  /** Named in messages about what the inventory lacks. */
  readonly inventoryFile?: string;
}

export async function loadSite(options: SiteOptions, output: Output): Promise<LoadedSite> {
  const inventoryPaths = options.inventory.length > 0 ? options.inventory : [join(options.configdir, 'inventory')];
  const read = await readSiteInputs({
    configDir: options.configdir,
    inventoryPaths,
    servicesDir: join(programDirectory, 'services'),
    extraVars: options.extraVars,
  });
  const inputs = unwrap(read, output, exitCode.badInput);
  output.redactWith(makeRedactor(writtenSecrets(inputs)));
  const site = unwrap(assembleSite(inputs), output, exitCode.badInput);
  output.redactWith(makeRedactor(site.secretValues()));
  const all = [...site.services.values()];
  const enabled = all.filter((service) => site.enabled(service.definition.service));
  const edges = new Map(
    enabled.map(({ definition }) => [definition.service, [...definition.requires, ...definition.after]] as const),
  );
  const order = unwrap(topologicalOrder(edges, 'services'), output, exitCode.badInput);
  const services = order.flatMap((name) => site.services.get(name) ?? []);
  const disabled = all.filter((service) => !enabled.includes(service));
  return { site, services, disabled, ...(inventoryPaths[0] === undefined ? {} : { inventoryFile: inventoryPaths[0] }) };
}

export interface Target {
  readonly selection: Selection;
  /** Hosts that hold something selected, in inventory order. */
  readonly hosts: readonly HostName[];
}

/** Tags and limit applied; naming something that does not exist is an error. */
export function selectTarget(loaded: LoadedSite, options: SelectionOptions, output: Output): Target {
  const { site, services, disabled } = loaded;
  const selection = unwrap(
    selectByTags(
      services.map((s) => s.definition),
      disabled.map((s) => s.definition),
      options.tags,
      options.skipTags,
    ),
    output,
    exitCode.badInput,
  );
  const placement = services.flatMap(({ definition }) => {
    const selected = selection.get(definition.service);
    const file = loaded.inventoryFile ?? 'inventory';
    if (selected === undefined) return [];
    const off = new Set(disabled.map((service) => service.definition.service));
    return [
      ...checkGroups(definition, selected.containers, { groups: site.inventory.groups, file }),
      ...requiredButDisabled(definition, off),
    ];
  });
  const matched = options.limit === undefined ? undefined : matchHosts(options.limit, site.inventory);
  unwrap(resultOf(undefined, [...placement, ...(matched?.diagnostics ?? [])]), output, exitCode.badInput);
  const limited = matched?.ok ? new Set(matched.value) : undefined;
  const wanted = new Set(services.flatMap((service) => hostsOf(loaded, service, selection)));
  const hosts = [...site.inventory.hosts.keys()].filter((host) => wanted.has(host) && (limited?.has(host) ?? true));
  if (hosts.length === 0) {
    throw new DeployError(
      [
        error('no-hosts', 'nothing selected lies on any host', {
          hint: 'look at the groups of the inventory and at --limit',
        }),
      ],
      exitCode.badInput,
    );
  }
  return { selection, hosts };
}

function hostsOf(loaded: LoadedSite, service: LoadedService, selection: Selection): HostName[] {
  const selected = selection.get(service.definition.service);
  if (selected === undefined) return [];
  const groups = [...selected.containers].map((name) => service.definition.containers[name]?.group ?? '');
  const balanced = Object.values(service.definition.containers).some((c) => Object.keys(c.loadbalancer).length > 0);
  const receivers = loaded.services
    .flatMap((s) => Object.values(s.definition.containers))
    .filter((c) => c.fragments !== undefined)
    .map((c) => c.group);
  return [...groups, ...(balanced && selected.whole ? receivers : [])].flatMap(
    (group) => loaded.site.inventory.groups.get(group)?.hosts ?? [],
  );
}

/** Everything rendered and hashed: what the selected hosts should hold. */
export async function desiredState(loaded: LoadedSite, target: Target, output: Output): Promise<Desired> {
  const selected = loaded.services.filter((s) => target.selection.has(s.definition.service));
  const receivers = loaded.services.filter((s) => Object.values(s.definition.containers).some((c) => c.fragments));
  const templates = await readTemplates([...new Set([...selected, ...receivers])]);
  const groups = new Map([...loaded.site.inventory.groups].map(([name, group]) => [name, group.hosts]));
  const desired = buildDesired({
    services: loaded.services,
    selection: target.selection,
    hosts: target.hosts,
    groups,
    scope: (host) => loaded.site.scope(host),
    templates,
    overrides: loaded.site.overrides,
    secrets: loaded.site.secretValues(),
  });
  return unwrap(desired, output, exitCode.badInput);
}
