import type { Secret } from '../../core/model/secret.ts';
import { type Connect, dial, within } from '../wire/connect.ts';
import { hostAndPort, reasonOf, WireError } from '../wire/failure.ts';

export interface MariadbServer {
  readonly address: string;
  readonly port: number;
  readonly user: string;
  readonly password: Secret;
  /** Milliseconds for connecting with login, and for each statement; default 15000. */
  readonly timeoutMs?: number | undefined;
}

export type Row = Readonly<Record<string, unknown>>;

/** One statement; values stand for `?` in it. SELECT and SHOW give rows, everything else none. */
export type Query = (sql: string, values?: readonly unknown[]) => Promise<readonly Row[]>;

/** Opens a connection, logs in, works and closes it, whatever happens. */
export async function withMariadb<T>(
  connect: Connect,
  server: MariadbServer,
  work: (query: Query) => Promise<T>,
): Promise<T> {
  const timeoutMs = server.timeoutMs ?? 15_000;
  const { address, port } = server;
  const [{ createConnection }, stream] = await Promise.all([
    import('mysql2/promise'),
    dial(connect, { service: 'MariaDB', address, port, timeoutMs }),
  ]);
  try {
    const opening = createConnection({
      stream,
      user: server.user,
      password: server.password.reveal(),
      connectTimeout: timeoutMs,
      supportBigNumbers: true,
      bigNumberStrings: true,
    });
    // mysql2's own timer stops at the first byte of the server; a server may also hang after it.
    const silent = () => problem(server, Object.assign(new Error('no login'), { code: 'ETIMEDOUT' }));
    const connection = await within(timeoutMs, opening, silent, (late) => late.destroy());
    connection.on('error', () => undefined);
    const result = await work(async (sql, values = []) => {
      try {
        const [rows] = await connection.query({ sql, values: [...values], timeout: timeoutMs });
        return Array.isArray(rows) ? (rows as Row[]) : [];
      } catch (failure) {
        throw problem(server, failure);
      }
    });
    await within(1000, connection.end(), () => new Error('no goodbye')).catch(() => undefined);
    return result;
  } catch (failure) {
    throw failure instanceof WireError ? failure : problem(server, failure);
  } finally {
    stream.destroy();
  }
}

const accessDenied = new Set([1044, 1045, 1142, 1227, 1698]);

/** Galera not ready, lock wait, deadlock (also a failed certification), shutting down, too many connections, killed. */
const passing = new Set([1040, 1047, 1053, 1205, 1213, 1927]);

/** mysql2's errors carry the statement; only number and text leave, never the statement. */
function problem(server: MariadbServer, failure: unknown): WireError {
  const where = `MariaDB at ${hostAndPort(server.address, server.port)}`;
  const { errno, code } = details(failure);
  if (errno !== undefined && accessDenied.has(errno)) {
    return new WireError(
      'access-denied',
      `${where}: access denied for user ${server.user} (error ${errno}: ${reasonOf(failure)})`,
      {
        hint: 'compare the password in passwords.yml with the one the database was created with; an account for one host (root@localhost) goes before the one for all',
      },
    );
  }
  if (errno === 1047) {
    return new WireError(
      'galera-not-ready',
      `${where}: the node is not part of a Primary component (error 1047: ${reasonOf(failure)})`,
      { transient: true, hint: 'see the state of the Galera cluster: deploy mariadb status' },
    );
  }
  if (code === 'ETIMEDOUT' || code === 'PROTOCOL_SEQUENCE_TIMEOUT') {
    const seconds = (server.timeoutMs ?? 15_000) / 1000;
    return new WireError('timed-out', `${where}: no answer within ${seconds} s`, { transient: true });
  }
  if (errno === undefined) {
    return new WireError('connection-lost', `${where}: the connection was lost: ${reasonOf(failure)}`, {
      transient: true,
      hint: 'behind a load balancer this means that no server is up: deploy status --tags mariadb',
    });
  }
  return new WireError('statement-failed', `${where}: error ${errno}: ${reasonOf(failure)}`, {
    transient: passing.has(errno),
  });
}

function details(failure: unknown): { errno?: number; code?: string } {
  if (typeof failure !== 'object' || failure === null) return {};
  const errno = 'errno' in failure && typeof failure.errno === 'number' ? failure.errno : undefined;
  const code = 'code' in failure && typeof failure.code === 'string' ? failure.code : undefined;
  // Node's own socket errors have negative numbers; the server's are above 1000.
  return { ...(errno !== undefined && errno >= 1000 ? { errno } : {}), ...(code !== undefined ? { code } : {}) };
}
