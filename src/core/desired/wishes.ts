import type { HostName } from '../model/node.ts';
import type { LoadedService } from '../schema/service-file.ts';
import type { FieldReader } from './evaluate.ts';
import type { DatabaseWish, IdentityWish, MessagingWish } from './model.ts';

/** Databases and their users, ensured with the administrator's account of the database. */
export function databaseWish(service: LoadedService, reader: FieldReader, host: HostName): DatabaseWish | undefined {
  const { databases } = service.definition;
  if (databases.length === 0) return undefined;
  return {
    host,
    address: reader.variableText('database_address'),
    port: Number(reader.variable('database_port')),
    user: reader.variableText('database_user'),
    password: reader.secret('{{ database_password }}', ['databases']),
    databases: databases.map((database, i) => ({
      name: reader.text(database.name, ['databases', i, 'name']),
      user: reader.text(database.user, ['databases', i, 'user']),
      password: reader.secret(database.password, ['databases', i, 'password']),
    })),
  };
}

/** Catalogue entries, users, roles and domains in Keystone; nothing when the service asks for none. */
export function identityWish(service: LoadedService, reader: FieldReader, host: HostName): IdentityWish | undefined {
  const { identity } = service.definition;
  if (Object.values(identity).every((list) => list.length === 0)) return undefined;
  const at = (...path: (string | number)[]) => ['identity', ...path];
  return {
    host,
    authUrl: reader.variableText('keystone_internal_url'),
    adminUser: reader.variableText('keystone_admin_user'),
    adminProject: reader.variableText('keystone_admin_project'),
    adminPassword: reader.secret('{{ keystone_admin_password }}', ['identity']),
    region: reader.variableText('openstack_region_name'),
    services: identity.services.map((entry, i) => ({
      name: reader.text(entry.name, at('services', i, 'name')),
      type: reader.text(entry.type, at('services', i, 'type')),
      description: entry.description,
      endpoints: {
        internal: reader.text(entry.endpoints.internal, at('services', i, 'endpoints', 'internal')),
        public: reader.text(entry.endpoints.public, at('services', i, 'endpoints', 'public')),
      },
    })),
    roles: identity.roles.map((role, i) => reader.text(role, at('roles', i))),
    domains: identity.domains.map((domain, i) => ({
      name: reader.text(domain.name, at('domains', i, 'name')),
      description: domain.description,
    })),
    projects: identity.projects.map((project, i) => ({
      name: reader.text(project.name, at('projects', i, 'name')),
      domain: project.domain,
    })),
    users: identity.users.map((user, i) => ({
      name: reader.text(user.name, at('users', i, 'name')),
      password: reader.secret(user.password, at('users', i, 'password')),
      domain: reader.text(user.domain, at('users', i, 'domain')),
      project: user.project === undefined ? undefined : reader.text(user.project, at('users', i, 'project')),
      roles: user.roles.map((role, j) => reader.text(role, at('users', i, 'roles', j))),
      domain_roles: user.domain_roles.map((role, j) => reader.text(role, at('users', i, 'domain_roles', j))),
    })),
    grants: identity.grants.map((grant, i) => ({
      user: reader.text(grant.user, at('grants', i, 'user')),
      project: reader.text(grant.project, at('grants', i, 'project')),
      role: reader.text(grant.role, at('grants', i, 'role')),
    })),
  };
}

/** RabbitMQ users, ensured over the management API of the first member. */
export function messagingWish(service: LoadedService, reader: FieldReader, host: HostName): MessagingWish | undefined {
  const { messaging } = service.definition;
  if (messaging === undefined) return undefined;
  return {
    host,
    address: reader.variableText('api_interface_address'),
    port: Number(reader.variable('rabbitmq_management_port')),
    user: reader.variableText('rabbitmq_user'),
    password: reader.secret('{{ rabbitmq_password }}', ['messaging']),
    users: messaging.users.map((user, i) => ({
      name: reader.text(user.name, ['messaging', 'users', i, 'name']),
      password: reader.secret(user.password, ['messaging', 'users', i, 'password']),
      tags: user.tags,
      vhost: user.vhost,
    })),
  };
}
