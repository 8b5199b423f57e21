import type { Secret } from '../../core/model/secret.ts';
import { type Connect, type Patience, patiently } from '../wire/connect.ts';
import { type MariadbServer, withMariadb } from './connection.ts';
import { account, nativeHash } from './sql.ts';

export interface WantedAccount {
  readonly user: string;
  readonly password: Secret;
  /** On everything; `RELOAD`. */
  readonly privileges: readonly string[];
}

/**
 * An account `user@'%'` with a password and privileges on everything. Reads first and changes only what differs; what it
 * may do beyond that stays. Returns what was changed, one short sentence each.
 */
export async function ensureAccount(
  connect: Connect,
  server: MariadbServer,
  { user, password, privileges }: WantedAccount,
  patience: Patience = { forMs: 0 },
): Promise<readonly string[]> {
  const who = account(user);
  const hash = nativeHash(password);
  return patiently(patience, () =>
    withMariadb(connect, server, async (query) => {
      const changes: string[] = [];
      const [row] = await query("SELECT authentication_string AS hash FROM mysql.user WHERE Host = '%' AND User = ?", [
        user,
      ]);
      if (String(row?.hash ?? '').toUpperCase() !== hash) {
        await query(`${row ? 'ALTER' : 'CREATE'} USER ${who} IDENTIFIED BY PASSWORD '${hash}'`);
        changes.push(row ? `changed the password of ${user}` : `made the account ${user}`);
      }
      const granted = await query(
        'SELECT PRIVILEGE_TYPE AS name FROM information_schema.USER_PRIVILEGES WHERE GRANTEE = ?',
        [who],
      );
      const has = new Set(granted.map(({ name }) => String(name)));
      const missing = privileges.filter((privilege) => !has.has(privilege));
      if (missing.length > 0) {
        await query(`GRANT ${missing.join(', ')} ON *.* TO ${who}`);
        changes.push(`granted ${user} ${missing.join(', ')}`);
      }
      return changes;
    }),
  );
}
