import type { Desired } from '../desired/model.ts';
import { type Diagnostic, error, warning } from '../model/diagnostic.ts';
import type { ObservedNode } from '../model/node.ts';
import type { Observed } from './policy.ts';

/** What the inventory says of a host, to be held against what the host says of itself. */
export interface HostClaim {
  readonly host: string;
  readonly address: string;
  readonly hostname: string;
}

/**
 * Everything that one look shows to be in the way of bringing the selected containers up: addresses the nodes do not
 * have, names that differ, ports taken by something else. Pure; all findings at once.
 */
export function precheck(desired: Desired, observed: Observed, claims: readonly HostClaim[]): Diagnostic[] {
  const ofHosts = claims.flatMap((claim) => {
    const node = observed.get(claim.host);
    return node ? checkClaim(claim, node) : [];
  });
  return [...ofHosts, ...takenPorts(desired, observed)];
}

function checkClaim(claim: HostClaim, node: ObservedNode): Diagnostic[] {
  const { host } = claim;
  const found: Diagnostic[] = [];
  if (!node.addresses.includes(claim.address)) {
    found.push(
      error(
        'address-not-on-host',
        `no interface has the API address ${claim.address}; it has ${node.addresses.join(', ')}`,
        {
          host,
          hint: 'set api_interface_address for this host in the inventory or in host_vars',
        },
      ),
    );
  }
  if (node.hostname !== claim.hostname) {
    found.push(
      warning('hostname-differs', `calls itself ${node.hostname}, the inventory expects ${claim.hostname}`, {
        host,
        hint: 'RabbitMQ and Galera name their members so: set node_hostname in host_vars',
      }),
    );
  }
  return found;
}

function takenPorts(desired: Desired, observed: Observed): Diagnostic[] {
  return desired.services
    .flatMap((service) => service.containers)
    .flatMap((container) => {
      const node = observed.get(container.host);
      if (node === undefined) return [];
      const running = node.containers.find((c) => c.name === container.name && c.state === 'running');
      // Ours, or the one it replaces, holds its ports rightly; who cannot be seen is taken for ours then.
      const foreign = node.listening?.filter(({ owner = running?.id }) => !running || owner !== running.id) ?? [];
      return container.ports.flatMap(({ address, port }) => {
        const taken = foreign.find((l) => l.port === port && overlaps(l.address, address));
        if (taken === undefined) return [];
        const by = node.containers.find(({ id }) => id === taken.owner)?.name;
        const message = `port ${port} is already taken${by === undefined ? '' : ` by ${by}`}; ${container.name} needs it`;
        const hint = `see who listens: ss -lntp 'sport = ${port}'`;
        return [error('port-taken', message, { host: container.host, hint })];
      });
    });
}

function overlaps(listening: string, wanted: string): boolean {
  return listening === wanted || listening === '0.0.0.0' || listening === '::' || wanted === '0.0.0.0';
}
