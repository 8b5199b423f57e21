import { closure } from '../graph/dag.ts';
import type { SelectedService } from '../graph/select.ts';
import { type Diagnostic, type Result, resultOf } from '../model/diagnostic.ts';
import type { HostName } from '../model/node.ts';
import { unusedOverrides } from '../render/overrides.ts';
import type { ContainerDefinition } from '../schema/service.ts';
import type { LoadedService } from '../schema/service-file.ts';
import { FieldReader } from './evaluate.ts';
import { filesOf, localsOf, overrideFile } from './files.ts';
import { backendName, type FragmentReceiver, fragmentPath, fragmentReceiver, fragmentsOf } from './fragments.ts';
import { buildGates } from './gates.ts';
import { type Building, configDirectory, containerKey, type DesiredInput, placesOf } from './input.ts';
import { galeraServers } from './members.ts';
import type {
  BalancedServer,
  Desired,
  DesiredContainer,
  DesiredFragment,
  DesiredService,
  WantedPlaces,
} from './model.ts';
import { buildOneShots, memberUpgrades } from './one-shots.ts';
import { contentOf, sourcesOf } from './sources.ts';
import { specHashOf, specOf } from './spec.ts';
import { wantedPlaces } from './wanted.ts';
import { databaseWish, identityWish, messagingWish } from './wishes.ts';

/**
 * Site and selection → what each selected host should hold. Every problem of every service and template is reported
 * at once. Warnings name override files that nothing reads (only when everything is selected: else others may).
 */
export function buildDesired(input: DesiredInput): Result<Desired> {
  const diagnostics: Diagnostic[] = [];
  const building: Building = {
    ...input,
    diagnostics,
    overridesUsed: new Set(),
    overridesKnown: new Set(),
    names: new Map(),
  };
  const receiver = fragmentReceiver(input.services);
  const services = input.services.flatMap((service) => {
    const selected = input.selection.get(service.definition.service);
    return selected ? [buildService(building, service, selected, receiver)] : [];
  });
  if (input.selection.size === input.services.length) {
    const [host = ''] = input.hosts;
    const fileOf = (path: string) => overrideFile(building, host, path);
    diagnostics.push(
      ...unusedOverrides(input.overrides.keys(), building.overridesUsed, building.overridesKnown, fileOf),
    );
  }
  const desired: Desired = {
    site: siteName(building),
    services: receiver ? withFragments(services, receiver, input) : services,
    balancers: receiver
      ? placesOf(building, receiver.service, receiver.name)
          .filter((host) => building.hosts.includes(host))
          .map((host) => ({ host, container: receiver.name }))
      : [],
    required: requiredPlaces(building),
    fragmentPaths: receiver ? allFragmentPaths(building, receiver) : new Map(),
    receiver: receiver && receiverPlace(receiver),
    wanted: onDemand(() => wantedPlaces(building)),
  };
  return resultOf(desired, unique(diagnostics));
}

function receiverPlace({ name, container, fragments }: FragmentReceiver): Desired['receiver'] {
  const directory = configDirectory(name);
  return { directory, fragments: `${directory}${fragments.directory}/`, reload: container.reload };
}

function onDemand(work: () => WantedPlaces): () => WantedPlaces {
  let result: WantedPlaces | undefined;
  return () => {
    result ??= work();
    return result;
  };
}

/** The same problem met in several files of one host is one problem. */
function unique(diagnostics: readonly Diagnostic[]): Diagnostic[] {
  return [
    ...new Map(
      diagnostics.map((d) => [`${d.code} ${d.message} ${d.host} ${d.at?.file}:${d.at?.line}:${d.at?.column}`, d]),
    ).values(),
  ];
}

function siteName(building: Building): string {
  const [host] = building.hosts;
  const [service] = building.services;
  if (host === undefined || service === undefined) return '';
  return new FieldReader(building.scope(host), service, building.diagnostics, []).variableText('deploy_site');
}

function buildService(
  building: Building,
  service: LoadedService,
  selected: SelectedService,
  receiver: FragmentReceiver | undefined,
): DesiredService {
  const { definition } = service;
  const groupHosts = new Map<string, readonly HostName[]>();
  const containers: DesiredContainer[] = [];
  for (const name of Object.keys(definition.containers)) {
    if (!selected.containers.has(name)) continue;
    const places = placesOf(building, service, name);
    groupHosts.set(name, places);
    for (const host of places.filter((h) => building.hosts.includes(h))) {
      const container = buildContainer(building, service, name, host);
      if (container) containers.push(container);
    }
  }
  const ofService = selected.whole ? homeOf(building, service, groupHosts) : undefined;
  const keys = definition.shared_keys;
  return {
    name: definition.service,
    requires: [...definition.requires, ...definition.after],
    whole: selected.whole,
    home: [...groupHosts.values()].flat()[0],
    phases: definition.phases,
    gates: buildGates(building, service, [...new Set([...groupHosts.values()].flat())]),
    containers,
    groupHosts,
    oneShots: buildOneShots(building, service, containers, groupHosts),
    migrating: new Set(Object.values(definition.one_shots).map((oneShot) => oneShot.container)),
    fragments: receiver && selected.whole ? fragmentsOf(building, service, receiver) : [],
    databases: ofService && databaseWish(service, ofService.reader, ofService.host),
    identity: ofService && identityWish(service, ofService.reader, ofService.host),
    messaging: ofService && messagingWish(service, ofService.reader, ofService.host),
    memberUpgrades: memberUpgrades(building, service, containers),
    galera: galeraServers(building, service, groupHosts),
    sharedKeys: keys && selected.containers.has(keys.container) ? keys : undefined,
  };
}

/**
 * What concerns the whole service is done from the first host of its group, where its markers lie. When a limit leaves
 * that host out it is not done at all: nobody could tell whether it was done before.
 */
function homeOf(
  building: Building,
  service: LoadedService,
  groupHosts: ReadonlyMap<string, readonly HostName[]>,
): { readonly reader: FieldReader; readonly host: HostName } | undefined {
  const [host] = [...groupHosts.values()].flat();
  if (host === undefined || !building.hosts.includes(host)) return undefined;
  return { reader: new FieldReader(building.scope(host), service, building.diagnostics, building.secrets), host };
}

function readerFor(building: Building, service: LoadedService, container: string, host: HostName): FieldReader {
  return new FieldReader(building.scope(host), service, building.diagnostics, building.secrets, localsOf(container));
}

function buildContainer(
  building: Building,
  service: LoadedService,
  name: string,
  host: HostName,
): DesiredContainer | undefined {
  const container = service.definition.containers[name];
  if (container === undefined) return undefined;
  const reader = readerFor(building, service, name, host);
  const at = (...path: (string | number)[]) => ['containers', name, ...path];
  if (!reader.boolean(container.enabled, at('enabled'))) return undefined;
  const scope = building.scope(host);
  const made = { templates: new Set<string>(), overrides: new Set<string>() };
  const { value: image, reads: imageReads } = scope.used(() => ({
    repository: `${reader.variableText('docker_image_url')}${reader.text(container.image, at('image'))}`,
    tag: reader.text(container.tag, at('tag')),
  }));
  const { value: content, reads } = scope.used(() => ({
    files: filesOf(building, { service, name, container, host, reader, made }),
    spec: specOf(service, name, reader),
  }));
  const { files, spec } = content;
  const definition = { service: service.definition.service, container: name, part: contentOf(container) };
  const address = reader.variableText('api_interface_address');
  return {
    host,
    service: service.definition.service,
    name,
    key: containerKey(name),
    directory: configDirectory(name),
    image,
    spec,
    // A start command in config.json takes effect only with a new process, so a reload must not be enough for it.
    specHash: specHashOf(spec, container.reload ? (files[0]?.sha256 ?? '') : ''),
    files,
    rollout: container.rollout,
    reload: container.reload,
    servers: serversOf(name, container, reader),
    ports: container.ports.map((port, i) => ({ address, port: reader.integer(port, at('ports', i)) })),
    sources: sourcesOf(building, host, name, { ...made, reads, imageReads, definition }),
  };
}

/** A drained server that is the only active one of its backend hands new sessions to the backups at once. */
function serversOf(name: string, container: ContainerDefinition, reader: FieldReader): BalancedServer[] {
  const server = reader.variableText('node_hostname');
  return Object.entries(container.loadbalancer)
    .filter(([entry, { enabled }]) => reader.boolean(enabled, ['containers', name, 'loadbalancer', entry, 'enabled']))
    .map(([entry]) => ({ backend: backendName(entry), server }));
}

/** A selected load balancer carries the selected services' entries among its own files. */
function withFragments(
  services: readonly DesiredService[],
  receiver: FragmentReceiver,
  input: DesiredInput,
): DesiredService[] {
  const owner = receiver.service.definition.service;
  if (!input.selection.get(owner)?.containers.has(receiver.name)) return [...services];
  const fragments: DesiredFragment[] = services.flatMap((service) => service.fragments);
  return services.map((service) => ({
    ...service,
    fragments: [],
    containers: service.containers.map((container) =>
      container.name === receiver.name
        ? withFiles(
            container,
            fragments.filter((f) => f.host === container.host),
          )
        : container,
    ),
  }));
}

function withFiles(container: DesiredContainer, fragments: readonly DesiredFragment[]): DesiredContainer {
  return {
    ...container,
    files: [...container.files, ...fragments.map(({ file }) => file)],
    sources: () => new Map([container, ...fragments].flatMap(({ sources }) => [...sources()])),
  };
}

function allFragmentPaths(building: Building, receiver: FragmentReceiver): ReadonlyMap<HostName, ReadonlySet<string>> {
  const paths = new Set(
    building.services.flatMap((service) =>
      Object.entries(service.definition.containers)
        .filter(([, container]) => Object.keys(container.loadbalancer).length > 0)
        .map(([name]) => fragmentPath(receiver, name)),
    ),
  );
  return new Map(placesOf(building, receiver.service, receiver.name).map((host) => [host, paths]));
}

function requiredPlaces(building: Building): Desired['required'] {
  const byName = new Map(building.services.map((service) => [service.definition.service, service]));
  const edges = new Map(building.services.map((s) => [s.definition.service, s.definition.requires]));
  const seen = new Set<string>();
  return [...building.selection.keys()].flatMap((by) =>
    [...closure(edges, [by])].sort().flatMap((name) => {
      const service = byName.get(name);
      if (service === undefined || building.selection.has(name) || seen.has(name)) return [];
      seen.add(name);
      const places = Object.entries(service.definition.containers).flatMap(([container, { enabled }]) =>
        placesOf(building, service, container)
          .filter((host) =>
            readerFor(building, service, container, host).boolean(enabled, ['containers', container, 'enabled']),
          )
          .map((host) => ({ host, container })),
      );
      return [{ service: name, by, places }];
    }),
  );
}
