import { type ExitCode, exitCode } from '../../core/model/diagnostic.ts';
import { listRuns, readRun, stateDirectory } from '../../edge/store/journal.ts';
import { historyText, outcomeOf } from '../../report/history-text.ts';
import type { Invocation } from '../invocation.ts';

/** Runs shown unless told otherwise. */
const shown = 20;

/** The runs this user made from this machine, the latest first. */
export async function run({ options, output }: Invocation): Promise<ExitCode> {
  const directory = stateDirectory();
  const names = (await listRuns(directory)).slice(0, Number(options.last ?? shown));
  const journals = (await Promise.all(names.map((name) => readRun(directory, name)))).flatMap((one) => one ?? []);
  if (output.json) {
    for (const journal of journals) output.data({ ...journal.head, outcome: outcomeOf(journal), end: journal.end });
  } else output.line(historyText(journals));
  return exitCode.ok;
}
