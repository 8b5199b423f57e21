import { DeployError, type ExitCode, error, exitCode } from '../../core/model/diagnostic.ts';
import { outcomeOf } from '../../report/history-text.ts';
import type { Invocation } from '../invocation.ts';
import { journalOf } from './show.ts';

/** The same verb and options again: what is left is what the nodes do not yet have. */
export async function run(invocation: Invocation): Promise<ExitCode> {
  const { output } = invocation;
  const journal = await journalOf(invocation.args[0]);
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
