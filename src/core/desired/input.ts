import type { Selection } from '../graph/select.ts';
import type { Diagnostic } from '../model/diagnostic.ts';
import type { HostName } from '../model/node.ts';
import type { LoadedService } from '../schema/service-file.ts';
import { VariableError } from '../site/variable-error.ts';
import type { Scope } from '../site/variables.ts';

export interface DesiredInput {
  /** Every enabled service, what others require before them. */
  readonly services: readonly LoadedService[];
  readonly selection: Selection;
  /** Hosts that may be touched; the inventory's order. */
  readonly hosts: readonly HostName[];
  readonly groups: ReadonlyMap<string, readonly HostName[]>;
  readonly scope: (host: HostName) => Scope;
  /** `<service>/<template name>` → its text and the name to use in messages. */
  readonly templates: ReadonlyMap<string, { readonly text: string; readonly file: string }>;
  /** Operator's files under `<configdir>/config/`, by relative path. */
  readonly overrides: ReadonlyMap<string, string>;
  readonly secrets: readonly string[];
}

/** What the parts of the building share while they work. */
export interface Building extends DesiredInput {
  readonly diagnostics: Diagnostic[];
  readonly overridesUsed: Set<string>;
  readonly overridesKnown: Set<string>;
  /** Variable names per host: asked once, used for every container. */
  readonly names: Map<HostName, ReadonlySet<string>>;
}

/** Root of all configuration on the nodes. */
export const configRoot = '/etc/kolla';

export function containerKey(name: string): string {
  return name.replaceAll('_', '-');
}

export function configDirectory(name: string): string {
  return `${configRoot}/${containerKey(name)}/`;
}

/** Hosts on which a container belongs, selected or not: its group, or only the group's first host. */
export function placesOf(building: Building, service: LoadedService, name: string): readonly HostName[] {
  const container = service.definition.containers[name];
  if (container === undefined) return [];
  const hosts = building.groups.get(container.group) ?? [];
  const [first] = hosts;
  if (first === undefined) return [];
  const at = service.span(['containers', name, 'first_host_only']);
  try {
    return building.scope(first).boolean(container.first_host_only, at) ? [first] : hosts;
  } catch (cause) {
    if (!(cause instanceof VariableError)) throw cause;
    building.diagnostics.push(cause.diagnostic);
    return hosts;
  }
}
