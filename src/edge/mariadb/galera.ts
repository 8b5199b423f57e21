import { type Connect, type Patience, patiently } from '../wire/connect.ts';
import { type MariadbServer, withMariadb } from './connection.ts';

/** What a member says of itself and its cluster. Without Galera all texts are empty and all numbers 0. */
export interface GaleraStatus {
  /** `Primary`, `non-Primary` or `Disconnected` */
  readonly clusterStatus: string;
  readonly clusterSize: number;
  /** 1 joining, 2 donor or desynced, 3 joined, 4 synced */
  readonly localState: number;
  readonly localStateComment: string;
  readonly ready: boolean;
  readonly connected: boolean;
  readonly clusterUuid: string;
  /** The history its own data is in; that of its cluster, unless it is no part of it. */
  readonly localUuid: string;
  /** Number of the view; Galera writes the largest number there is outside a Primary component. */
  readonly confId: string;
  /** Its id in the view it is in, and its place there, from 0. */
  readonly gcommUuid: string;
  readonly localIndex: number;
  /** Part of the time since the last look in which replication was paused, 0 to 1. */
  readonly flowControlPaused: number;
  /** Sequence number; a text because it may exceed what a number holds. */
  readonly lastCommitted: string;
  /** Addresses of the members that answer, as Galera lists them. */
  readonly incomingAddresses: readonly string[];
  /** `10.11.19-MariaDB-…` */
  readonly version: string;
}

/** One connection and one statement; works on members outside a Primary component too. */
export async function galeraStatus(
  connect: Connect,
  server: MariadbServer,
  patience: Patience = { forMs: 0 },
): Promise<GaleraStatus> {
  const sql =
    "SELECT VARIABLE_NAME AS name, VARIABLE_VALUE AS value FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME LIKE 'wsrep%'" +
    " UNION ALL SELECT 'version', VERSION()";
  const rows = await patiently(patience, () => withMariadb(connect, server, (query) => query(sql)));
  return readStatus(new Map(rows.map((row) => [String(row.name).toLowerCase(), String(row.value ?? '')])));
}

/**
 * Makes the members that this one still sees a Primary component, at run time. MariaDB 11.2 and newer refuse it. Also
 * done where they are one already: then it changes nothing.
 */
export async function formPrimary(connect: Connect, server: MariadbServer): Promise<void> {
  await withMariadb(connect, server, (query) => query("SET GLOBAL wsrep_provider_options='pc.bootstrap=YES'"));
}

/** From the server's own status names (lower case) to the fields above. */
export function readStatus(status: ReadonlyMap<string, string>): GaleraStatus {
  const get = (name: string) => status.get(name) ?? '';
  const count = (name: string) => Number(status.get(name) ?? 0) || 0;
  return {
    clusterStatus: get('wsrep_cluster_status'),
    clusterSize: count('wsrep_cluster_size'),
    localState: count('wsrep_local_state'),
    localStateComment: get('wsrep_local_state_comment'),
    ready: get('wsrep_ready') === 'ON',
    connected: get('wsrep_connected') === 'ON',
    clusterUuid: get('wsrep_cluster_state_uuid'),
    localUuid: get('wsrep_local_state_uuid'),
    confId: get('wsrep_cluster_conf_id'),
    gcommUuid: get('wsrep_gcomm_uuid').toLowerCase(),
    localIndex: count('wsrep_local_index'),
    flowControlPaused: count('wsrep_flow_control_paused'),
    lastCommitted: get('wsrep_last_committed'),
    incomingAddresses: get('wsrep_incoming_addresses')
      .split(',')
      .filter((address) => address !== ''),
    version: get('version'),
  };
}
