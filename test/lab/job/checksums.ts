import { createConnection, type RowDataPacket } from 'mysql2/promise';
import type { Lab } from '../raise.ts';
import { type NodeName, nodeByName } from '../settings.ts';
import { password } from './deploy-command.ts';

/** The server's own notes about its cluster and its statistics, which change with no statement of anybody. */
const ownNotes = /^mysql\.(?:wsrep_|innodb_(?:table|index)_stats$|gtid_slave_pos$)/;

/** `database.table` → CHECKSUM TABLE, of every base table of every database as a member has it. */
export async function checksums(lab: Lab, node: NodeName): Promise<ReadonlyMap<string, string>> {
  const credentials = { user: 'root', password: password(lab, 'database_password') };
  const connection = await createConnection({ host: nodeByName(node).address, port: 3306, ...credentials });
  try {
    const [tables] = await connection.query<RowDataPacket[]>(
      "SELECT CONCAT(TABLE_SCHEMA, '.', TABLE_NAME) AS name FROM information_schema.TABLES WHERE TABLE_TYPE = 'BASE TABLE' AND TABLE_SCHEMA NOT IN ('information_schema', 'performance_schema', 'sys') ORDER BY 1",
    );
    const names = tables.map(({ name }) => String(name)).filter((name) => !ownNotes.test(name));
    const quoted = names.map((name) => `\`${name.replace('.', '`.`')}\``);
    const [rows] = await connection.query<RowDataPacket[]>(`CHECKSUM TABLE ${quoted.join(', ')}`);
    return new Map(rows.map((row) => [String(row.Table), String(row.Checksum)]));
  } finally {
    await connection.end();
  }
}
