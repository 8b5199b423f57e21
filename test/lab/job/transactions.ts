import { type Connection, createConnection, type RowDataPacket } from 'mysql2/promise';
import { LabError, sleep, waitFor } from '../command.ts';
import type { Lab } from '../raise.ts';
import { NODES } from '../settings.ts';
import { password } from './deploy-command.ts';

const database = 'lab_transactions';
/** A statement that takes longer is given up; what became of its transaction nobody knows. */
const statementMs = 5_000;

/**
 * `pool`: as the services do it (SQLAlchemy with oslo.db): a connection from a pool is tried before it is used, and one
 * that is dead is replaced without anybody noticing; several statements in a transaction, then a pause. `bare`: one
 * connection, never tried before, insert after insert without a pause.
 */
export type ClientKind = 'pool' | 'bare';

export interface FailedTransaction {
  readonly kind: ClientKind;
  /** Seconds since the load began. */
  readonly at: number;
  /** In what the client was: it had not begun, was in the middle, or had asked for the commit. */
  readonly during: 'connect' | 'statement' | 'commit';
  readonly said: string;
}

/** Clients with transactions through the load balancer. None tries anything again; each failure is kept. */
export class Transactions {
  readonly acknowledged: string[] = [];
  readonly failed: FailedTransaction[] = [];
  /** Clients that found a dead connection in their pool and took a new one. */
  replaced = 0;
  readonly #times: number[] = [];
  readonly #lab: Lab;
  readonly #name: string;
  readonly #began = performance.now();
  #stopped = false;
  #clients: Promise<void>[] = [];

  constructor(lab: Lab, name: string) {
    this.#lab = lab;
    this.#name = name;
  }

  async start(pools = 20, bare = 2): Promise<void> {
    const connection = await connect(this.#lab, this.#lab.vip);
    await connection.query(`CREATE DATABASE IF NOT EXISTS ${database}`);
    await connection.query(`CREATE TABLE IF NOT EXISTS ${database}.rows (id VARCHAR(64) PRIMARY KEY, part INT)`);
    await connection.end();
    const kinds: ClientKind[] = [...Array<ClientKind>(pools).fill('pool'), ...Array<ClientKind>(bare).fill('bare')];
    this.#clients = kinds.map((kind, number) => this.#work(kind, `${this.#name}-${kind}${number}`));
    await this.reach(200);
  }

  /** Waits for that many commits more. */
  async reach(more: number): Promise<void> {
    const goal = this.acknowledged.length + more;
    if (await waitFor(async () => this.acknowledged.length >= goal, 60_000, 20)) return;
    throw new LabError(`the database took ${this.acknowledged.length} transactions, not ${goal}, within a minute`);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#clients);
  }

  /** The longest time in which nothing was acknowledged: how long, and when it began; in seconds. */
  longestPause(): { readonly seconds: number; readonly at: number } {
    return this.#times
      .map((time, i) => ({ from: this.#times[i - 1] ?? time, to: time }))
      .map(({ from, to }) => ({ seconds: (to - from) / 1000, at: (from - this.#began) / 1000 }))
      .reduce((longest, one) => (one.seconds > longest.seconds ? one : longest), { seconds: 0, at: 0 });
  }

  /** Acknowledged transactions that a member does not have, or not all of, by member. */
  async lost(): Promise<Readonly<Record<string, number>>> {
    const counted = NODES.map(async ({ name, address }) => {
      const connection = await connect(this.#lab, address);
      // Reads on this member wait until it has applied all that was committed before.
      await connection.query('SET SESSION wsrep_sync_wait = 1');
      const [rows] = await connection.query<RowDataPacket[]>(
        `SELECT id FROM ${database}.rows WHERE id LIKE ? GROUP BY id`,
        [`${this.#name}-%`],
      );
      await connection.end();
      const there = new Set(rows.map((row) => String(row.id)));
      const missing = this.acknowledged.filter((id) => !there.has(`${id}a`) || !there.has(`${id}b`));
      return [name, missing.length] as const;
    });
    return Object.fromEntries(await Promise.all(counted));
  }

  /** One line for each kind of failure. */
  explained(): string[] {
    const kinds = new Map<string, number[]>();
    for (const { kind, during, said, at } of this.failed) {
      const words = `${kind} client, ${during}: ${said}`;
      kinds.set(words, [...(kinds.get(words) ?? []), at]);
    }
    return [...kinds].map(([words, at]) => `${at.length} × ${words} (at ${at.map((s) => s.toFixed(1)).join(', ')} s)`);
  }

  async drop(): Promise<void> {
    const connection = await connect(this.#lab, this.#lab.vip);
    await connection.query(`DROP DATABASE IF EXISTS ${database}`);
    await connection.end();
  }

  async #work(kind: ClientKind, name: string): Promise<void> {
    let connection: Connection | undefined;
    for (let number = 0; !this.#stopped; number++) {
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
        this.acknowledged.push(id);
        this.#times.push(performance.now());
        // A connection of a pool is idle most of the time.
        if (kind === 'pool') await sleep(250 + 50 * (number % 5));
      } catch (cause) {
        const at = (performance.now() - this.#began) / 1000;
        const said = cause instanceof Error ? cause.message : String(cause);
        this.failed.push({ kind, at, during, said });
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
    return connect(this.#lab, this.#lab.vip);
  }
}

async function insert(connection: Connection, values: string): Promise<void> {
  await connection.query({ sql: `INSERT INTO ${database}.rows VALUES ${values}`, timeout: statementMs });
}

/** The virtual address, or a member past the load balancer. */
async function connect(lab: Lab, host: string): Promise<Connection> {
  const credentials = { user: 'root', password: password(lab, 'database_password') };
  const connection = await createConnection({ host, port: 3306, ...credentials, connectTimeout: 3_000 });
  // A connection that breaks says so to whoever uses it next.
  connection.on('error', () => undefined);
  return connection;
}
