import type { GaleraServer } from '../galera/member.ts';
import type { SourceSpan } from '../model/diagnostic.ts';
import type { ContainerName, ContainerSpec, FileContent, HostName } from '../model/node.ts';
import type { Secret } from '../model/secret.ts';
import type { ContainerDefinition, OneShotDefinition, Phase } from '../schema/service.ts';
import type { EvaluatedGate } from './gate.ts';

export interface ImageRef {
  readonly repository: string;
  readonly tag: string;
  /** Known beforehand when it is taken from a record; else the registry is asked. */
  readonly digest?: string | undefined;
}

/** A file with what the comparison needs. `service` is whom it belongs to: its tag selects the file. */
export interface DesiredFile extends FileContent {
  readonly sha256: string;
  readonly service: string;
}

/** A container's spec without its image, which the plan decides (a reconfigure keeps what runs). */
export type ImagelessSpec = Omit<ContainerSpec, 'image'>;

/** A server of a load balancer backend, by the names in its configuration. */
export interface BalancedServer {
  readonly backend: string;
  readonly server: string;
}

/** One thing a container's files and settings were made from. */
export interface Source {
  /**
   * Differs as soon as what is written there differs. Of a variable it also tells whose it is: `host:` set for the host
   * alone, `set:` elsewhere by the operator, `default:` not by the operator, `unset:` by nobody.
   */
  readonly hash: string;
  readonly at?: SourceSpan | undefined;
  /** Of a variable: the layer that wins, `globals.yml` or `group_vars/control` for example. */
  readonly layer?: string | undefined;
  /** Only the image's name was made from it, which a reconfigure leaves as it is. */
  readonly imageOnly?: boolean | undefined;
  /** Another host's variable whose definition is also this one's: not recorded, because there can be very many. */
  readonly common?: boolean | undefined;
}

/**
 * By name: `var:<name>`, `var:<name>@<host>` when read from another host, `override:<path>`,
 * `template:<service>/<file>`, `inventory:groups`.
 */
export type Sources = ReadonlyMap<string, Source>;

/** One container as one host should hold it. */
export interface DesiredContainer {
  readonly host: HostName;
  readonly service: string;
  readonly name: ContainerName;
  /** The name with dashes; names the config directory. */
  readonly key: string;
  /** Config directory on the node; ends with a slash. */
  readonly directory: string;
  readonly image: ImageRef;
  readonly spec: ImagelessSpec;
  readonly specHash: string;
  readonly files: readonly DesiredFile[];
  readonly rollout: ContainerDefinition['rollout'];
  readonly reload: ContainerDefinition['reload'];
  /** Load balancer servers that stand for this container on this host; drained before it is replaced. */
  readonly servers: readonly BalancedServer[];
  /** TCP ports it will listen on, with the address; prechecks look whether they are free. */
  readonly ports: readonly { readonly address: string; readonly port: number }[];
  /** What files, settings and image name were made from. */
  readonly sources: () => Sources;
}

export interface DesiredOneShot {
  readonly name: ContainerName;
  readonly host: HostName;
  readonly service: string;
  readonly container: ContainerName;
  readonly spec: ImagelessSpec;
  readonly definition: OneShotDefinition;
  /** Hash of everything but the image. */
  readonly contentHash: string;
}

export interface DatabaseWish {
  readonly host: HostName;
  readonly address: string;
  readonly port: number;
  readonly user: string;
  readonly password: Secret;
  readonly databases: readonly { readonly name: string; readonly user: string; readonly password: Secret }[];
}

export interface IdentityWish {
  readonly host: HostName;
  readonly authUrl: string;
  readonly adminUser: string;
  readonly adminProject: string;
  readonly adminPassword: Secret;
  readonly region: string;
  readonly services: readonly {
    readonly name: string;
    readonly type: string;
    readonly description: string;
    readonly endpoints: { readonly internal: string; readonly public: string };
  }[];
  readonly roles: readonly string[];
  readonly domains: readonly { readonly name: string; readonly description: string }[];
  readonly projects: readonly { readonly name: string; readonly domain: string }[];
  readonly users: readonly {
    readonly name: string;
    readonly password: Secret;
    readonly domain: string;
    readonly project?: string | undefined;
    readonly roles: readonly string[];
    readonly domain_roles: readonly string[];
  }[];
  readonly grants: readonly { readonly user: string; readonly project: string; readonly role: string }[];
}

export interface MessagingWish {
  readonly host: HostName;
  readonly address: string;
  readonly port: number;
  readonly user: string;
  readonly password: Secret;
  readonly users: readonly {
    readonly name: string;
    readonly password: Secret;
    readonly tags: string;
    readonly vhost: string;
  }[];
}

export interface SharedKeysWish {
  readonly container: ContainerName;
  readonly kind: 'fernet';
  readonly path: string;
  readonly uid: number;
  readonly gid: number;
}

/** A load balancer fragment on one host, in the directory of the container that reads it. */
export interface DesiredFragment {
  readonly host: HostName;
  readonly container: ContainerName;
  /** Config directory of that container; ends with a slash. */
  readonly directory: string;
  readonly reload: ContainerDefinition['reload'];
  readonly file: DesiredFile;
  readonly sources: () => Sources;
}

/** What one selected service should be, on all selected hosts. */
export interface DesiredService {
  readonly name: string;
  readonly requires: readonly string[];
  readonly whole: boolean;
  /** First host of its group, where what concerns the whole service is done and recorded; perhaps not selected. */
  readonly home?: HostName | undefined;
  readonly phases: readonly Phase[];
  /** Must pass before the next batch of a rollout and before what depends on the service. */
  readonly gates: readonly EvaluatedGate[];
  /** In inventory order of their hosts. */
  readonly containers: readonly DesiredContainer[];
  readonly oneShots: ReadonlyMap<string, DesiredOneShot>;
  /** By host: what brings the data of the Galera member there to the version of its image. */
  readonly memberUpgrades?: ReadonlyMap<HostName, DesiredOneShot> | undefined;
  /** Containers whose images bring migrations, whether or not the selected hosts include the one that runs them. */
  readonly migrating: ReadonlySet<ContainerName>;
  readonly fragments: readonly DesiredFragment[];
  readonly databases?: DatabaseWish | undefined;
  readonly identity?: IdentityWish | undefined;
  readonly messaging?: MessagingWish | undefined;
  readonly sharedKeys?: SharedKeysWish | undefined;
  /** All members of a Galera cluster, selected or not. */
  readonly galera?: readonly GaleraServer[] | undefined;
  /** Hosts of each container's group, selected or not: a new cluster needs all of them. */
  readonly groupHosts: ReadonlyMap<ContainerName, readonly HostName[]>;
}

/** Where each container of every enabled service belongs, whatever is selected. */
export type WantedPlaces = ReadonlyMap<ContainerName, ReadonlySet<HostName>>;

export interface Desired {
  readonly site: string;
  /** Ordered: what a service requires stands before it. */
  readonly services: readonly DesiredService[];
  /** Load balancers among the hosts that were selected, by host and container. */
  readonly balancers: readonly { readonly host: HostName; readonly container: ContainerName }[];
  /** Services that selected ones require without being selected themselves. */
  readonly required: readonly {
    readonly service: string;
    readonly by: string;
    readonly places: readonly { readonly host: HostName; readonly container: ContainerName }[];
  }[];
  /** Paths of all enabled services' fragments per host, selected or not: those files are never stale. */
  readonly fragmentPaths: ReadonlyMap<HostName, ReadonlySet<string>>;
  /** The container that reads load balancer entries: its directory and that of the entries, both with a slash at the end. */
  readonly receiver?:
    | { readonly directory: string; readonly fragments: string; readonly reload: ContainerDefinition['reload'] }
    | undefined;
  /** What all enabled services want, selected or not; found out when it is first asked for. */
  readonly wanted: () => WantedPlaces;
}
