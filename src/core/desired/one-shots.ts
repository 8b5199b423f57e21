import type { HostName } from '../model/node.ts';
import type { LoadedService } from '../schema/service-file.ts';
import { FieldReader } from './evaluate.ts';
import { localsOf } from './files.ts';
import type { Building } from './input.ts';
import type { DesiredContainer, DesiredOneShot, ImagelessSpec } from './model.ts';
import { specHashOf } from './spec.ts';

/** Migrations and bootstraps of a service, on the first host of their container's group if that is among the selected. */
export function buildOneShots(
  building: Building,
  service: LoadedService,
  containers: readonly DesiredContainer[],
  groupHosts: ReadonlyMap<string, readonly HostName[]>,
): ReadonlyMap<string, DesiredOneShot> {
  const oneShots = new Map<string, DesiredOneShot>();
  for (const [name, definition] of Object.entries(service.definition.one_shots)) {
    const home = groupHosts.get(definition.container)?.[0];
    const owner = containers.find((c) => c.name === definition.container && c.host === home);
    if (owner === undefined) continue;
    const reader = new FieldReader(
      building.scope(owner.host),
      service,
      building.diagnostics,
      building.secrets,
      localsOf(owner.name),
    );
    const environment = Object.entries(definition.environment).map(
      ([key, value]) => [key, reader.guarded(value, ['one_shots', name, 'environment', key])] as const,
    );
    const spec: ImagelessSpec = {
      ...owner.spec,
      name,
      environment: { ...owner.spec.environment, ...Object.fromEntries(environment) },
      healthcheck: undefined,
      command: definition.command,
      restart: 'no',
    };
    oneShots.set(name, {
      name,
      host: owner.host,
      service: service.definition.service,
      container: owner.name,
      spec,
      definition,
      contentHash: specHashOf(spec, ''),
    });
  }
  return oneShots;
}
