import { LabError, lastLines } from '../command.ts';
import { nodeExec } from '../nodes.ts';
import type { Lab } from '../raise.ts';
import { deploy, inContainer, password } from './deploy-command.ts';

const copy = '/root/lab-databases.sql';
/** The password comes through the standard input: arguments are visible to everybody. */
const asRoot = 'read -r MYSQL_PWD; export MYSQL_PWD';

/** Databases and accounts, as statements, in a file on the first node. */
export async function copyDatabases(lab: Lab): Promise<void> {
  const names = (await inContainer('node1', 'mariadb', 'ls -d /var/lib/mysql/*/'))
    .split('\n')
    .map((path) => path.split('/').at(-2) ?? '')
    .filter((name) => /^[a-z_]+$/.test(name) && !['mysql', 'performance_schema', 'sys'].includes(name));
  const options = '--single-transaction --add-drop-database --skip-lock-tables';
  const dump = [
    `mariadb-dump -u root ${options} --databases ${names.join(' ')}`,
    'mariadb-dump -u root --system=users --insert-ignore',
  ];
  await onNode1(lab, `docker exec -i mariadb sh -c '${asRoot}; ${dump.join(' && ')}' >${copy}`);
}

/** The database as it was copied, in a new cluster: what a newer version has written no older one can use. */
export async function bringDatabasesBack(lab: Lab): Promise<void> {
  await must(lab, 'destroy', '--tags', 'mariadb', '--yes-i-really-really-mean-it');
  await must(lab, 'deploy', '--tags', 'mariadb', '--yes');
  await onNode1(lab, `{ cat; cat ${copy}; } | docker exec -i mariadb sh -c '${asRoot}; mariadb -u root'`);
  // Registrations and migrations are noted with the data that is gone.
  await must(lab, 'deploy', '--yes');
  await nodeExec('node1', `rm -f ${copy}`);
}

async function onNode1(lab: Lab, command: string): Promise<void> {
  const ran = await nodeExec('node1', command, { input: `${password(lab, 'database_password')}\n` });
  if (ran.code !== 0) throw new LabError(`node1: ${lastLines(ran.stderr, 8)}`);
}

async function must(lab: Lab, ...args: string[]): Promise<void> {
  const ran = await deploy(lab, args);
  if (ran.code === 0) return;
  throw new LabError(
    `${ran.command} ended with ${ran.code}:\n${lastLines(ran.stdout, 20)}\n${lastLines(ran.stderr, 20)}`,
  );
}
