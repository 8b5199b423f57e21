import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Backup } from '../core/mariadb-backup/backup.ts';
import { newBackupId } from '../core/mariadb-backup/backup.ts';
import { planBackup } from '../core/mariadb-backup/backup-plan.ts';
import { chainOf, newestGoodBackup } from '../core/mariadb-backup/chains.ts';
import type { BackupSettings } from '../core/mariadb-backup/tool.ts';
import { DeployError, type ExitCode, error, exitCode } from '../core/model/diagnostic.ts';
import { Secret } from '../core/model/secret.ts';
import { withHooks } from '../core/plan/hooks.ts';
import { backupsJson, backupsText } from '../report/backup-text.ts';
import { carryOut, confirmed, showPlan } from './carry-out.ts';
import { groupHosts, readCluster, recoveryMembers, surveyCluster } from './galera.ts';
import { changeOptions, type Invocation } from './invocation.ts';
import { holderOf, newRunId } from './lock.ts';
import { closeAll, mergedError } from './nodes.ts';
import type { Output } from './output.ts';
import { unwrap } from './site.ts';
import type { Survey } from './survey.ts';

/** Takes a backup of the database, or lists those there are. */
export async function backup(invocation: Invocation): Promise<ExitCode> {
  const { options: raw, output, argv } = invocation;
  const options = { ...changeOptions(raw), argv };
  const fetchTo = typeof raw.fetch === 'string' ? raw.fetch : undefined;
  const incremental = raw.incremental === true;
  if (incremental && raw.full === true)
    throw new DeployError(
      [error('full-and-incremental', '--full and --incremental exclude each other')],
      exitCode.badInput,
    );
  if (raw.list === true) return list(invocation, fetchTo);
  const run = newRunId();
  const survey = await surveyCluster(options, output, holderOf(run, 'mariadb backup', argv));
  try {
    const settings = await backupSettings(survey);
    const evidence = await readCluster(survey);
    const backups = await readAllBackups(survey, output);
    const members = await recoveryMembers(survey, evidence, output);
    const id = newBackupId(backups, run);
    const planned = planBackup({ settings, evidence, members, backups, incremental, id });
    const plan = withHooks(unwrap(planned, output, exitCode.nodeNotUsable), survey.hooks, new Map());
    showPlan(plan, output);
    if (!(await confirmed(options, 'Carry this out?'))) return exitCode.ok;
    let after: readonly Backup[] = [];
    const exit = await carryOut(plan, survey, options, output, async () => {
      after = await readAllBackups(survey, output);
      if (!after.some((one) => one.id === id))
        throw new DeployError([error('no-backup', `${id} is not among the good backups`)], exitCode.failed);
      if (!output.json) output.line(backupsText(after));
    });
    const made = after.find((one) => one.id === id);
    if (exit === exitCode.ok && fetchTo !== undefined && made) await fetched(survey, after, made, fetchTo, output);
    return exit;
  } finally {
    await closeAll(survey.nodes);
  }
}

/** Changes nothing, and locks nothing. */
async function list({ options: raw, output }: Invocation, fetchTo: string | undefined): Promise<ExitCode> {
  const survey = await surveyCluster(changeOptions(raw), output);
  try {
    return await listBackups(survey, output, fetchTo);
  } finally {
    await closeAll(survey.nodes);
  }
}

/** Prints what there is, and fetches the newest to the directory `fetchTo`. Throws DeployError when there is none. */
export async function listBackups(survey: Survey, output: Output, fetchTo?: string): Promise<ExitCode> {
  const backups = await readAllBackups(survey, output);
  if (output.json) output.data({ backups: backupsJson(backups) });
  else output.line(backupsText(backups));
  if (fetchTo === undefined) return exitCode.ok;
  const newest = newestGoodBackup(backups);
  if (newest === undefined)
    throw new DeployError([error('no-backup', 'there is no good backup to fetch')], exitCode.failed);
  await fetched(survey, backups, newest, fetchTo, output);
  return exitCode.ok;
}

/** Good backups on all hosts of the group that can be reached. What cannot be read is told. */
export async function readAllBackups(survey: Survey, output: Output): Promise<readonly Backup[]> {
  const { readBackups } = await import('../edge/mariadb/backups.ts');
  const volume = volumeOf(survey);
  const results = await Promise.allSettled(
    groupHosts(survey).map(async (host) => {
      const node = survey.nodes.get(host);
      return node === undefined ? undefined : readBackups(node, volume);
    }),
  );
  const failures = results.flatMap((result) => (result.status === 'rejected' ? [result.reason as unknown] : []));
  if (failures.length > 0) throw mergedError(failures);
  const found = results.flatMap((result) => (result.status === 'fulfilled' ? (result.value ?? []) : []));
  output.diagnostics(found.flatMap(({ problems }) => problems));
  return found.flatMap(({ backups }) => backups);
}

function volumeOf(survey: Survey): string {
  return String(scopeOf(survey).get('mariadb_backup_volume'));
}

function scopeOf(survey: Survey) {
  return survey.loaded.site.scope(groupHosts(survey)[0] ?? '');
}

/** What the operator has set, and the program of the service that takes backups. */
export async function backupSettings(survey: Survey): Promise<BackupSettings> {
  const scope = scopeOf(survey);
  const keep = Number(scope.get('mariadb_backup_keep'));
  if (!Number.isInteger(keep) || keep < 1) {
    const message = `mariadb_backup_keep is ${String(scope.get('mariadb_backup_keep'))}`;
    throw new DeployError([error('bad-keep', message, { hint: 'a whole number from 1 on' })], exitCode.badInput);
  }
  const directory = survey.loaded.services.find(({ definition }) => definition.service === 'mariadb')?.directory ?? '';
  return {
    site: survey.desired.site,
    volume: volumeOf(survey),
    user: String(scope.get('mariadb_backup_database_user')),
    password: new Secret(backupPassword(survey)),
    keep,
    script: await readFile(join(directory, 'backup', 'backup.sh'), 'utf8'),
  };
}

function backupPassword(survey: Survey): string {
  const name = 'mariadb_backup_database_password';
  const found = scopeOf(survey).get(name);
  if (typeof found === 'string' && found !== '') return found;
  const hint = 'deploy genpwd gives it a value';
  throw new DeployError([error('no-password', `passwords.yml has no ${name}`, { hint })], exitCode.badInput);
}

/** A backup here, with all it is based on: only together can they be restored. */
async function fetched(
  survey: Survey,
  backups: readonly Backup[],
  backup: Backup,
  directory: string,
  output: Output,
): Promise<void> {
  const { fetchBackups } = await import('../edge/mariadb/backup-copies.ts');
  const node = survey.nodes.get(backup.host);
  const chain = chainOf(backups, backup);
  if (node === undefined || chain === undefined) return;
  const ids = chain.map(({ id }) => id);
  await fetchBackups(node, volumeOf(survey), ids, directory);
  output.note(
    `${ids.join(', ')} of ${backup.host} ${ids.length === 1 ? 'is' : 'are'} in ${directory}, checksums right`,
  );
}
