import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DeployError } from '../../src/core/model/diagnostic.ts';
import { Secret } from '../../src/core/model/secret.ts';
import { clusterNodes } from '../../src/edge/rabbitmq/cluster.ts';
import { type RabbitmqServer, withManagement } from '../../src/edge/rabbitmq/management.ts';
import { ensureUsers } from '../../src/edge/rabbitmq/users.ts';
import {
  accountOf,
  type Daemon,
  freePort,
  needProgram,
  ownDirectory,
  plainConnect,
  startDaemon,
} from './local-daemon.ts';

const program = '/usr/lib/rabbitmq/bin/rabbitmq-server';

let server: RabbitmqServer;
let directory: ReturnType<typeof ownDirectory> | undefined;
const daemons: Daemon[] = [];

beforeAll(async () => {
  needProgram(program, 'rabbitmq-server');
  const account = accountOf('rabbitmq');
  directory = ownDirectory(account);
  const at = (name: string) => join(directory?.path ?? '', name);
  const [amqp, management, distribution, mapper] = [
    await freePort(),
    await freePort(),
    await freePort(),
    await freePort(),
  ];
  const settings = [
    `listeners.tcp.1 = 127.0.0.1:${amqp}`,
    'management.listener.ip = 127.0.0.1',
    `management.listener.port = ${management}`,
    'default_user = openstack',
    'default_pass = first-password',
  ];
  writeFileSync(at('rabbitmq.conf'), `${settings.join('\n')}\n`);
  writeFileSync(at('enabled_plugins'), '[rabbitmq_management].\n');
  const env = {
    ERL_EPMD_PORT: String(mapper),
    ERL_EPMD_ADDRESS: '127.0.0.1',
    RABBITMQ_NODENAME: 'rabbit@localhost',
    RABBITMQ_CONFIG_FILE: at('rabbitmq.conf'),
    RABBITMQ_ADVANCED_CONFIG_FILE: at('advanced.config'),
    RABBITMQ_CONF_ENV_FILE: at('rabbitmq-env.conf'),
    RABBITMQ_ENABLED_PLUGINS_FILE: at('enabled_plugins'),
    RABBITMQ_MNESIA_BASE: at('mnesia'),
    RABBITMQ_LOG_BASE: at('log'),
    RABBITMQ_PID_FILE: at('pid'),
    RABBITMQ_DIST_PORT: String(distribution),
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: '-kernel inet_dist_use_interface {127,0,0,1} +S 1:1 +sbwt none',
  };
  // Our own port mapper in the foreground: the one Erlang starts by itself would outlive the test.
  daemons.push(
    startDaemon(['/usr/bin/epmd', '-port', String(mapper), '-address', '127.0.0.1'], { account, cwd: directory.path }),
  );
  daemons.push(startDaemon([program], { account, cwd: directory.path, env }));
  server = { address: '127.0.0.1', port: management, user: 'openstack', password: new Secret('first-password') };
}, 60_000);

afterAll(async () => {
  for (const daemon of daemons.reverse()) await daemon.stop();
  directory?.remove();
});

const monitoring = { name: 'openstack-monitoring', password: new Secret('watch'), tags: 'monitoring', vhost: '/' };
const heat = { name: 'heat', password: new Secret('h/e:at'), tags: '', vhost: '/cell one' };
const admin = { name: 'openstack', password: new Secret('first-password'), tags: 'administrator', vhost: '/' };

async function failureOf(promise: Promise<unknown>): Promise<DeployError> {
  const failure = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(failure instanceof DeployError)) throw new Error(`not a DeployError: ${String(failure)}`);
  return failure;
}

describe('RabbitMQ management', () => {
  test('waits for the API, then tells the nodes', async () => {
    const cluster = await clusterNodes(plainConnect, server, { forMs: 60_000, everyMs: 500 }).catch(
      (failure: unknown) => {
        throw new Error(`${String(failure)}\n${daemons[1]?.output()}`);
      },
    );
    expect(cluster).toEqual({
      nodes: [{ name: 'rabbit@localhost', running: true, partitions: [], memoryAlarm: false, diskAlarm: false }],
      running: ['rabbit@localhost'],
      alarms: [],
      partitions: [],
    });
  }, 90_000);

  test('creates what is missing, then nothing', async () => {
    expect(await ensureUsers(plainConnect, server, [admin, monitoring, heat])).toEqual([
      'created virtual host /cell one',
      'created RabbitMQ user openstack-monitoring',
      'set permissions of RabbitMQ user openstack-monitoring on /',
      'created RabbitMQ user heat',
      'set permissions of RabbitMQ user heat on /cell one',
    ]);
    expect(await ensureUsers(plainConnect, server, [admin, monitoring, heat])).toEqual([]);
  });

  test('the monitoring user may look, and see only that', async () => {
    const watcher = { ...server, user: monitoring.name, password: monitoring.password };
    expect((await clusterNodes(plainConnect, watcher)).running).toEqual(['rabbit@localhost']);
    const failure = await failureOf(withManagement(plainConnect, watcher, (api) => api.put('/vhosts/x', {})));
    expect(failure.message).toContain('refused user openstack-monitoring (HTTP 401)');
  });

  test('changes password, tags and permissions that differ, and only those', async () => {
    const changed = { ...heat, password: new Secret('new'), tags: 'management' };
    expect(await ensureUsers(plainConnect, server, [changed])).toEqual([
      'changed password of RabbitMQ user heat',
      'changed tags of RabbitMQ user heat',
    ]);
    await withManagement(plainConnect, server, (api) =>
      api.put('/permissions/%2Fcell%20one/heat', { configure: '', write: '', read: '.*' }),
    );
    expect(await ensureUsers(plainConnect, server, [changed])).toEqual([
      'set permissions of RabbitMQ user heat on /cell one',
    ]);
    const asHeat = { ...server, user: 'heat', password: changed.password };
    expect(await withManagement(plainConnect, asHeat, (api) => api.get('/whoami'))).toMatchObject({ name: 'heat' });
  });

  test('the password of the very administrator can be changed', async () => {
    const renewed = { ...admin, password: new Secret('second-password') };
    expect(await ensureUsers(plainConnect, server, [renewed])).toEqual(['changed password of RabbitMQ user openstack']);
    const failure = await failureOf(ensureUsers(plainConnect, server, [renewed], { forMs: 5000 }));
    expect(failure.message).toContain(`RabbitMQ at http://127.0.0.1:${server.port} refused user openstack (HTTP 401)`);
    expect(failure.message).not.toContain('first-password');
    expect(await ensureUsers(plainConnect, { ...server, password: renewed.password }, [renewed])).toEqual([]);
  });

  test('a closed port is named', async () => {
    const port = await freePort();
    const failure = await failureOf(ensureUsers(plainConnect, { ...server, port }, [admin]));
    expect(failure.message).toContain(`RabbitMQ management at 127.0.0.1:${port}: connection refused`);
  });
});
