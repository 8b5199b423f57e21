import type { ContainerName, HostName } from '../model/node.ts';
import type { LoadedService } from '../schema/service-file.ts';
import { FieldReader } from './evaluate.ts';
import { localsOf } from './files.ts';
import { type Building, placesOf } from './input.ts';
import type { WantedPlaces } from './model.ts';

/**
 * All containers that enabled services want, with their hosts. Short-lived ones count on every host of their
 * container's group: one that failed is kept for its log. Where it cannot be told whether a container is enabled it is
 * taken for wanted: what is not wanted may be removed.
 */
export function wantedPlaces(building: Building): WantedPlaces {
  const wanted = new Map<ContainerName, ReadonlySet<HostName>>();
  for (const service of building.services) {
    const { containers, one_shots: oneShots } = service.definition;
    for (const name of Object.keys(containers)) wanted.set(name, hostsOf(building, service, name));
    for (const [name, { container }] of Object.entries(oneShots)) {
      wanted.set(name, new Set(placesOf(building, service, container)));
    }
  }
  return wanted;
}

function hostsOf(building: Building, service: LoadedService, name: ContainerName): Set<HostName> {
  const enabled = service.definition.containers[name]?.enabled;
  const hosts = placesOf(building, service, name).filter((host) => {
    const problems: Building['diagnostics'] = [];
    const reader = new FieldReader(building.scope(host), service, problems, [], localsOf(name));
    return reader.boolean(enabled, ['containers', name, 'enabled']) || problems.length > 0;
  });
  return new Set(hosts);
}
