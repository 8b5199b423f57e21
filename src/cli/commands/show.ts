import { DeployError, type ExitCode, error, exitCode } from '../../core/model/diagnostic.ts';
import type { Journal } from '../../core/model/journal.ts';
import { didYouMean } from '../../core/model/suggest.ts';
import { listRuns, readRun, stateDirectory } from '../../edge/store/journal.ts';
import { runText } from '../../report/history-text.ts';
import type { Invocation } from '../invocation.ts';

/** What one run did, from its journal. */
export async function run({ args, output }: Invocation): Promise<ExitCode> {
  const journal = await journalOf(args[0]);
  if (output.json) for (const entry of [journal.head, ...journal.entries]) output.data(entry);
  else output.line([runText(journal), ...(await breakings(journal.head.run))].join('\n'));
  return exitCode.ok;
}

/** Who broke the lock of a run, from here: that is journaled later than the run. */
async function breakings(run: string): Promise<string[]> {
  const directory = stateDirectory();
  const later = (await listRuns(directory)).filter((name) => name > run);
  const heads = (await Promise.all(later.map((name) => readRun(directory, name)))).flatMap((one) => one?.head ?? []);
  return heads
    .filter(({ broke }) => broke === run)
    .map(({ user, from, startedAt, hosts, run: by }) => {
      const where = hosts.join(', ');
      return `its lock was broken on ${where} by ${user}@${from} at ${startedAt} (deploy show ${by})`;
    });
}

/** The journal of a run, or of the last one. Throws DeployError (exit 3) when there is none. */
export async function journalOf(wanted: string | undefined): Promise<Journal> {
  const directory = stateDirectory();
  const names = await listRuns(directory);
  const name = wanted ?? names[0];
  const journal = name === undefined ? undefined : await readRun(directory, name);
  if (journal !== undefined) return journal;
  const message = name === undefined ? 'no run has been journaled here' : `there is no journal of a run ${name}`;
  const hint = (name && didYouMean(name, names)) ?? `deploy history lists those in ${directory}`;
  throw new DeployError([error('unknown-run', message, { hint })], exitCode.badInput);
}
