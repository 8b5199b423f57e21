import type { Desired, DesiredContainer, DesiredFile, DesiredService } from '../desired/model.ts';
import { type HostName, imageName, label, type ObservedContainer, type ObservedNode } from '../model/node.ts';
import { nextSuffix, previousSuffix } from './compare.ts';
import type { Observed } from './policy.ts';
import { registrationMarker } from './registration.ts';
import { ownVolumes } from './replace.ts';
import { galeraFormedMarker } from './rollout.ts';
import type { ConfigurationPrint, ContainerPrint, NodePrint } from './saved.ts';

/** What the configuration makes of the selected services, by host and container, by service. Same input, same maps. */
export function configurationPrint(desired: Desired): ConfigurationPrint {
  const hosts: ConfigurationPrint['hosts'] = {};
  const of = (host: HostName) => {
    const known = hosts[host] ?? { containers: {}, entries: {} };
    hosts[host] = known;
    return known;
  };
  for (const service of desired.services) {
    for (const container of service.containers)
      of(container.host).containers[container.name] = containerPrint(container);
    for (const { host, file } of service.fragments) of(host).entries[file.path] = filePrint(file);
  }
  const services = Object.fromEntries(desired.services.map((service) => [service.name, servicePrint(service)]));
  return { site: desired.site, hosts, services };
}

function containerPrint(container: DesiredContainer): ContainerPrint {
  const sources = [...container.sources()].map(([name, { hash }]) => [name, hash] as const);
  return {
    image: imageName(container.image),
    spec: container.specHash,
    files: Object.fromEntries(container.files.map((file) => [file.path, filePrint(file)])),
    sources: Object.fromEntries(sources),
  };
}

function filePrint({ mode, sha256 }: Pick<DesiredFile, 'mode' | 'sha256'>): string {
  return `${mode} ${sha256}`;
}

function servicePrint(service: DesiredService): Record<string, string> {
  const kinds = ['databases', 'identity', 'messaging'] as const;
  const registrations = kinds.flatMap((kind) => {
    const wish = service[kind];
    return wish === undefined ? [] : [[kind, registrationMarker(kind, service.name, wish).value] as const];
  });
  const oneShots = [...service.oneShots.values()].map(({ name, contentHash }) => [`run ${name}`, contentHash] as const);
  return Object.fromEntries([...registrations, ...oneShots]);
}

/**
 * What the nodes held when the plan was made, as far as the plan was made from it: the containers, files, markers and
 * volumes of the selected services and of the load balancers in front of them. What moves by itself (health, the
 * engine's own words, sockets) is not in it, nor is what belongs to others.
 */
export function nodePrints(desired: Desired, observed: Observed): Record<HostName, NodePrint> {
  const containers = desired.services.flatMap((service) => service.containers);
  const oneShots = desired.services.flatMap((service) => [...service.oneShots.keys()]);
  const receivers = desired.services.flatMap((service) => service.fragments);
  const concern: Concern = {
    names: new Set([
      ...containers.map(({ name }) => name),
      ...oneShots,
      ...desired.balancers.map(({ container }) => container),
      ...receivers.map(({ container }) => container),
    ]),
    services: new Set(desired.services.map(({ name }) => name)),
    facts: new Set(containers.some((c) => c.rollout.strategy === 'galera') ? [galeraFormedMarker.key] : []),
    directories: [...new Set([...containers, ...receivers].map(({ directory }) => directory))],
    volumes: new Set(containers.flatMap(ownVolumes)),
  };
  const hosts = [...observed.keys()].sort();
  return Object.fromEntries(
    hosts.flatMap((host) => {
      const node = observed.get(host);
      return node === undefined ? [] : [[host, nodePrint(node, concern)] as const];
    }),
  );
}

/** What of a node is the plan's concern. */
interface Concern {
  readonly names: ReadonlySet<string>;
  readonly services: ReadonlySet<string>;
  /** Markers that are about none of these. */
  readonly facts: ReadonlySet<string>;
  readonly directories: readonly string[];
  readonly volumes: ReadonlySet<string>;
}

function nodePrint(node: ObservedNode, { names, services, facts, directories, volumes }: Concern): NodePrint {
  const files = node.files.filter(({ path }) => directories.some((directory) => path.startsWith(directory)));
  const markers = Object.entries(node.markers).filter(([key]) => {
    const about = key.slice(key.indexOf('.') + 1);
    return names.has(about) || services.has(about) || facts.has(key);
  });
  return {
    containers: sorted(node.containers.filter(({ name }) => names.has(baseName(name))).map(observedPrint)),
    files: sorted(files.map((file) => [file.path, filePrint(file)])),
    markers: sorted(markers),
    volumes: node.volumes.filter((volume) => volumes.has(volume)).sort(),
  };
}

/** The name it has when nothing is being replaced. */
function baseName(name: string): string {
  const suffix = [nextSuffix, previousSuffix].find((candidate) => name.endsWith(candidate)) ?? '';
  return name.slice(0, name.length - suffix.length);
}

function observedPrint(container: ObservedContainer): [string, NodePrint['containers'][string]] {
  const { name, id, image, state, labels } = container;
  const ours = Object.entries(labels).filter(([key]) => key.startsWith('deploy.') && key !== label.run);
  return [name, { id, image, state, labels: sorted(ours) }];
}

function sorted<T>(entries: readonly (readonly [string, T])[]): Record<string, T> {
  return Object.fromEntries([...entries].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));
}
