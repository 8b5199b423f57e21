import { clusterProblems } from '../core/galera/check.ts';
import type { MemberEvidence, SeenMember } from '../core/galera/evidence.ts';
import { type Backup, parseBackups } from '../core/mariadb-backup/backup.ts';
import { chainOf, findBackup, restorable } from '../core/mariadb-backup/chains.ts';
import {
  planForget,
  planRestore,
  progressOf,
  type RestoreInput,
  restoreMarkerKey,
} from '../core/mariadb-backup/restore-plan.ts';
import { DeployError, type ExitCode, error, exitCode } from '../core/model/diagnostic.ts';
import { didYouMean } from '../core/model/suggest.ts';
import { withHooks } from '../core/plan/hooks.ts';
import type { Plan } from '../core/plan/steps.ts';
import { backupsText } from '../report/backup-text.ts';
import { galeraTable } from '../report/galera-table.ts';
import { backupSettings, readAllBackups } from './backup.ts';
import { carryOut, confirmed, showPlan } from './carry-out.ts';
import { groupHosts, readCluster, recoveryMembers, surveyCluster } from './galera.ts';
import { changeOptions, type Invocation } from './invocation.ts';
import { holderOf, newRunId } from './lock.ts';
import { closeAll, observeAll } from './nodes.ts';
import type { ChangeOptions } from './options.ts';
import type { Output } from './output.ts';
import type { Survey } from './survey.ts';

/**
 * All members get the data of a backup. After an interruption the same command goes on; from the moment a server runs
 * on the restored data, that is a recovery of the cluster it has begun.
 */
export async function restore(invocation: Invocation): Promise<ExitCode> {
  const { options: raw, output, argv } = invocation;
  const options = { ...changeOptions(raw), argv };
  const first = await withSurvey(options, output, async (survey) => {
    const input = await restoreInput(survey, raw, output);
    const progress = progressOf(input);
    if (progress !== 'formed') return carryOutPlan(planRestore(input, progress), input, survey, invocation, options);
    const [who, id] = [input.backup.host, input.backup.id];
    output.note(`an interrupted restore of ${id} has formed a cluster on ${who}: what is left is to make it whole`);
    return groupHosts(survey).filter((host) => host !== who);
  });
  if (!Array.isArray(first)) return first;
  return finish(invocation, first, options);
}

/** The first server has run: its commits are like any others, and `recover` knows how to keep them. */
async function finish(invocation: Invocation, others: readonly string[], options: ChangeOptions): Promise<ExitCode> {
  const { output } = invocation;
  requireAcceptance(invocation.options);
  const { recover } = await import('./recover.ts');
  const exit = await recover({ ...invocation, options: { ...invocation.options, without: others, again: true } });
  if (exit !== exitCode.ok) return exit;
  return withSurvey(options, output, async (survey) => {
    const members = await recoveryMembers(survey, await readCluster(survey), output);
    output.note('the interrupted restore is over; called once more, this command restores anew');
    const plan = planForget(await backupSettings(survey), members);
    return plan.steps.length === 0 ? exitCode.ok : carryOut(plan, survey, options, output);
  });
}

async function withSurvey<T>(options: ChangeOptions, output: Output, work: (survey: Survey) => Promise<T>): Promise<T> {
  const survey = await surveyCluster(options, output, holderOf(newRunId(), 'mariadb restore', options.argv ?? []));
  try {
    return await work(survey);
  } finally {
    await closeAll(survey.nodes);
  }
}

/** With all the backup is based on, the full one first. */
interface Restoring extends RestoreInput {
  readonly chain: readonly Backup[];
}

async function restoreInput(survey: Survey, raw: Invocation['options'], output: Output): Promise<Restoring> {
  const evidence = await readCluster(survey);
  const seen = allSeen(evidence);
  const directory = typeof raw.fromDir === 'string' ? raw.fromDir : undefined;
  const backups = await (directory === undefined ? readAllBackups(survey, output) : fetchedBackups(survey, directory));
  const backup = chosen(backups, String(raw.backup ?? 'latest'));
  const members = await recoveryMembers(survey, evidence, output);
  const chain = chainOf(backups, backup) ?? [];
  if (!output.json) output.line(`${galeraTable(evidence, process.stdout.columns)}\n\n${backupsText(chain)}\n`);
  const balancers = survey.desired.balancers.filter(({ host, container }) =>
    survey.observed.get(host)?.containers.some((one) => one.name === container && one.state === 'running'),
  );
  const settings = await backupSettings(survey);
  return {
    settings,
    desired: survey.desired,
    evidence: seen,
    members,
    groupHosts: groupHosts(survey),
    balancers,
    backup,
    chain,
  };
}

/** As if they lay on the last member already; they are copied there once that is confirmed. */
async function fetchedBackups(survey: Survey, directory: string): Promise<readonly Backup[]> {
  const { readFetched } = await import('../edge/mariadb/backup-copies.ts');
  return parseBackups(groupHosts(survey).at(-1) ?? '', await readFetched(directory)).backups;
}

/** Nothing to do for what lies on the node already. */
async function send(survey: Survey, { backup, chain, settings }: Restoring, directory: string, output: Output) {
  const node = survey.nodes.get(backup.host);
  if (node === undefined) return;
  const { sendBackups } = await import('../edge/mariadb/backup-copies.ts');
  const ids = chain.map(({ id }) => id);
  await sendBackups(node, settings.volume, ids, directory);
  output.note(
    `${ids.join(', ')} of ${directory} ${ids.length === 1 ? 'lies' : 'lie'} on ${backup.host}, checksums right`,
  );
}

/** A member that is not seen may serve its old data, and join with it later. */
function allSeen(evidence: readonly MemberEvidence[]): SeenMember[] {
  const unseen = evidence.filter((member) => member.kind === 'unreachable');
  if (unseen.length === 0) return evidence.filter((member) => member.kind === 'seen');
  const hint = 'a restore replaces the data of every member: bring it back, or take it out of the group mariadb, first';
  throw new DeployError(
    unseen.map(({ host, why }) => error('member-unreachable', `cannot be reached: ${why}`, { host, hint })),
    exitCode.nodeNotUsable,
  );
}

function chosen(backups: readonly Backup[], asked: string): Backup {
  const found = findBackup(backups, asked);
  if (found !== undefined) return found;
  const ids = restorable(backups).map(({ id }) => id);
  if (asked === 'latest') {
    const hint = 'deploy mariadb backup --list shows what is there';
    throw new DeployError(
      [error('no-backup', 'no member has a backup that can be restored', { hint })],
      exitCode.nodeNotUsable,
    );
  }
  const hint = didYouMean(asked, ids) ?? `those that can be restored: ${ids.join(', ') || 'none'}`;
  throw new DeployError([error('unknown-backup', `there is no backup ${asked}`, { hint })], exitCode.badInput);
}

async function carryOutPlan(
  bare: Plan,
  input: Restoring,
  survey: Survey,
  { options: raw, output }: Invocation,
  options: ChangeOptions,
): Promise<ExitCode> {
  const left = input.members.flatMap(({ node }) => node.markers[restoreMarkerKey] ?? []);
  const resumed = left.length > 0 ? [`goes on with an interrupted restore (${left.join(', ')})`] : [];
  const from = typeof raw.fromDir === 'string' ? raw.fromDir : undefined;
  const sent =
    from === undefined ? [] : [`${input.chain.length} backups are copied from ${from} to ${input.backup.host} first`];
  const notices = [...resumed, ...sent, ...bare.notices];
  const plan = withHooks({ ...bare, notices }, survey.hooks, new Map());
  showPlan(plan, output);
  requireAcceptance(raw);
  if (!(await confirmed(options, 'Replace ALL data of the database? There is no way back.'))) return exitCode.ok;
  if (from !== undefined) await send(survey, input, from, output);
  return carryOut(plan, survey, options, output, async () => {
    const observed = await observeAll(survey.nodes, {});
    const problems = clusterProblems(await readCluster({ ...survey, observed }));
    if (problems.length > 0) throw new DeployError(problems, exitCode.failed);
  });
}

function requireAcceptance(raw: Invocation['options']): void {
  if (raw.acceptLoss === true) return;
  const hint = 'add --accept-loss if that is what you want';
  const message = 'a restore replaces all data of the database; what was committed after the backup is lost';
  throw new DeployError([error('accept-loss', message, { hint })], exitCode.nodeNotUsable);
}
