import type { HostName } from '../model/node.ts';
import type { OneShotDefinition } from '../schema/service.ts';
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
    if (definition.each_member) continue;
    const home = groupHosts.get(definition.container)?.[0];
    const owner = containers.find((c) => c.name === definition.container && c.host === home);
    if (owner !== undefined) oneShots.set(name, oneShotOf(building, service, owner, name, definition));
  }
  return oneShots;
}

/** What is run beside each member of a cluster, by host. */
export function memberUpgrades(
  building: Building,
  service: LoadedService,
  containers: readonly DesiredContainer[],
): ReadonlyMap<HostName, DesiredOneShot> {
  const [found] = Object.entries(service.definition.one_shots).filter(([, { each_member }]) => each_member);
  if (found === undefined) return new Map();
  const [name, definition] = found;
  const owners = containers.filter((container) => container.name === definition.container);
  return new Map(owners.map((owner) => [owner.host, oneShotOf(building, service, owner, name, definition)]));
}

function oneShotOf(
  building: Building,
  service: LoadedService,
  owner: DesiredContainer,
  name: string,
  definition: OneShotDefinition,
): DesiredOneShot {
  const { scope, diagnostics, secrets } = building;
  const reader = new FieldReader(scope(owner.host), service, diagnostics, secrets, localsOf(owner.name));
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
  const { host, name: container } = owner;
  const { service: of } = service.definition;
  return { name, host, service: of, container, spec, definition, contentHash: specHashOf(spec, '') };
}
