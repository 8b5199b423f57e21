import type { ClientsPort } from '../run/step-context.ts';

/** A server that has only just started may need a moment before it answers everybody. */
const patience = { forMs: 90_000 };

/** The protocol clients of a run, each loaded when first used. */
export function createClients(): ClientsPort {
  return {
    ensureDatabases: async (node, wish) => {
      const { ensureDatabases } = await import('../edge/mariadb/databases.ts');
      const server = { address: wish.address, port: wish.port, user: wish.user, password: wish.password };
      return ensureDatabases((address, port) => node.connect(address, port), server, wish.databases, patience);
    },
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
  };
}
