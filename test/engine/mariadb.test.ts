import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { createConnection } from 'mysql2/promise';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DeployError } from '../../src/core/model/diagnostic.ts';
import { Secret } from '../../src/core/model/secret.ts';
import { checkGate } from '../../src/edge/gates/check.ts';
import { type MariadbServer, withMariadb } from '../../src/edge/mariadb/connection.ts';
import { canLogIn, ensureDatabases } from '../../src/edge/mariadb/databases.ts';
import { galeraStatus } from '../../src/edge/mariadb/galera.ts';
import { endIdleSessions, shutDownCleanly } from '../../src/edge/mariadb/sessions.ts';
import {
  accountOf,
  type Daemon,
  freePort,
  needProgram,
  ownDirectory,
  plainConnect,
  startDaemon,
} from './local-daemon.ts';

const rootPassword = "r'oot\\pass";
const provider = '/usr/lib/galera/libgalera_smm.so';

let server: MariadbServer;
let daemon: Daemon | undefined;
let directory: ReturnType<typeof ownDirectory> | undefined;

beforeAll(async () => {
  needProgram('/usr/sbin/mariadbd', 'mariadb-server');
  needProgram(provider, 'galera-4');
  const account = accountOf('mysql');
  directory = ownDirectory(account);
  const data = join(directory.path, 'data');
  execFileSync('mariadb-install-db', ['--no-defaults', '--user=mysql', `--datadir=${data}`, '--skip-test-db'], {
    stdio: 'pipe',
  });
  const [port, group] = [await freePort(), await freePort()];
  const argv = [
    '/usr/sbin/mariadbd',
    '--no-defaults',
    `--datadir=${data}`,
    `--port=${port}`,
    '--bind-address=127.0.0.1',
  ];
  const files = [
    `--socket=${join(directory.path, 's')}`,
    `--pid-file=${join(directory.path, 'p')}`,
    '--binlog-format=ROW',
  ];
  const galera = [
    '--wsrep-on=ON',
    `--wsrep-provider=${provider}`,
    '--wsrep-cluster-address=gcomm://',
    '--wsrep-new-cluster',
    '--wsrep-node-address=127.0.0.1',
    `--wsrep-provider-options=gmcast.listen_addr=tcp://127.0.0.1:${group}`,
  ];
  daemon = startDaemon([...argv, ...files, ...galera], { account, cwd: directory.path });
  const asRoot = (sql: string) =>
    execFileSync('mariadb', ['--no-defaults', `--socket=${join(directory?.path ?? '', 's')}`, '-e', sql], {
      stdio: 'pipe',
    });
  server = { address: '127.0.0.1', port, user: 'root_shard_0', password: new Secret(rootPassword) };
  // A member that is not yet part of a component answers SELECT 1, but refuses to read tables.
  await waitFor(() => asRoot('SELECT COUNT(*) FROM mysql.global_priv'));
  asRoot(
    "CREATE USER 'root_shard_0'@'%' IDENTIFIED BY 'r\\'oot\\\\pass'; GRANT ALL ON *.* TO 'root_shard_0'@'%' WITH GRANT OPTION",
  );
}, 60_000);

afterAll(async () => {
  await daemon?.stop();
  directory?.remove();
});

async function waitFor(attempt: () => unknown): Promise<void> {
  for (let left = 100; ; left--) {
    try {
      attempt();
      return;
    } catch (failure) {
      if (left === 0) throw new Error(`${String(failure)}\n${daemon?.output()}`);
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
}

async function failureOf(promise: Promise<unknown>): Promise<DeployError> {
  const failure = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(failure instanceof DeployError)) throw new Error(`not a DeployError: ${String(failure)}`);
  return failure;
}

describe('ensureDatabases', () => {
  const wanted = [
    { name: 'magnum', user: 'magnum', password: new Secret('s3cret"\'\\`') },
    { name: 'nova_api', user: 'nova', password: new Secret('n0va') },
    { name: 'we`ird', user: 'nova', password: new Secret('n0va') },
  ];

  test('creates what is missing, then nothing', async () => {
    expect(await ensureDatabases(plainConnect, server, wanted)).toEqual([
      'created database magnum',
      'created database nova_api',
      'created database we`ird',
      'created database user magnum',
      'created database user nova',
      'granted database user magnum all on magnum',
      'granted database user nova all on nova_api',
      'granted database user nova all on we`ird',
    ]);
    expect(await ensureDatabases(plainConnect, server, wanted)).toEqual([]);
  });

  test('the users can log in and work in their databases only', async () => {
    const magnum = { ...server, user: 'magnum', password: new Secret('s3cret"\'\\`') };
    await withMariadb(plainConnect, magnum, (query) => query('CREATE TABLE magnum.t (id INT PRIMARY KEY)'));
    const nova = { ...server, user: 'nova', password: new Secret('n0va') };
    await withMariadb(plainConnect, nova, (query) => query('CREATE TABLE nova_api.t (id INT PRIMARY KEY)'));
    const foreign = await failureOf(withMariadb(plainConnect, nova, (query) => query('SELECT * FROM magnum.t')));
    expect(foreign.message).toContain('access denied for user nova');
  });

  test('changes a password that differs, and only then', async () => {
    const changed = [{ name: 'magnum', user: 'magnum', password: new Secret('other') }];
    expect(await ensureDatabases(plainConnect, server, changed)).toEqual(['changed password of database user magnum']);
    expect(await ensureDatabases(plainConnect, server, changed)).toEqual([]);
    expect(await canLogIn(plainConnect, { ...server, user: 'magnum', password: new Secret('other') })).toBe(true);
    expect(await canLogIn(plainConnect, { ...server, user: 'magnum', password: new Secret('s3cret') })).toBe(false);
  });

  test('accepts grants made by others on the bare name and completes partial ones', async () => {
    await withMariadb(plainConnect, server, async (query) => {
      await query("CREATE USER 'heat'@'%' IDENTIFIED BY 'h'");
      await query('CREATE DATABASE heat_x');
      await query("GRANT ALL ON `heat_x`.* TO 'heat'@'%'");
    });
    const heat = [{ name: 'heat_x', user: 'heat', password: new Secret('h') }];
    expect(await ensureDatabases(plainConnect, server, heat)).toEqual([]);
    await withMariadb(plainConnect, server, (query) => query("REVOKE DELETE ON `heat_x`.* FROM 'heat'@'%'"));
    expect(await ensureDatabases(plainConnect, server, heat)).toEqual(['granted database user heat all on heat_x']);
  });

  test('a wrong password is said in plain words, without the password', async () => {
    const failure = await failureOf(
      ensureDatabases(plainConnect, { ...server, password: new Secret('wr0ng') }, wanted),
    );
    expect(failure.exit).toBe(1);
    expect(failure.message).toContain(`MariaDB at 127.0.0.1:${server.port}: access denied for user root_shard_0`);
    expect(failure.message).not.toContain('wr0ng');
  });

  test('a closed port is waited for as long as asked, then named', async () => {
    const port = await freePort();
    const begun = Date.now();
    const patience = { forMs: 600, everyMs: 200 };
    const failure = await failureOf(ensureDatabases(plainConnect, { ...server, port }, wanted, patience));
    expect(failure.message).toContain(`MariaDB at 127.0.0.1:${port}: connection refused (tried for 1 s)`);
    expect(Date.now() - begun).toBeGreaterThan(350);
  });

  test('a failing statement shows neither itself nor the values in it', async () => {
    const run = withMariadb(plainConnect, server, (query) =>
      query('INSERT INTO magnum.nothing VALUES (?)', ['hidden']),
    );
    const failure = await failureOf(run);
    expect(failure.message).toContain('error 1146');
    expect(failure.message).not.toContain('hidden');
  });
});

describe('an sql gate', () => {
  const ask = (query: string, more: { expect?: string | Secret; database?: string; password?: string } = {}) => {
    const { password = rootPassword, ...rest } = more;
    const check = { kind: 'sql', query, server: { ...server, password: new Secret(password) }, ...rest } as const;
    const node = { connect: plainConnect, exec: () => Promise.reject(new Error('no containers here')) };
    return checkGate(node, { name: 'rows', host: 'node1', within: 5, passes: 1, check });
  };

  test('compares the first column of the first row, in the database it is to ask', async () => {
    expect(await ask('SELECT 41 + 1', { expect: '42' })).toEqual({ ok: true });
    expect(await ask('SELECT DATABASE()', { database: 'mysql', expect: 'mysql' })).toEqual({ ok: true });
    expect(await ask('SELECT NULL', { expect: 'NULL' })).toEqual({ ok: true });
    expect(await ask('SELECT 1 FROM DUAL WHERE 1 = 0')).toEqual({ ok: true });
  });

  test('says what it got instead, and nothing secret', async () => {
    const said = async (...gate: Parameters<typeof ask>) => {
      const answer = await ask(...gate);
      return answer.ok ? 'passed' : answer.said;
    };
    expect(await said('SELECT 1', { expect: '2' })).toMatch(/^the query at 127\.0\.0\.1:\d+ gave "1" instead of "2"$/);
    expect(await said('SELECT 1 FROM DUAL WHERE 1 = 0', { expect: new Secret('x') })).toMatch(
      /gave no row instead of "‹secret›"$/,
    );
    expect(await said('SELECT 1 FROM nowhere.nothing')).toContain('error 1146');
    expect(await said('SELECT 1', { password: 'n0t-this' })).toContain('access denied for user root_shard_0');
    expect(await said('SELECT 1', { password: 'n0t-this' })).not.toContain('n0t-this');
  });
});

describe('galeraStatus', () => {
  test('a member of a Primary component', async () => {
    expect(await galeraStatus(plainConnect, server)).toMatchObject({
      clusterStatus: 'Primary',
      clusterSize: 1,
      localState: 4,
      localStateComment: 'Synced',
      ready: true,
      connected: true,
      clusterUuid: expect.stringMatching(/^[0-9a-f-]{36}$/),
      lastCommitted: expect.stringMatching(/^\d+$/),
      version: expect.stringContaining('MariaDB'),
    });
  });

  test('a member that lost its cluster still tells so, and changes wait until it is back', async () => {
    const set = (address: string) =>
      withMariadb(plainConnect, server, (query) => query(`SET GLOBAL wsrep_cluster_address='${address}'`));
    await set('');
    expect(await galeraStatus(plainConnect, server)).toMatchObject({ ready: false, localState: 0 });
    const late = [{ name: 'late', user: 'late', password: new Secret('l') }];
    const failure = await failureOf(ensureDatabases(plainConnect, server, late));
    expect(failure.message).toContain('not part of a Primary component');
    const waiting = ensureDatabases(plainConnect, server, late, { forMs: 20_000, everyMs: 200 });
    await set('gcomm://');
    expect(await waiting).toContain('created database late');
  });
});

describe('sessions', () => {
  const open = () =>
    createConnection({ host: server.address, port: server.port, user: server.user, password: rootPassword });

  test('end where they are idle for long enough and in no transaction', async () => {
    const [idle, busy] = await Promise.all([open(), open()]);
    const ended = new Promise((resolve) => idle.once('error', resolve));
    await busy.query('CREATE DATABASE IF NOT EXISTS work');
    await busy.query('CREATE TABLE IF NOT EXISTS work.rows (id INT PRIMARY KEY)');
    await busy.query('BEGIN');
    await busy.query('INSERT INTO work.rows VALUES (1)');
    // Nobody has been idle for a minute.
    expect(await endIdleSessions(plainConnect, server, 60_000)).toHaveLength(2);
    expect(await endIdleSessions(plainConnect, server, 0)).toEqual([String(busy.threadId)]);
    await ended;
    await busy.query('COMMIT');
    const [rows] = await busy.query('SELECT * FROM work.rows');
    expect(rows).toEqual([{ id: 1 }]);
    await busy.end();
  });

  test('a shutdown that would leave work for the next start is told to do it', async () => {
    const mode = () => withMariadb(plainConnect, server, (query) => query('SELECT @@innodb_fast_shutdown AS mode'));
    const set = (to: number) =>
      withMariadb(plainConnect, server, (query) => query(`SET GLOBAL innodb_fast_shutdown = ${to}`));
    for (const [before, after] of [
      [2, 1],
      [0, 0],
    ] as const) {
      await set(before);
      await shutDownCleanly(plainConnect, server);
      expect(await mode()).toEqual([{ mode: String(after) }]);
    }
  });
});
