import type { ContainerName, HostName } from '../model/node.ts';
import type { Secret } from '../model/secret.ts';

/** Where a member of the cluster is found: its container, its data, and its server as its own node reaches it. */
export interface GaleraMember {
  readonly host: HostName;
  readonly container: ContainerName;
  readonly volume: string;
  readonly server: {
    readonly address: string;
    readonly port: number;
    readonly user: string;
    readonly password: Secret;
  };
}
