import * as z from 'zod';
import { gatesSchema } from './gate.ts';

/**
 * The shape of `services/<name>/service.yml`. Unknown keys are errors.
 * Every string may hold a Jinja2 expression (`{{ … }}`), evaluated per host; templates of files are Handlebars.
 */

const expression = z.union([z.string(), z.number(), z.boolean()]);
const text = z.string().min(1);
const seconds = z.number().positive();

const configFile = z.strictObject({
  /** Handlebars template under `services/<name>/templates/`. Without one the file exists only if an override does. */
  template: text.optional(),
  /** File name in the container's config directory on the node; default: the template's name without `.hbs`. */
  name: text.optional(),
  /** `ini` files are merged with their overrides; of `text` files the last override found replaces the whole. */
  format: z.enum(['ini', 'text']).default('text'),
  /** Paths under `<configdir>/config/` looked up in this order; later ones win. */
  overrides: z.array(text).default([]),
  /** Where the image's start script copies it. Without `dest` the file only lies in the config directory. */
  dest: text.optional(),
  owner: text.default('root'),
  perm: z
    .string()
    .regex(/^0[0-7]{3}$/, 'four octal digits, for example "0600"')
    .default('0600'),
  when: expression.default(true),
});

const healthcheck = z.strictObject({
  test: text,
  interval: seconds.default(30),
  timeout: seconds.default(30),
  retries: z.number().int().positive().default(3),
  start_period: seconds.default(5),
});

const loadBalancerEntry = z.strictObject({
  enabled: expression.default(true),
  mode: z.enum(['http', 'tcp']).default('http'),
  /** Port of the frontend on the VIP. */
  port: expression,
  /** Port of the servers; default: the frontend's. */
  listen_port: expression.optional(),
  /** Also on the external VIP when that differs from the internal one. */
  external: z.boolean().default(false),
  /** HTTP path asked by the health check; without it a TCP connection is enough. */
  check: text.optional(),
  balance: text.optional(),
  /** Only the first server takes traffic, the others are `backup`. */
  active_passive: z.boolean().default(false),
  frontend_extra: z.array(text).default([]),
  backend_extra: z.array(text).default([]),
});

const rollout = z.strictObject({
  /**
   * rolling: one batch of hosts after another, each healthy before the next is touched.
   * together: created everywhere beforehand, then all stopped, then all started (versions must not mix).
   * galera / rabbitmq: one member at a time, with the cluster's own checks; a new cluster starts from the first host.
   */
  strategy: z.enum(['rolling', 'together', 'galera', 'rabbitmq']).default('rolling'),
  /** Replicas replaced at once by `rolling`. */
  batch: z.number().int().positive().default(1),
  /** Order of the hosts that serve: that of the inventory group, or the last one first. */
  order: z.enum(['inventory', 'reverse']).default('inventory'),
  /**
   * Seconds a drained replica gets to end its sessions before it is stopped. The default is as long as the load balancer
   * itself waits for a server (`haproxy_server_timeout`): by then every session has ended.
   */
  drain_time: seconds.default(60),
  /**
   * Seconds without any progress after which a starting container is given up. Progress is a restart, a line in its
   * log unlike all before (numbers left out), or another answer of its health check. A service that does long work
   * silently while it starts (a state transfer) needs more.
   */
  health_patience: seconds.default(30),
  /** Seconds after which it is given up whatever it does. */
  health_deadline: seconds.default(180),
  /** Seconds the engine waits between the stop signal and SIGKILL. */
  stop_grace: seconds.default(60),
  /**
   * The password by which members of a cluster know each other, and the file that holds it. A member that starts with
   * another one does not get in, so it is changed only while no member runs.
   */
  cluster_secret: z.strictObject({ password: text, file: text }).optional(),
});

const container = z.strictObject({
  group: text,
  /** Only the first host of the group runs it. */
  first_host_only: expression.default(false),
  enabled: expression.default(true),
  tags: z.array(text).default([]),
  image: text,
  /** Expression giving the image tag, normally `{{ <container>_tag }}`. */
  tag: text,
  /** `command` of config.json: split at blanks, no shell. */
  command: text,
  files: z.array(configFile).default([]),
  directories: z.array(z.strictObject({ path: text, owner: text, perm: text })).default([]),
  permissions: z
    .array(z.strictObject({ path: text, owner: text, perm: text.optional(), recurse: z.boolean().optional() }))
    .default([]),
  environment: z.record(z.string(), expression).default({}),
  /** Beyond the config directory, the log volume and `default_extra_volumes`. */
  volumes: z.array(z.string()).default([]),
  /** Mount the shared log volume `kolla_logs`. */
  logs: z.boolean().default(true),
  privileged: z.boolean().default(false),
  cap_add: z.array(text).default([]),
  pid_mode: text.optional(),
  ipc_mode: text.optional(),
  /** Variable holding Kolla's `dimensions` (mem_limit, ulimits, …). */
  dimensions: text.optional(),
  healthcheck: healthcheck.optional(),
  loadbalancer: z.record(z.string(), loadBalancerEntry).default({}),
  /** TCP ports this container listens on at `address` (default: the API address); prechecks look whether they are free. */
  ports: z.array(expression).default([]),
  rollout: rollout.prefault({}),
  /** This container takes the `loadbalancer` entries of all services: one file per container, made from `template`. */
  fragments: z
    .strictObject({
      template: text,
      directory: text,
      dest: text,
      owner: text.default('root'),
      perm: text.default('0700'),
    })
    .optional(),
  /** How a running container takes new files without being replaced (its start command must be unchanged). */
  reload: z.strictObject({ exec: z.array(z.array(text)).default([]), signal: text.optional() }).optional(),
});

const oneShot = z.strictObject({
  /** Container whose image, volumes and config directory it uses. It runs on the first selected host of that group. */
  container: text,
  environment: z.record(z.string(), expression).default({}),
  /** Overrides the image's CMD. */
  command: z.array(text).optional(),
  /** Seconds until it is given up. */
  timeout: seconds.default(900),
  /** The verbs' cases it belongs to: a service's first deployment, an upgrade from an older image, or both. */
  on: z.array(z.enum(['deploy', 'upgrade'])).default(['deploy', 'upgrade']),
  /** Run again when the image differs from the one it last ran with. */
  per_image: z.boolean().default(true),
  /**
   * For a cluster of strategy galera: run on each host, beside the member there, once another image has taken its data
   * over. Its strategy decides when.
   */
  each_member: z.boolean().default(false),
  /**
   * False when the version before cannot run on what this leaves behind: once it has run, nothing of the service goes
   * back to an older image. What runs after every replacement is no obstacle to their own ways back.
   */
  way_back: z.boolean().default(true),
});

const phase = z.union([
  z.enum(['databases', 'identity', 'messaging']),
  z.strictObject({ run: text }),
  z.strictObject({
    replace: z.array(text).min(1),
    /**
     * Does not wait until the phase before (one of strategy `together`) is done: a replica is drained and replaced
     * meanwhile and takes requests as soon as nothing old of that phase runs any more. When that phase goes back, these
     * replicas do so before it. For containers behind a load balancer whose calls wait while their callee is away.
     */
    begin_early: z.boolean().optional(),
  }),
]);

const identity = z.strictObject({
  services: z
    .array(
      z.strictObject({
        name: text,
        type: text,
        description: z.string().default(''),
        endpoints: z.strictObject({ internal: text, public: text }),
      }),
    )
    .default([]),
  roles: z.array(text).default([]),
  domains: z.array(z.strictObject({ name: text, description: z.string().default('') })).default([]),
  projects: z.array(z.strictObject({ name: text, domain: text.default('Default') })).default([]),
  users: z
    .array(
      z.strictObject({
        name: text,
        password: text,
        /** Domain the user lives in. */
        domain: text.default('Default'),
        /** Roles on this project (of domain Default), or on `domain_roles` the domain itself. */
        project: text.optional(),
        roles: z.array(text).default([]),
        domain_roles: z.array(text).default([]),
      }),
    )
    .default([]),
  /** Roles for a user that exists already. */
  grants: z.array(z.strictObject({ user: text, project: text, role: text })).default([]),
});

const messaging = z.strictObject({
  users: z.array(
    z.strictObject({ name: text, password: text, tags: z.string().default(''), vhost: text.default('/') }),
  ),
});

export const passwordKinds = ['password', 'uuid', 'hex32', 'fernet'] as const;

export const serviceSchema = z.strictObject({
  service: z.string().regex(/^[a-z][a-z0-9-]*$/, 'lower case letters, digits and dashes'),
  summary: text,
  tags: z.array(text).default([]),
  /** Services that must be there and healthy; they are deployed first. */
  requires: z.array(text).default([]),
  /** Order only, if the other service is present. */
  after: z.array(text).default([]),
  enabled: expression.default(true),
  /** Defaults of this service, the lowest layer of variables. */
  variables: z.record(z.string(), z.unknown()).default({}),
  /** Entries of passwords.yml that `genpwd` fills. */
  passwords: z.record(z.string(), z.enum(passwordKinds)).default({}),
  containers: z
    .record(z.string().regex(/^[a-z][a-z0-9_]*$/, 'lower case letters, digits and underscores'), container)
    .default({}),
  databases: z.array(z.strictObject({ name: text, user: text, password: text })).default([]),
  identity: identity.prefault({}),
  messaging: messaging.optional(),
  /** Short-lived containers: migrations and bootstraps. Keys are the containers' names. */
  one_shots: z.record(z.string(), oneShot).default({}),
  /** Keys shared by all hosts of a container in a volume, distributed before its first start. */
  shared_keys: z
    .strictObject({
      container: text,
      kind: z.literal('fernet'),
      path: text,
      uid: z.number().int(),
      gid: z.number().int(),
    })
    .optional(),
  /** Order inside the service. Default: databases, identity, every one-shot, every container. */
  phases: z.array(phase).default([]),
  /** Must pass after each batch of a rollout before the next, and at its end. Operators add `<service>_gates`. */
  gates: gatesSchema.default([]),
});

export type ServiceDefinition = z.infer<typeof serviceSchema>;
export type ContainerDefinition = ServiceDefinition['containers'][string];
export type ConfigFileDefinition = ContainerDefinition['files'][number];
export type OneShotDefinition = ServiceDefinition['one_shots'][string];
export type Phase = ServiceDefinition['phases'][number];
export type IdentityDefinition = ServiceDefinition['identity'];
export type PasswordKind = (typeof passwordKinds)[number];
