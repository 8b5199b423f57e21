import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { LabError } from '../command.ts';
import { nodeExec } from '../nodes.ts';
import type { Lab } from '../raise.ts';
import { nodeByName } from '../settings.ts';
import { password } from './deploy-command.ts';
import { magnumSchema } from './evidence.ts';
import { newMagnum } from './main-job.ts';

/** What the migration to the new release adds, as it is in its schema. */
const schema = { old: '7da8489d6a68', new: 'c0f832afc4fd' } as const;
const undo = `ALTER TABLE magnum.cluster_template DROP COLUMN IF EXISTS driver; UPDATE magnum.alembic_version SET version_num=\\"${schema.old}\\"`;

/**
 * Takes back what the migration to the new release added, so that the old one can be deployed again and the next
 * upgrade is a whole one. Magnum itself has no way back: its old migration program does not know the new schema.
 */
export async function undoMagnumMigration(lab: Lab): Promise<void> {
  if ((await magnumSchema(lab)) !== schema.new) return;
  const client = `docker exec -i mariadb sh -c 'MYSQL_PWD="$(cat)" mariadb -h ${nodeByName('node1').address} -u root -e "${undo}"'`;
  const undone = await nodeExec('node1', client, { input: password(lab, 'database_password') });
  if (undone.code !== 0) throw new LabError(`cannot undo the migration of Magnum: ${undone.stderr.trim()}`);
}

/** Whether the lab's own globals.yml asks for the old release. */
export function wantsOldMagnum(lab: Lab): boolean {
  const globals = readFileSync(join(lab.files.config, 'globals.yml'), 'utf8');
  return !globals.includes(`magnum_tag: ${newMagnum}`);
}
