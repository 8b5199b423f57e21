import type { QueueEvidence } from '../../core/rabbitmq/evidence.ts';
import type { Connect } from '../wire/connect.ts';
import { type RabbitmqServer, withManagement } from './management.ts';

const columns = 'vhost,name,type,node,leader,members,online,slave_nodes,synchronised_slave_nodes,messages';

/** All queues and streams of all virtual hosts, as one member's management API lists them; one request. */
export async function listQueues(connect: Connect, server: RabbitmqServer): Promise<readonly QueueEvidence[]> {
  return readQueues(await withManagement(connect, server, (api) => api.get(`/queues?columns=${columns}`)));
}

/** From the answer of `/api/queues`. */
export function readQueues(body: unknown): QueueEvidence[] {
  const rows = Array.isArray(body) ? (body as Readonly<Record<string, unknown>>[]) : [];
  return rows.map((row) => {
    const node = text(row.leader) || text(row.node);
    const mirrors = names(row.slave_nodes);
    const base = { vhost: text(row.vhost), name: text(row.name), type: text(row.type) || 'classic', leader: node };
    const heard = typeof row.messages === 'number';
    const messages = typeof row.messages === 'number' ? row.messages : 0;
    if (Array.isArray(row.members)) {
      return { ...base, replicas: names(row.members), online: names(row.online), mirrored: false, heard, messages };
    }
    const own = node === '' ? [] : [node];
    const online = [...own, ...names(row.synchronised_slave_nodes)];
    return { ...base, replicas: [...own, ...mirrors], online, mirrored: mirrors.length > 0, heard, messages };
  });
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function names(value: unknown): string[] {
  return Array.isArray(value) ? value.map(String).sort() : [];
}
