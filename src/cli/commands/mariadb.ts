import { clusterProblems } from '../../core/galera/check.ts';
import { DeployError, type ExitCode, error, exitCode } from '../../core/model/diagnostic.ts';
import { didYouMean } from '../../core/model/suggest.ts';
import { galeraTable } from '../../report/galera-table.ts';
import { galeraJson } from '../../report/galera-text.ts';
import { keptNotices, readCluster, strangersOf, surveyCluster } from '../galera.ts';
import { changeOptions, type Invocation } from '../invocation.ts';
import { closeAll } from '../nodes.ts';

const actions = ['status', 'check', 'recover', 'backup', 'restore'] as const;

/** Commands of their own, as Kolla-Ansible has them. */
const aliases: Readonly<Record<string, (typeof actions)[number]>> = {
  'mariadb-recovery': 'recover',
  'mariadb-backup': 'backup',
};

/**
 * `status` shows what is known of each member; `check` says whether the cluster is whole (exit 0, else 1); `recover`
 * brings it back (exit 0 when it is whole afterwards, 4 when nothing may be done without the operator's word); `backup`
 * and `restore` take and put back all of its data.
 */
export async function run(invocation: Invocation): Promise<ExitCode> {
  const action = aliases[invocation.name] ?? knownAction(invocation.args[0] ?? '');
  if (action === 'recover') return (await import('../recover.ts')).recover(invocation);
  if (action === 'backup') return (await import('../backup.ts')).backup(invocation);
  if (action === 'restore') return (await import('../restore.ts')).restore(invocation);
  const { output } = invocation;
  const options = changeOptions(invocation.options);
  const survey = await surveyCluster(options, output);
  try {
    const members = await readCluster(survey);
    const strange = strangersOf(survey, members);
    const problems = [...clusterProblems(members), ...strange];
    if (output.json) output.data(galeraJson({ members, whole: problems.length === 0 }));
    else if (action === 'status') {
      const notes = [...strange.map(({ message }) => message), ...keptNotices(survey)];
      output.line([galeraTable(members, process.stdout.columns), ...notes].join('\n'));
    }
    if (action === 'status') return exitCode.ok;
    if (problems.length > 0) throw new DeployError(problems, exitCode.failed);
    if (!output.json) output.line(`all ${members.length} members are Synced in one Primary component`);
    return exitCode.ok;
  } finally {
    await closeAll(survey.nodes);
  }
}

function knownAction(name: string): (typeof actions)[number] {
  const action = actions.find((candidate) => candidate === name);
  if (action !== undefined) return action;
  const hint = didYouMean(name, actions) ?? `deploy mariadb ${actions.join(', deploy mariadb ')}`;
  throw new DeployError(
    [error('unknown-action', `mariadb: there is no ${name || 'action'}`, { hint })],
    exitCode.badInput,
  );
}
