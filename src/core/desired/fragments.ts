import type { HostName } from '../model/node.ts';
import { compileTemplate, renderTemplate } from '../render/template.ts';
import type { ContainerDefinition } from '../schema/service.ts';
import type { LoadedService } from '../schema/service-file.ts';
import { FieldReader, hostAddress } from './evaluate.ts';
import { contextFor, desiredFile, helpersFor, localsOf } from './files.ts';
import { type Building, configDirectory, containerKey, placesOf } from './input.ts';
import type { DesiredFragment } from './model.ts';
import { sourcesOf } from './sources.ts';

/** The container that reads the load balancer entries of all services, if the site has one. */
export interface FragmentReceiver {
  readonly service: LoadedService;
  readonly name: string;
  readonly container: ContainerDefinition;
  readonly fragments: NonNullable<ContainerDefinition['fragments']>;
}

export function fragmentReceiver(services: readonly LoadedService[]): FragmentReceiver | undefined {
  for (const service of services) {
    for (const [name, container] of Object.entries(service.definition.containers)) {
      if (container.fragments) return { service, name, container, fragments: container.fragments };
    }
  }
  return undefined;
}

/** How the fragment template names the backend of an entry. */
export function backendName(entry: string): string {
  return `${entry}_back`;
}

/** Path of the file that holds one container's entries. */
export function fragmentPath(receiver: FragmentReceiver, container: string): string {
  return `${configDirectory(receiver.name)}${receiver.fragments.directory}/${containerKey(container)}.cfg`;
}

/** The entries of one service's containers as files on every load balancer host. */
export function fragmentsOf(building: Building, service: LoadedService, receiver: FragmentReceiver): DesiredFragment[] {
  const hosts = placesOf(building, receiver.service, receiver.name).filter((host) => building.hosts.includes(host));
  return Object.entries(service.definition.containers).flatMap(([name, container]) => {
    if (Object.keys(container.loadbalancer).length === 0) return [];
    return hosts.flatMap((host) => fragmentFor(building, service, receiver, { name, container, host }));
  });
}

function fragmentFor(
  building: Building,
  service: LoadedService,
  receiver: FragmentReceiver,
  at: { name: string; container: ContainerDefinition; host: HostName },
): DesiredFragment[] {
  const templateName = `${receiver.service.definition.service}/${receiver.fragments.template}`;
  const { value: text, reads } = building.scope(at.host).used(() => textOf(building, service, templateName, at));
  if (text === undefined) return [];
  const file = desiredFile(fragmentPath(receiver, at.name), text, service.definition.service);
  const directory = configDirectory(receiver.name);
  const sources = sourcesOf(building, at.host, receiver.name, {
    reads,
    templates: new Set([templateName]),
    overrides: new Set(),
    definition: { service: service.definition.service, container: at.name, part: at.container.loadbalancer },
    inventory: true,
  });
  return [{ host: at.host, container: receiver.name, directory, reload: receiver.container.reload, file, sources }];
}

function textOf(
  building: Building,
  service: LoadedService,
  templateName: string,
  at: { name: string; container: ContainerDefinition; host: HostName },
): string | undefined {
  const entries = entriesOf(building, service, at);
  if (entries.length === 0) return undefined;
  const source = building.templates.get(templateName);
  if (source === undefined) return undefined;
  const template = compileTemplate(source.text, source.file);
  building.diagnostics.push(...template.diagnostics);
  if (!template.ok) return undefined;
  const context = contextFor(building, { ...at, service }, { entries });
  const rendered = renderTemplate(template.value, context, helpersFor(building, { service }));
  building.diagnostics.push(...rendered.diagnostics);
  return rendered.ok ? rendered.value : undefined;
}

function entriesOf(
  building: Building,
  service: LoadedService,
  { name, container, host }: { name: string; container: ContainerDefinition; host: HostName },
) {
  const scope = building.scope(host);
  const reader = new FieldReader(scope, service, building.diagnostics, building.secrets, localsOf(name));
  const span = service.span(['containers', name, 'loadbalancer']);
  const servers = placesOf(building, service, name).map((server) => ({
    name: String(building.scope(server).get('node_hostname', span)),
    address: hostAddress(building.scope, server, span),
  }));
  return Object.entries(container.loadbalancer).flatMap(([entryName, entry]) => {
    const path = ['containers', name, 'loadbalancer', entryName];
    if (!reader.boolean(entry.enabled, [...path, 'enabled'])) return [];
    const port = reader.integer(entry.port, [...path, 'port']);
    return [
      {
        name: entryName,
        mode: entry.mode,
        port,
        listen_port:
          entry.listen_port === undefined ? port : reader.integer(entry.listen_port, [...path, 'listen_port']),
        external: entry.external,
        check: entry.check === undefined ? '' : reader.text(entry.check, [...path, 'check']),
        balance: entry.balance === undefined ? '' : reader.text(entry.balance, [...path, 'balance']),
        active_passive: entry.active_passive,
        frontend_extra: entry.frontend_extra.map((line, i) => reader.text(line, [...path, 'frontend_extra', i])),
        backend_extra: entry.backend_extra.map((line, i) => reader.text(line, [...path, 'backend_extra', i])),
        servers,
        vips: vipsOf(reader, entry.external),
      },
    ];
  });
}

function vipsOf(reader: FieldReader, external: boolean): string[] {
  const internal = reader.variableText('kolla_internal_vip_address');
  return external ? [...new Set([internal, reader.variableText('kolla_external_vip_address')])] : [internal];
}
