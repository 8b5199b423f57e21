import type { HostName } from '../model/node.ts';

/**
 * What was found of one member of a Galera cluster, without changing anything. Absent values were not found or not
 * asked for; they are never guessed. Sources: Galera's documentation of grastate.dat, gvwstate.dat and its status
 * variables.
 */
export type MemberEvidence =
  | { readonly kind: 'unreachable'; readonly host: HostName; readonly why: string }
  | {
      readonly kind: 'seen';
      readonly host: HostName;
      readonly container: 'running' | 'stopped' | 'missing';
      /** `unknown`: the data is there, but what lies in it could not be read. */
      readonly data: 'present' | 'missing' | 'unknown';
      /** When the server answers. */
      readonly live?: LiveStatus | undefined;
      /** `corrupt`: there, and not readable as what it should be. */
      readonly grastate?: Grastate | 'corrupt' | undefined;
      readonly view?: View | 'corrupt' | undefined;
      /** What `--wsrep-recover` said; only of a member that does not run. */
      readonly recovered?: Recovered | undefined;
      /**
       * A state transfer into it began and did not end (`sst_in_progress` in the data directory): whatever its files
       * say, they are a mixture of its own and the donor's.
       */
      readonly unfinishedTransfer?: boolean | undefined;
      /** The version in the data directory (`mysql_upgrade_info`), `10.11.14-MariaDB`. */
      readonly dataVersion?: string | undefined;
      /**
       * Why its server could not be asked although its port takes connections: one that hangs or has no connection left
       * may serve clients all the same.
       */
      readonly unasked?: string | undefined;
    };

export type SeenMember = Extract<MemberEvidence, { readonly kind: 'seen' }>;

/** `00000000-…` stands for "no history" and is never equal to another one. */
export type HistoryUuid = string;

/** A place in a history. Numbers exceed what a JavaScript number holds exactly. */
export interface Position {
  readonly uuid: HistoryUuid;
  /** -1: not known (the member did not end cleanly). */
  readonly seqno: bigint;
}

export interface Grastate extends Position {
  readonly safeToBootstrap: boolean;
}

/** The last view of a primary component (`gvwstate.dat`); there only while a member runs or after a crash. */
export interface View {
  /** This member's own id in it. */
  readonly member: string;
  /** `<uuid> <number>` of the view. */
  readonly id: string;
  readonly members: readonly string[];
}

/** Its own exit code and output: a position that another start left in a shared log is no evidence. */
export type Recovered =
  | { readonly kind: 'position'; readonly position: Position }
  | { readonly kind: 'failed'; readonly exitCode: number; readonly why: string };

export interface LiveStatus extends Position {
  readonly cluster: 'Primary' | 'non-Primary' | 'Disconnected';
  /** `wsrep_local_state`: 1 joining, 2 donor or desynced, 3 joined, 4 synced; 0 when there is none. */
  readonly state: number;
  readonly stateText: string;
  readonly ready: boolean;
  readonly connected: boolean;
  readonly clusterSize: number;
  /** `wsrep_cluster_conf_id` with the id of the view; equal for members of the same view (see `withCommonViews`). */
  readonly viewId: string;
  /** Galera's id of this member (`wsrep_gcomm_uuid`) and its place in the view, which is ordered by these ids. */
  readonly seat?: { readonly id: string; readonly index: number } | undefined;
  readonly incomingAddresses: readonly string[];
  /** Part of the time since the last look that replication was paused, 0 to 1. */
  readonly flowControlPaused: number;
  readonly version: string;
}
