import type { GaleraServer } from '../galera/member.ts';
import type { HostName } from '../model/node.ts';
import type { LoadedService } from '../schema/service-file.ts';
import { FieldReader } from './evaluate.ts';
import type { Building } from './input.ts';

/**
 * The servers of a Galera cluster's members on all hosts of the group, selected or not: whoever is to be replaced, all
 * the others are asked. Empty for a service that is no such cluster.
 */
export function galeraServers(
  building: Building,
  service: LoadedService,
  groupHosts: ReadonlyMap<string, readonly HostName[]>,
): readonly GaleraServer[] {
  const { containers } = service.definition;
  const [hosts = []] = [...groupHosts].flatMap(([name, all]) =>
    containers[name]?.rollout.strategy === 'galera' ? [all] : [],
  );
  return hosts.map((host) => {
    const reader = new FieldReader(building.scope(host), service, building.diagnostics, building.secrets);
    const server = {
      address: reader.variableText('api_interface_address'),
      port: Number(reader.variable('mariadb_port')),
      user: reader.variableText('database_user'),
      password: reader.secret('{{ database_password }}', ['passwords', 'database_password']),
    };
    return { host, server };
  });
}
