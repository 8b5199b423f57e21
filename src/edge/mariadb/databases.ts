import { DeployError, error, exitCode } from '../../core/model/diagnostic.ts';
import type { Secret } from '../../core/model/secret.ts';
import { type Connect, type Patience, patiently } from '../wire/connect.ts';
import { WireError } from '../wire/failure.ts';
import { type MariadbServer, type Query, type Row, withMariadb } from './connection.ts';
import { account, grantPattern, identifier, nativeHash } from './sql.ts';

export interface WantedDatabase {
  readonly name: string;
  readonly user: string;
  readonly password: Secret;
}

type Verify = (user: string, password: Secret) => Promise<boolean>;

/**
 * Databases, their users (`user@'%'`) and all privileges on them. Reads first and changes only what differs;
 * passwords are compared by their stored hash. Returns what was changed, one short sentence each.
 * Waits at most `patience` for a server that refuses, is not part of a Primary component, or is locked.
 */
export async function ensureDatabases(
  connect: Connect,
  server: MariadbServer,
  databases: readonly WantedDatabase[],
  patience: Patience = { forMs: 0 },
): Promise<readonly string[]> {
  if (databases.length === 0) return [];
  const users = passwordsByUser(databases);
  const changes: string[] = [];
  const verify: Verify = (user, password) => canLogIn(connect, { ...server, user, password });
  await patiently(patience, () =>
    withMariadb(connect, server, async (query) => {
      await ensureSchemata(query, databases, changes);
      await ensureUsers(query, users, verify, changes);
      await ensureGrants(query, databases, changes);
    }),
  );
  return changes;
}

/** Whether this user can log in with this password: one connection, nothing changed. */
export async function canLogIn(connect: Connect, server: MariadbServer): Promise<boolean> {
  try {
    return await withMariadb(connect, server, async () => true);
  } catch (failure) {
    if (failure instanceof WireError && failure.diagnostics[0]?.code === 'access-denied') return false;
    throw failure;
  }
}

function passwordsByUser(databases: readonly WantedDatabase[]): ReadonlyMap<string, Secret> {
  const users = new Map<string, Secret>();
  for (const { user, password } of databases) {
    const known = users.get(user);
    if (known && known.reveal() !== password.reveal()) {
      const text = `database user ${user} is wanted with two different passwords`;
      const hint = 'databases that share a user must name the same entry of passwords.yml';
      throw new DeployError([error('conflicting-password', text, { hint })], exitCode.failed);
    }
    users.set(user, password);
  }
  return users;
}

async function ensureSchemata(query: Query, databases: readonly WantedDatabase[], changes: string[]): Promise<void> {
  const names = [...new Set(databases.map((d) => d.name))];
  const rows = await query('SELECT SCHEMA_NAME AS name FROM information_schema.SCHEMATA WHERE SCHEMA_NAME IN (?)', [
    names,
  ]);
  const present = new Set(rows.map((row) => text(row, 'name')));
  for (const name of names.filter((n) => !present.has(n))) {
    await query(`CREATE DATABASE IF NOT EXISTS ${identifier(name)}`);
    changes.push(`created database ${name}`);
  }
}

async function ensureUsers(
  query: Query,
  users: ReadonlyMap<string, Secret>,
  verify: Verify,
  changes: string[],
): Promise<void> {
  const rows = await query(
    "SELECT User AS name, plugin, authentication_string AS hash FROM mysql.user WHERE Host = '%' AND User IN (?)",
    [[...users.keys()]],
  );
  const present = new Map(rows.map((row) => [text(row, 'name'), row]));
  for (const [user, password] of users) {
    const row = present.get(user);
    if (row && (await hasPassword(row, user, password, verify))) continue;
    const identified = `${account(user)} IDENTIFIED BY PASSWORD '${nativeHash(password)}'`;
    await query(row ? `ALTER USER ${identified}` : `CREATE USER ${identified}`);
    changes.push(row ? `changed password of database user ${user}` : `created database user ${user}`);
  }
}

async function hasPassword(row: Row, user: string, password: Secret, verify: Verify): Promise<boolean> {
  if (text(row, 'plugin') === 'mysql_native_password') return text(row, 'hash').toUpperCase() === nativeHash(password);
  // Other plugins salt their hashes: only a login tells.
  return await verify(user, password);
}

async function ensureGrants(query: Query, databases: readonly WantedDatabase[], changes: string[]): Promise<void> {
  const users = [...new Set(databases.map((d) => d.user))];
  const rows = await query("SELECT * FROM mysql.db WHERE Host = '%' AND User IN (?)", [users]);
  for (const { name, user } of databases) {
    if (rows.some((row) => text(row, 'User') === user && coversDatabase(row, name) && grantsAll(row))) continue;
    await query(`GRANT ALL PRIVILEGES ON ${grantPattern(name)}.* TO ${account(user)}`);
    changes.push(`granted database user ${user} all on ${name}`);
  }
}

/** Others grant on the bare name, in which `_` matches any character: that covers the database as well. */
function coversDatabase(row: Row, database: string): boolean {
  const pattern = text(row, 'Db');
  return pattern === database || `\`${pattern}\`` === grantPattern(database);
}

function grantsAll(row: Row): boolean {
  return Object.entries(row).every(
    ([column, value]) => !column.endsWith('_priv') || column === 'Grant_priv' || value === 'Y',
  );
}

function text(row: Row, column: string): string {
  const value = row[column];
  return typeof value === 'string' ? value : value instanceof Uint8Array ? Buffer.from(value).toString('utf8') : '';
}
