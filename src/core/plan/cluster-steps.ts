import type { OwnData } from '../galera/decision.ts';
import type { HistoryUuid } from '../galera/evidence.ts';
import type { GaleraMember, GaleraServer } from '../galera/member.ts';
import type { Marker } from '../model/marker.ts';
import type { ContainerName, ContainerSpec, HostName } from '../model/node.ts';
import type { Secret } from '../model/secret.ts';

/**
 * `enable-flags`: every stable feature flag; `forget`: takes another member that does not run out of the cluster, if it
 * is in it; `grow`: puts replicas of every quorum queue on this member; `revive`: ends its maintenance mode; `stop`,
 * `reset`, `join` (the cluster of another member) and `start`: its broker, while the container runs on. A reset removes
 * ALL its messages and records.
 */
export type RabbitmqOrder = 'enable-flags' | 'forget' | 'grow' | 'revive' | 'stop' | 'reset' | 'join' | 'start';

/** What is done to members of the database's and the broker's clusters, beyond what any replica gets. */
export type ClusterAction =
  | {
      /** Waited for as long as it changes: whoever answers of `servers` is Synced in one Primary component. */
      readonly kind: 'galera-check';
      readonly container: ContainerName;
      /** Members it must have. */
      readonly members: number;
      /** And no others: it is about to stand alone. */
      readonly alone?: boolean | undefined;
      /** All members of the group, asked from this step's host. */
      readonly servers: readonly GaleraServer[];
      readonly patienceSeconds: number;
      /** Left once it has passed. */
      readonly marker?: Marker | undefined;
    }
  /** Sessions on the members that stood in for another one move back to it, each when it is idle. */
  | {
      readonly kind: 'galera-sessions';
      readonly container: ContainerName;
      readonly servers: readonly GaleraServer[];
      readonly patienceSeconds: number;
    }
  /** The data of a member that runs is brought to its version by a short-lived container, unless it has been. */
  | {
      readonly kind: 'galera-upgrade';
      readonly name: ContainerName;
      readonly spec: ContainerSpec;
      readonly labels: Readonly<Record<string, string>>;
      readonly timeoutSeconds: number;
      readonly container: ContainerName;
      readonly volume: string;
      /** Marker that stands for "still to be done". */
      readonly pending: string;
    }
  /** On the way back: the new version has not written to the data yet since the old one ended. */
  | {
      readonly kind: 'galera-untouched';
      readonly container: ContainerName;
      readonly previous: ContainerName;
      readonly volume: string;
    }
  /** The whole RabbitMQ cluster as this member sees it, waited for. */
  | {
      readonly kind: 'rabbitmq-check';
      readonly container: ContainerName;
      /** That must run and see each other. */
      readonly members: number;
      /** This member is about to stop: no alarm may stand, and no queue may need it for its quorum or as its only copy. */
      readonly leaves: boolean;
      /** As long as nothing changes. */
      readonly patienceSeconds: number;
    }
  /** An order to one member, through its own tools. Repeating it does nothing. */
  | {
      readonly kind: 'rabbitmq';
      readonly container: ContainerName;
      readonly order: RabbitmqOrder;
      /** `rabbit@node1`; the other member that `forget` and `join` are about. */
      readonly member?: string | undefined;
      /** Where that member would have its data; it is not forgotten while it has. */
      readonly data?: { readonly host: HostName; readonly volume: string } | undefined;
    }
  /** grastate.dat and gvwstate.dat are copied aside on the node; then, with `bootstrap`, it may form a new cluster. */
  | {
      readonly kind: 'galera-state';
      readonly container: ContainerName;
      readonly volume: string;
      /** Directory on the node under which each run has one of its own. */
      readonly keep: string;
      /** Its history must be that of the cluster this member is in, or none. */
      readonly joins?: { readonly host: HostName; readonly container: ContainerName } | undefined;
      /** Without a history the one its files name. */
      readonly bootstrap?: { readonly uuid?: HistoryUuid | undefined } | undefined;
    }
  /** All data of a member that does not run goes into a volume of its own, which the run names. */
  | {
      readonly kind: 'galera-copy';
      /** Short-lived; reads the data and writes what its image has at `into`. */
      readonly name: ContainerName;
      readonly spec: ContainerSpec;
      readonly labels: Readonly<Record<string, string>>;
      readonly into: string;
      readonly timeoutSeconds: number;
      readonly volume: string;
      /** Why it is about to be replaced; part of the name. */
      readonly own: OwnData;
      /** The volume that an interrupted run did not finish. */
      readonly begun?: string | undefined;
    }
  /** All data of a member that does not run is removed; its volume stays. */
  | {
      readonly kind: 'galera-clear';
      readonly name: ContainerName;
      readonly spec: ContainerSpec;
      readonly labels: Readonly<Record<string, string>>;
      readonly timeoutSeconds: number;
      readonly volume: string;
    }
  /** The server of a member that does not run says how far its data goes, and ends. */
  | {
      readonly kind: 'galera-position';
      readonly name: ContainerName;
      readonly spec: ContainerSpec;
      readonly labels: Readonly<Record<string, string>>;
      readonly timeoutSeconds: number;
    }
  /** A member that runs makes its group a Primary component. */
  | {
      readonly kind: 'galera-primary';
      readonly container: ContainerName;
      readonly server: GaleraMember['server'];
      /** Those that run, and become Primary with it. */
      readonly members: number;
    }
  | {
      readonly kind: 'galera-synced';
      readonly container: ContainerName;
      /** Members that its Primary component must have, itself included. */
      readonly members: number;
      /** Without any progress; the deadline holds also with some. */
      readonly patienceSeconds: number;
      readonly deadlineSeconds: number;
      readonly marker?: Marker | undefined;
    }
  /** An account of the database and what it may do everywhere; one that is there keeps what it may do beyond that. */
  | {
      readonly kind: 'database-account';
      readonly server: GaleraMember['server'];
      readonly user: string;
      readonly password: Secret;
      readonly privileges: readonly string[];
    }
  /** A short-lived container does one thing, with files of its own that are gone with it. */
  | {
      readonly kind: 'task';
      /** What it does, as a phrase. */
      readonly what: string;
      readonly name: ContainerName;
      readonly spec: ContainerSpec;
      readonly labels: Readonly<Record<string, string>>;
      /** By the path of their directory in the container, which its image has; for root alone. */
      readonly directory: string;
      readonly files: readonly { readonly name: string; readonly content: string | Secret }[];
      readonly timeoutSeconds: number;
    }
  /** The data of a member that does not run is kept in another volume, or given up where there is no room for both. */
  | {
      readonly kind: 'set-aside';
      readonly container: ContainerName;
      readonly volume: string;
      /** Absent: what lies there is the half of a restore, and given up. */
      readonly keep?: { readonly volume: string; readonly directory: string; readonly roomMb: number } | undefined;
      readonly marker: Marker;
    }
  /** What a directory of one volume holds becomes what another volume holds. */
  | {
      readonly kind: 'put-data';
      readonly container: ContainerName;
      readonly volume: string;
      readonly from: { readonly volume: string; readonly directory: string };
      readonly marker: Marker;
    };
