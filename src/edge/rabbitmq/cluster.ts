import { type Connect, type Patience, patiently } from '../wire/connect.ts';
import { type RabbitmqServer, withManagement } from './management.ts';

export interface RabbitmqNode {
  /** `rabbit@node1` */
  readonly name: string;
  readonly running: boolean;
  /** Nodes this one believes to be cut off from it; empty is good. */
  readonly partitions: readonly string[];
  readonly memoryAlarm: boolean;
  readonly diskAlarm: boolean;
}

export interface RabbitmqCluster {
  /** Every member the asked node knows, running or not, sorted by name. */
  readonly nodes: readonly RabbitmqNode[];
  /** Names of the running ones. */
  readonly running: readonly string[];
  /** `rabbit@node1: memory`, empty is good. */
  readonly alarms: readonly string[];
  /** `rabbit@node1 does not see rabbit@node2`, empty is good. */
  readonly partitions: readonly string[];
}

/** The cluster as one member sees it; one request. Waits at most `patience` until its management API answers. */
export async function clusterNodes(
  connect: Connect,
  server: RabbitmqServer,
  patience: Patience = { forMs: 0 },
): Promise<RabbitmqCluster> {
  const columns = 'name,running,partitions,mem_alarm,disk_free_alarm';
  const body = await patiently(patience, () =>
    withManagement(connect, server, (api) => api.get(`/nodes?columns=${columns}`)),
  );
  return readCluster(body);
}

/** From the answer of `/api/nodes`. A member that does not run tells nothing of itself but its name. */
export function readCluster(body: unknown): RabbitmqCluster {
  const rows = Array.isArray(body) ? (body as Readonly<Record<string, unknown>>[]) : [];
  const nodes = rows
    .map((row) => ({
      name: String(row.name),
      running: row.running === true,
      partitions: Array.isArray(row.partitions) ? row.partitions.map(String) : [],
      memoryAlarm: row.mem_alarm === true,
      diskAlarm: row.disk_free_alarm === true,
    }))
    .sort((a, b) => a.name.localeCompare(b.name));
  return {
    nodes,
    running: nodes.filter((node) => node.running).map((node) => node.name),
    alarms: nodes.flatMap((node) => [
      ...(node.memoryAlarm ? [`${node.name}: memory`] : []),
      ...(node.diskAlarm ? [`${node.name}: disk`] : []),
    ]),
    partitions: nodes.flatMap((node) => node.partitions.map((other) => `${node.name} does not see ${other}`)),
  };
}
