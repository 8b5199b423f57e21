import { type Connection, createConnection, type RowDataPacket } from 'mysql2/promise';
import { LabError, waitFor } from '../command.ts';
import type { Lab } from '../raise.ts';
import { NODES } from '../settings.ts';
import { password } from './deploy-command.ts';

/** A statement that takes longer is given up; what became of it nobody knows. */
export const statementMs = 5_000;

/** Where clients write. */
export interface Table {
  readonly database: string;
  readonly name: string;
  /** Among them `id`, the primary key. */
  readonly columns: string;
}

/** The virtual address, or a member past the load balancer. */
export async function connect(lab: Lab, host: string): Promise<Connection> {
  const credentials = { user: 'root', password: password(lab, 'database_password') };
  const connection = await createConnection({ host, port: 3306, ...credentials, connectTimeout: 3_000 });
  // A connection that breaks says so to whoever uses it next.
  connection.on('error', () => undefined);
  return connection;
}

/** Clients that write through the load balancer until they are stopped, and everything that was acknowledged to them. */
export abstract class DatabaseClients {
  readonly acknowledged: string[] = [];
  protected readonly lab: Lab;
  /** Begins the id of every row. */
  protected readonly name: string;
  protected stopped = false;
  readonly #table: Table;
  /** What is acknowledged, for messages. */
  readonly #what: string;
  readonly #began = performance.now();
  /** Of acknowledgements, by this process's clock. */
  readonly #times: number[] = [];
  #clients: readonly Promise<void>[] = [];

  constructor(lab: Lab, name: string, table: Table, what: string) {
    this.lab = lab;
    this.name = name;
    this.#table = table;
    this.#what = what;
  }

  /** Starts the clients on their table; they are at work when this returns. */
  protected async startClients(clients: () => readonly Promise<void>[]): Promise<void> {
    const { database, name, columns } = this.#table;
    const connection = await connect(this.lab, this.lab.vip);
    await connection.query(`CREATE DATABASE IF NOT EXISTS ${database}`);
    await connection.query(`CREATE TABLE IF NOT EXISTS ${database}.${name} (${columns})`);
    await connection.end();
    this.#clients = clients();
    await this.reach(200);
  }

  protected acknowledge(id: string): void {
    this.acknowledged.push(id);
    this.#times.push(performance.now());
  }

  /** Waits for that many acknowledgements more. */
  async reach(more: number): Promise<void> {
    const goal = this.acknowledged.length + more;
    if (await waitFor(async () => this.acknowledged.length >= goal, 60_000, 20)) return;
    throw new LabError(`the database took ${this.acknowledged.length} ${this.#what}, not ${goal}, within a minute`);
  }

  async stop(): Promise<void> {
    this.stopped = true;
    await Promise.all(this.#clients);
  }

  /** The longest time in which nothing was acknowledged: how long, and when it began; in seconds. */
  longestPause(): { readonly seconds: number; readonly at: number } {
    return this.#times
      .map((time, i) => ({ from: this.#times[i - 1] ?? time, to: time }))
      .map(({ from, to }) => ({ seconds: (to - from) / 1000, at: (from - this.#began) / 1000 }))
      .reduce((longest, one) => (one.seconds > longest.seconds ? one : longest), { seconds: 0, at: 0 });
  }

  /** The ids of the rows that one acknowledged write has made. */
  protected abstract rowsOf(id: string): readonly string[];

  /** Acknowledged writes that a member does not have, or not all of, by member. */
  async lost(): Promise<Readonly<Record<string, number>>> {
    const counted = NODES.map(async ({ name, address }) => {
      const there = await this.#idsOn(address);
      const missing = this.acknowledged.filter((id) => !this.rowsOf(id).every((row) => there.has(row)));
      return [name, missing.length] as const;
    });
    return Object.fromEntries(await Promise.all(counted));
  }

  async #idsOn(address: string): Promise<ReadonlySet<string>> {
    const { database, name } = this.#table;
    const connection = await connect(this.lab, address);
    // Reads on this member wait until it has applied all that was committed before.
    await connection.query('SET SESSION wsrep_sync_wait = 1');
    const [rows] = await connection.query<RowDataPacket[]>(`SELECT id FROM ${database}.${name} WHERE id LIKE ?`, [
      `${this.name}-%`,
    ]);
    await connection.end();
    return new Set(rows.map((row) => String(row.id)));
  }

  async drop(): Promise<void> {
    const connection = await connect(this.lab, this.lab.vip);
    await connection.query(`DROP DATABASE IF EXISTS ${this.#table.database}`);
    await connection.end();
  }
}
