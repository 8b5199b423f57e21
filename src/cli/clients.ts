import { DeployError, error, exitCode } from '../core/model/diagnostic.ts';
import type { Send } from '../edge/haproxy/stats-socket.ts';
import type { NodePort } from '../run/ports.ts';
import type { ClientsPort } from '../run/step-context.ts';

/** A server that has only just started may need a moment before it answers everybody. */
const patience = { forMs: 90_000 };

/** Where the load balancer's container keeps its stats socket (`level admin`), as in Kolla. */
const statsSocketPath = '/var/lib/kolla/haproxy/haproxy.sock';

function statsSocket(balancer: NodePort, container: string): Send {
  return async (command) => {
    const stream = await balancer.openSocket(container, statsSocketPath);
    if (stream !== undefined) {
      const { sayThrough } = await import('../edge/haproxy/stats-socket.ts');
      return sayThrough(stream, command);
    }
    const { socatCommand } = await import('../edge/haproxy/stats-socket.ts');
    const result = await balancer.exec(container, socatCommand(statsSocketPath, command), {
      user: 'root',
      timeoutMs: 20_000,
    });
    if (result.code === 0) return result.stdout;
    const message = `the stats socket of ${container} does not answer: ${result.stderr.trim().split('\n').pop() ?? ''}`;
    throw new DeployError([error('haproxy-socket', message, { host: balancer.host })], exitCode.failed);
  };
}

function databaseClients() {
  return {
    ensureDatabases: async (node, wish) => {
      const { ensureDatabases } = await import('../edge/mariadb/databases.ts');
      const server = { address: wish.address, port: wish.port, user: wish.user, password: wish.password };
      return ensureDatabases((address, port) => node.connect(address, port), server, wish.databases, patience);
    },
    ensureAccount: async (node, { server, ...account }) => {
      const { ensureAccount } = await import('../edge/mariadb/account.ts');
      return ensureAccount((address, port) => node.connect(address, port), server, account, patience);
    },
    formPrimary: async (node, server) => {
      const { formPrimary } = await import('../edge/mariadb/galera.ts');
      return formPrimary((address, port) => node.connect(address, port), server);
    },
    askGalera: async (node, servers) => {
      const { askMembers } = await import('../edge/mariadb/evidence.ts');
      return askMembers((address, port) => node.connect(address, port), servers);
    },
    endIdleSessions: async (node, server, idleMs) => {
      const { endIdleSessions } = await import('../edge/mariadb/sessions.ts');
      return endIdleSessions((address, port) => node.connect(address, port), server, idleMs);
    },
    shutDownCleanly: async (node, server) => {
      const { shutDownCleanly } = await import('../edge/mariadb/sessions.ts');
      return shutDownCleanly((address, port) => node.connect(address, port), server);
    },
  } satisfies Partial<ClientsPort>;
}

function balancerClients() {
  return {
    setServers: async (balancer, container, order, servers) => {
      const { putBack, setStates } = await import('../edge/haproxy/stats-socket.ts');
      const send = statsSocket(balancer, container);
      if (order === 'drain') await setStates(send, servers, 'drain');
      else await putBack(send, servers);
    },
    countSessions: async (balancer, container, servers) => {
      const { serverStates } = await import('../edge/haproxy/stats-socket.ts');
      const states = await serverStates(statsSocket(balancer, container));
      const counted = states.filter((s) => servers.some((w) => w.backend === s.backend && w.server === s.server));
      return counted.reduce((sum, state) => sum + state.sessions + state.queued, 0);
    },
    countOthers: async (balancer, container, servers) => {
      const { countOthers, serverStates } = await import('../edge/haproxy/stats-socket.ts');
      return countOthers(await serverStates(statsSocket(balancer, container)), servers);
    },
  } satisfies Partial<ClientsPort>;
}

/** The protocol clients of a run, each loaded when first used. */
export function createClients(): ClientsPort {
  return {
    ...databaseClients(),
    ...balancerClients(),
    ensureIdentity: async (node, wish) => {
      const { ensureIdentity } = await import('../edge/openstack/keystone.ts');
      const { authUrl, adminUser, adminPassword, adminProject, region } = wish;
      const admin = { authUrl, adminUser, adminPassword, adminProject, region };
      return ensureIdentity((address, port) => node.connect(address, port), admin, wish, patience);
    },
    ensureMessaging: async (node, wish) => {
      const { ensureUsers } = await import('../edge/rabbitmq/users.ts');
      const server = { address: wish.address, port: wish.port, user: wish.user, password: wish.password };
      return ensureUsers((address, port) => node.connect(address, port), server, wish.users, patience);
    },
    checkGate: async (node, gate) => {
      const { checkGate } = await import('../edge/gates/check.ts');
      return checkGate(node, gate);
    },
  };
}
