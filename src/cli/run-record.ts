import { type ExitCode, warning } from '../core/model/diagnostic.ts';
import type { HostName } from '../core/model/node.ts';
import type { RunLogEntry } from '../core/model/run-log.ts';
import type { Plan } from '../core/plan/steps.ts';
import { touchedHosts } from '../core/plan/touched.ts';
import type { OpenNode } from '../edge/node/node.ts';
import { outcomeName } from '../report/history-text.ts';
import { makeRedactor } from '../report/redact.ts';
import type { RunEvent } from '../run/run.ts';
import { beginJournal, shownArguments } from './journal.ts';
import type { ChangeOptions } from './options.ts';
import type { Output } from './output.ts';
import type { Survey } from './survey.ts';
import { toolVersion } from './version.ts';

/** What is kept of a run: its journal here, and a line on each node it touches. */
export interface RunRecord {
  /** The command that goes on where this run stopped. */
  readonly again: string;
  /** Throws DeployError before a step begins that could not be noted. */
  event(event: RunEvent): void;
  note(text: string): void;
  tooManyFailed(hosts: readonly HostName[]): void;
  /** Before the first change. */
  onNodes(): Promise<void>;
  end(exit: ExitCode): Promise<void>;
}

const none: RunRecord = {
  again: 'the same command',
  event: () => undefined,
  note: () => undefined,
  tooManyFailed: () => undefined,
  onNodes: async () => undefined,
  end: async () => undefined,
};

/** Throws DeployError when there is no place for a journal: then nothing has been done. */
export function beginRecord(plan: Plan, survey: Survey, options: ChangeOptions, output: Output): RunRecord {
  const { holder } = survey;
  if (holder === undefined) return none;
  const journal = beginJournal(plan, survey, holder, options);
  // Whatever ends this process but SIGKILL: a second signal, or a bug.
  const onExit = (code: number) => journal.end(code);
  process.once('exit', onExit);
  const { run, verb, user, from, pid } = holder;
  const redact = makeRedactor(survey.loaded.site.secretValues());
  const { argv, repeatable } = shownArguments(survey, holder, options);
  const command = redact(['deploy', ...argv].join(' '));
  let noted: readonly OpenNode[] = [];
  return {
    again: repeatable ? `deploy resume ${run}` : none.again,
    event: (event) => journal.event(event),
    note: (text) => journal.note(text),
    tooManyFailed: (hosts) => journal.tooManyFailed(hosts),
    onNodes: async () => {
      const nodes = touchedHosts(plan).flatMap((host) => survey.nodes.get(host) ?? []);
      noted = await logOn(
        nodes,
        { event: 'start', run, verb, command, user, from, pid, version: toolVersion() },
        output,
      );
    },
    end: async (exit) => {
      journal.end(exit);
      process.off('exit', onExit);
      await logOn(noted, { event: 'end', run, outcome: outcomeName(exit), exit }, output);
    },
  };
}

/** The nodes that have it now. One that has not is warned of and used all the same: the log is only a record. */
async function logOn(nodes: readonly OpenNode[], entry: RunLogEntry, output: Output): Promise<OpenNode[]> {
  const written = await Promise.all(nodes.map((node) => node.logRun(entry)));
  const lost = nodes.filter((_, i) => written[i] !== true).map((node): HostName => node.host);
  const what = entry.event === 'start' ? 'that this run has begun' : 'how this run ended';
  output.diagnostics(lost.map((host) => warning('run-log', `its log of runs does not say ${what}`, { host })));
  return nodes.filter((_, i) => written[i] === true);
}
