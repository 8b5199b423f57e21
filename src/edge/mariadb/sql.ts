import { createHash } from 'node:crypto';
import { DeployError, error, exitCode } from '../../core/model/diagnostic.ts';
import type { Secret } from '../../core/model/secret.ts';

/** A database or column name between backticks. */
export function identifier(name: string): string {
  if (name.length === 0 || name.length > 64 || name.includes('\0')) throw badName('database', name);
  return `\`${name.replaceAll('`', '``')}\``;
}

/** The database part of a GRANT, where `_` and `%` are wildcards unless escaped. */
export function grantPattern(database: string): string {
  return identifier(database.replace(/[\\_%]/g, (wildcard) => `\\${wildcard}`));
}

/** `'magnum'@'%'`. Only names whose quoting does not depend on the server's sql_mode are taken. */
export function account(user: string): string {
  if (!/^[A-Za-z0-9_.@+$-]{1,128}$/.test(user)) throw badName('database user', user);
  return `'${user}'@'%'`;
}

/** What `mysql_native_password` stores for a password: the text itself appears in no statement and no server log. */
export function nativeHash(password: Secret): string {
  const once = createHash('sha1').update(password.reveal()).digest();
  return `*${createHash('sha1').update(once).digest('hex').toUpperCase()}`;
}

function badName(what: string, name: string): DeployError {
  const hint = 'use letters, digits, underscores and dashes';
  return new DeployError([error('bad-name', `"${name}" cannot be the name of a ${what}`, { hint })], exitCode.failed);
}
