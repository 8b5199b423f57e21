import type { JournalEntry, JournalHead } from '../core/model/journal.ts';
import type { LockHolder } from '../core/model/lock.ts';
import type { HostName } from '../core/model/node.ts';
import type { Plan, Step } from '../core/plan/steps.ts';
import { secretsOnCommandLine } from '../core/site/extra-vars.ts';
import { openJournal, stateDirectory } from '../edge/store/journal.ts';
import { makeRedactor } from '../report/redact.ts';
import { stepText } from '../report/step-text.ts';
import type { RunEvent } from '../run/run.ts';
import type { ChangeOptions } from './options.ts';
import type { Survey } from './survey.ts';

export interface RunJournal {
  /** Throws DeployError before a step begins that could not be noted; later entries that fail are dropped. */
  event(event: RunEvent): void;
  /** What happened to the run as a whole. */
  note(text: string): void;
  /** The run was stopped because of these hosts. */
  tooManyFailed(hosts: readonly HostName[]): void;
  /** Only the first call counts. */
  end(exit: number): void;
}

/** Begins the journal of a run in the user's state directory. Throws DeployError when there is no place for it. */
export function beginJournal(plan: Plan, survey: Survey, holder: LockHolder, options: ChangeOptions): RunJournal {
  const writer = openJournal(stateDirectory(), holder.run, makeRedactor(survey.loaded.site.secretValues()));
  const started = performance.now();
  const at = () => Math.round(performance.now() - started);
  writer.write(headOf(plan, survey, holder, options));
  const write = (entry: JournalEntry): void => {
    try {
      writer.write(entry);
    } catch (cause) {
      if (entry.event === 'started') throw cause;
    }
  };
  const count = counting(plan);
  let tooManyFailed: string[] | undefined;
  let ended = false;
  return {
    event: (event) => {
      count.event(event);
      const entry = entryOf(event, at());
      if (entry !== undefined) write(entry);
    },
    note: (text) => write({ event: 'note', at: at(), text }),
    tooManyFailed: (hosts) => {
      tooManyFailed = [...hosts];
    },
    end: (exit) => {
      if (ended) return;
      ended = true;
      write({ event: 'end', at: at(), exit, ...count.result(), tooManyFailed });
      writer.close();
    },
  };
}

function headOf(plan: Plan, survey: Survey, holder: LockHolder, options: ChangeOptions): JournalHead {
  const { user, from, pid, verb, run } = holder;
  return {
    event: 'run',
    format: 1,
    run,
    verb,
    ...shownArguments(survey, holder, options),
    user,
    from,
    pid,
    site: plan.site,
    startedAt: new Date().toISOString(),
    hosts: [...new Set(plan.steps.map((step) => step.host))],
    steps: plan.steps.length,
    skipped: survey.skipped?.map(({ host, why }) => ({ host, why })) ?? [],
  };
}

/** The command line to keep: as it was typed, unless `-e` gives a secret. */
export function shownArguments({ loaded }: Survey, holder: LockHolder, { extraVars, argv }: ChangeOptions) {
  const secret = extraVars.some((argument) => secretsOnCommandLine(argument, loaded.site).length > 0);
  if (argv !== undefined && !secret) return { argv: [...argv], repeatable: true };
  return { argv: holder.command.split(' ').slice(1), repeatable: false };
}

/** How far the plan has come. Steps of ways back are not its own. */
function counting(plan: Plan) {
  const open = new Set(plan.steps.map((step) => step.id));
  let done = 0;
  let failed = 0;
  return {
    event: ({ event, step }: RunEvent) => {
      if ((event !== 'done' && event !== 'failed') || !open.delete(step.id)) return;
      if (event === 'done') done += 1;
      else failed += 1;
    },
    result: () => ({ done, failed, left: open.size }),
  };
}

function entryOf(event: RunEvent, at: number): JournalEntry | undefined {
  const { step } = event;
  switch (event.event) {
    case 'started':
      return { event: 'started', ...named(step), at, reason: step.reason };
    case 'done':
      return { event: 'done', id: step.id, at, ms: Math.round(event.ms), ...(event.note ? { note: event.note } : {}) };
    case 'failed': {
      const problems = event.diagnostics.map(({ message, host, hint }) => ({ message, host, hint }));
      return { event: 'failed', id: step.id, at, problems };
    }
    case 'skipped':
      return { event: 'skipped', ...named(step), at, because: event.because };
    case 'progress':
      // A pull says more than anybody wants to read again.
      return step.kind === 'pull' ? undefined : { event: 'progress', id: step.id, at, line: event.line };
    default:
      return { event: 'note', at, text: `${step.host}: ${event.event} ${event.way.container}` };
  }
}

function named(step: Step) {
  const { id, host, service, kind } = step;
  return { id, host, service, kind, text: stepText(step) };
}
