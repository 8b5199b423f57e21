import { DeployError, type ExitCode, error, exitCode } from '../../core/model/diagnostic.ts';
import type { Journal } from '../../core/model/journal.ts';
import { listRuns, readRun, stateDirectory } from '../../edge/store/journal.ts';
import { outcomeOf } from '../../report/history-text.ts';
import type { Invocation } from '../invocation.ts';
import { journalOf } from './show.ts';

/** The same verb and options again: what is left is what the nodes do not yet have. */
export async function run(invocation: Invocation): Promise<ExitCode> {
  const { output } = invocation;
  const journal = await lastRun(invocation.args[0]);
  const { head } = journal;
  if (!head.repeatable) {
    const message = `run ${head.run} was given a secret with -e, which the journal does not keep`;
    const hint = `give it again: deploy ${head.argv.join(' ')}`;
    throw new DeployError([error('not-repeatable', message, { hint })], exitCode.badInput);
  }
  output.note(`run ${head.run} (${outcomeOf(journal)}): deploy ${head.argv.join(' ')}`);
  const yes = invocation.options.yes === true && !head.argv.includes('--yes') && !head.argv.includes('-y');
  return invocation.again([...head.argv, ...(yes ? ['--yes'] : [])]);
}

/** The breaking of a lock is journaled too, and is nothing to go on with: it was done to go on with another run. */
async function lastRun(wanted: string | undefined): Promise<Journal> {
  const journal = await journalOf(wanted);
  if (journal.head.broke === undefined) return journal;
  if (wanted !== undefined) {
    const message = `${wanted} is no run, but the breaking of the lock of run ${journal.head.broke}`;
    throw new DeployError([error('no-run', message, { hint: 'deploy history lists the runs' })], exitCode.badInput);
  }
  const directory = stateDirectory();
  for (const name of await listRuns(directory)) {
    const earlier = await readRun(directory, name);
    if (earlier !== undefined && earlier.head.broke === undefined) return earlier;
  }
  throw new DeployError([error('unknown-run', 'no run has been journaled here')], exitCode.badInput);
}
