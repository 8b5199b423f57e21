import { type Connection, createConnection, type RowDataPacket } from 'mysql2/promise';
import { LabError, sleep, waitFor } from '../command.ts';
import type { Lab } from '../raise.ts';
import { NODES } from '../settings.ts';
import { password } from './deploy-command.ts';

const database = 'lab_commits';
/** An insert that takes longer than this is given up; what became of it nobody knows. */
const insertMs = 5_000;

/** Where clients connect to the database: the virtual address, or a member past the load balancer. */
export async function connect(lab: Lab, host: string): Promise<Connection> {
  const credentials = { user: 'root', password: password(lab, 'database_password') };
  const connection = await createConnection({ host, port: 3306, ...credentials, connectTimeout: 3_000 });
  // A connection that breaks says so to whoever uses it next.
  connection.on('error', () => undefined);
  return connection;
}

/** Clients that insert through the load balancer as fast as they can, and remember every commit that was acknowledged. */
export class Commits {
  readonly acknowledged: string[] = [];
  /** Times of acknowledgements, by this process's clock. */
  readonly #times: number[] = [];
  readonly #lab: Lab;
  readonly #name: string;
  #stopped = false;
  #writers: Promise<void>[] = [];

  constructor(lab: Lab, name: string) {
    this.#lab = lab;
    this.#name = name;
  }

  async start(writers = 4): Promise<void> {
    const connection = await connect(this.#lab, this.#lab.vip);
    await connection.query(`CREATE DATABASE IF NOT EXISTS ${database}`);
    await connection.query(`CREATE TABLE IF NOT EXISTS ${database}.commits (id VARCHAR(64) PRIMARY KEY)`);
    await connection.end();
    this.#writers = Array.from({ length: writers }, (_, writer) => this.#write(writer));
    await this.reach(200);
  }

  /** Waits for that many commits more. */
  async reach(more: number): Promise<void> {
    const goal = this.acknowledged.length + more;
    if (await waitFor(async () => this.acknowledged.length >= goal, 60_000, 20)) return;
    throw new LabError(`the database took ${this.acknowledged.length} commits, not ${goal}, within a minute`);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#writers);
  }

  /** Seconds of the longest time in which nothing was acknowledged. */
  longestPause(): number {
    const gaps = this.#times.map((time, i) => time - (this.#times[i - 1] ?? time));
    return gaps.reduce((longest, gap) => Math.max(longest, gap), 0) / 1000;
  }

  /** Acknowledged commits that a member does not have, by member. */
  async lost(): Promise<Readonly<Record<string, number>>> {
    const counted = NODES.map(async ({ name, address }) => {
      const connection = await connect(this.#lab, address);
      // Reads on this member wait until it has applied all that was committed before.
      await connection.query('SET SESSION wsrep_sync_wait = 1');
      const [rows] = await connection.query<RowDataPacket[]>(`SELECT id FROM ${database}.commits WHERE id LIKE ?`, [
        `${this.#name}-%`,
      ]);
      await connection.end();
      const there = new Set(rows.map((row) => String(row.id)));
      return [name, this.acknowledged.filter((id) => !there.has(id)).length] as const;
    });
    return Object.fromEntries(await Promise.all(counted));
  }

  async #write(writer: number): Promise<void> {
    let connection: Connection | undefined;
    for (let number = 0; !this.#stopped; number++) {
      const id = `${this.#name}-${writer}-${number}`;
      try {
        connection ??= await connect(this.#lab, this.#lab.vip);
        await connection.query({ sql: `INSERT INTO ${database}.commits VALUES (?)`, values: [id], timeout: insertMs });
        this.acknowledged.push(id);
        this.#times.push(performance.now());
      } catch {
        connection?.destroy();
        connection = undefined;
        await sleep(100);
      }
    }
    connection?.destroy();
  }
}
