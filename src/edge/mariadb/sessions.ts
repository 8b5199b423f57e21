import type { Connect } from '../wire/connect.ts';
import { type MariadbServer, withMariadb } from './connection.ts';

/** Sessions of clients that came over the network; what replicates or comes from the node itself is none of them. */
const clients = "p.ID <> CONNECTION_ID() AND p.USER NOT IN ('system user', 'event_scheduler') AND p.HOST LIKE '%:%'";

/**
 * Looks and ends within one statement, so that as little as can be happens in between. A transaction that has touched
 * nothing yet is none: ending it loses no work.
 */
const endIdle = (idleMs: number) => `BEGIN NOT ATOMIC
  DECLARE CONTINUE HANDLER FOR 1094, 1095 BEGIN END;
  FOR s IN (SELECT p.ID FROM information_schema.PROCESSLIST p
      LEFT JOIN information_schema.INNODB_TRX t ON t.trx_mysql_thread_id = p.ID
      WHERE ${clients} AND p.COMMAND = 'Sleep' AND p.TIME_MS >= ${Math.trunc(idleMs)} AND t.trx_id IS NULL)
  DO EXECUTE IMMEDIATE CONCAT('KILL CONNECTION ', s.ID);
  END FOR;
END`;

/**
 * Ends client sessions that have been idle for so many milliseconds and are in no transaction. Returns the ids of those
 * that are left.
 */
export async function endIdleSessions(
  connect: Connect,
  server: MariadbServer,
  idleMs: number,
): Promise<readonly string[]> {
  return withMariadb(connect, server, async (query) => {
    await query(endIdle(idleMs));
    const rows = await query(
      `SELECT p.ID AS id FROM information_schema.PROCESSLIST p WHERE ${clients} AND p.COMMAND <> 'Killed'`,
    );
    return rows.map(({ id }) => String(id));
  });
}

/**
 * For another version to take the data over, InnoDB must have been shut down with 0 or 1 (MariaDB's documentation on
 * upgrading between major versions); what 1 leaves of the change buffer, 11.0 and newer merge at their first start. 0
 * may take hours, beyond any time a container is given to stop.
 */
export async function shutDownCleanly(connect: Connect, server: MariadbServer): Promise<void> {
  await withMariadb(connect, server, async (query) => {
    const [row] = await query('SELECT @@GLOBAL.innodb_fast_shutdown AS mode');
    if (Number(row?.mode) > 1) await query('SET GLOBAL innodb_fast_shutdown = 1');
  });
}
