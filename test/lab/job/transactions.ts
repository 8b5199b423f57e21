import type { Connection } from 'mysql2/promise';
import { sleep } from '../command.ts';
import type { Lab } from '../raise.ts';
import { connect, DatabaseClients, statementMs } from './database-clients.ts';

const table = { database: 'lab_transactions', name: 'rows', columns: 'id VARCHAR(64) PRIMARY KEY, part INT' };

/**
 * `pool`: as the services do it (SQLAlchemy with oslo.db): a connection from a pool is tried before it is used, and one
 * that is dead is replaced without anybody noticing; several statements in a transaction, then a pause. `bare`: one
 * connection, never tried before, insert after insert without a pause.
 */
export type ClientKind = 'pool' | 'bare';

export interface FailedTransaction {
  readonly kind: ClientKind;
  /** Milliseconds since 1970. */
  readonly when: number;
  /** In what the client was: it had not begun, was in the middle, or had asked for the commit. */
  readonly during: 'connect' | 'statement' | 'commit';
  readonly said: string;
}

/** Clients with transactions through the load balancer. None tries anything again; each failure is kept. */
export class Transactions extends DatabaseClients {
  readonly failed: FailedTransaction[] = [];
  /** Clients that found a dead connection in their pool and took a new one. */
  replaced = 0;

  constructor(lab: Lab, name: string) {
    super(lab, name, table, 'transactions');
  }

  async start(pools = 20, bare = 2): Promise<void> {
    const kinds: ClientKind[] = [...Array<ClientKind>(pools).fill('pool'), ...Array<ClientKind>(bare).fill('bare')];
    await this.startClients(() => kinds.map((kind, number) => this.#work(kind, `${this.name}-${kind}${number}`)));
  }

  protected rowsOf(id: string): readonly string[] {
    return [`${id}a`, `${id}b`];
  }

  async #work(kind: ClientKind, name: string): Promise<void> {
    let connection: Connection | undefined;
    for (let number = 0; !this.stopped; number++) {
      const id = `${name}-${number}`;
      let during: FailedTransaction['during'] = 'connect';
      try {
        connection = kind === 'pool' ? await this.#fromPool(connection) : (connection ?? (await this.#connect()));
        during = 'statement';
        const values = `('${id}a', 1), ('${id}b', 2)`;
        if (kind === 'bare') await insert(connection, values);
        else {
          await connection.query({ sql: 'BEGIN', timeout: statementMs });
          await insert(connection, `('${id}a', 1)`);
          await insert(connection, `('${id}b', 2)`);
          during = 'commit';
          await connection.query({ sql: 'COMMIT', timeout: statementMs });
        }
        this.acknowledge(id);
        // A connection of a pool is idle most of the time.
        if (kind === 'pool') await sleep(250 + 50 * (number % 5));
      } catch (cause) {
        const said = cause instanceof Error ? cause.message : String(cause);
        this.failed.push({ kind, when: Date.now(), during, said });
        connection?.destroy();
        connection = undefined;
        await sleep(100);
      }
    }
    connection?.destroy();
  }

  async #fromPool(known: Connection | undefined): Promise<Connection> {
    if (known === undefined) return this.#connect();
    try {
      await known.query({ sql: 'SELECT 1', timeout: statementMs });
      return known;
    } catch {
      known.destroy();
      this.replaced += 1;
      return this.#connect();
    }
  }

  #connect(): Promise<Connection> {
    return connect(this.lab, this.lab.vip);
  }
}

async function insert(connection: Connection, values: string): Promise<void> {
  await connection.query({ sql: `INSERT INTO ${table.database}.${table.name} VALUES ${values}`, timeout: statementMs });
}
