import type { Connection } from 'mysql2/promise';
import { sleep } from '../command.ts';
import type { Lab } from '../raise.ts';
import { connect, DatabaseClients, statementMs } from './database-clients.ts';

const table = { database: 'lab_commits', name: 'commits', columns: 'id VARCHAR(64) PRIMARY KEY' };

/** Clients that insert through the load balancer as fast as they can, and remember every commit that was acknowledged. */
export class Commits extends DatabaseClients {
  constructor(lab: Lab, name: string) {
    super(lab, name, table, 'commits');
  }

  async start(writers = 4): Promise<void> {
    await this.startClients(() => Array.from({ length: writers }, (_, writer) => this.#write(writer)));
  }

  protected rowsOf(id: string): readonly string[] {
    return [id];
  }

  async #write(writer: number): Promise<void> {
    const sql = `INSERT INTO ${table.database}.${table.name} VALUES (?)`;
    let connection: Connection | undefined;
    for (let number = 0; !this.stopped; number++) {
      const id = `${this.name}-${writer}-${number}`;
      try {
        connection ??= await connect(this.lab, this.lab.vip);
        await connection.query({ sql, values: [id], timeout: statementMs });
        this.acknowledge(id);
      } catch {
        connection?.destroy();
        connection = undefined;
        await sleep(100);
      }
    }
    connection?.destroy();
  }
}
