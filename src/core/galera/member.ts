import type { ContainerName, HostName } from '../model/node.ts';
import type { Secret } from '../model/secret.ts';

/** A member's server as the nodes reach it, with the administrator's account. */
export interface GaleraServer {
  readonly host: HostName;
  readonly server: {
    readonly address: string;
    readonly port: number;
    readonly user: string;
    readonly password: Secret;
  };
}

/** Where a member of the cluster is found: its container, its data, and its server as its own node reaches it. */
export interface GaleraMember extends GaleraServer {
  readonly container: ContainerName;
  readonly volume: string;
}

/** Where the data lies in a member's container. */
const dataDirectory = '/var/lib/mysql';

/** Name of the volume with a member's data; empty when it has none. */
export function dataVolume({ volumes }: { readonly volumes: readonly string[] }): string {
  const bind = volumes.find((one) => one.split(':')[1]?.replace(/\/$/, '') === dataDirectory) ?? '';
  return bind.split(':')[0] ?? '';
}
