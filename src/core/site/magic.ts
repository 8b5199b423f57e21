import type { HostName } from '../model/node.ts';
import type { Inventory } from './inventory.ts';

/** Values every host has without anybody setting them. */
export function magicOf(
  inventory: Inventory,
  host: HostName,
  constants: Readonly<Record<string, unknown>> = {},
): Readonly<Record<string, () => unknown>> {
  return {
    ...Object.fromEntries(Object.entries(constants).map(([name, value]) => [name, () => value])),
    inventory_hostname: () => host,
    inventory_hostname_short: () => host.split('.')[0] ?? host,
    ansible_host: () => host,
    group_names: () => [...(inventory.hosts.get(host)?.groups ?? [])].filter((name) => name !== 'all').sort(),
    groups: () => Object.fromEntries([...inventory.groups.values()].map(({ name, hosts }) => [name, hosts])),
  };
}
