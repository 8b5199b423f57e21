import type { ExitCode } from '../core/model/diagnostic.ts';
import type { JournalEntry } from '../core/model/journal.ts';
import type { LockHolder } from '../core/model/lock.ts';
import type { Plan, Step } from '../core/plan/steps.ts';
import { secretsOnCommandLine } from '../core/site/extra-vars.ts';
import { openJournal, stateDirectory } from '../edge/store/journal.ts';
import { makeRedactor } from '../report/redact.ts';
import { stepText } from '../report/step-text.ts';
import type { RunEvent, RunResult } from '../run/run.ts';
import type { ChangeOptions } from './options.ts';
import type { Survey } from './survey.ts';

export interface RunJournal {
  /** Throws DeployError before a step begins that could not be noted; later entries that fail are dropped. */
  event(event: RunEvent): void;
  end(result: RunResult, exit: ExitCode): void;
}

/** Begins the journal of a run in the user's state directory. Throws DeployError when there is no place for it. */
export function beginJournal(plan: Plan, survey: Survey, holder: LockHolder, options: ChangeOptions): RunJournal {
  const { site } = survey.loaded;
  const writer = openJournal(stateDirectory(), holder.run, makeRedactor(site.secretValues()));
  const started = performance.now();
  const at = () => Math.round(performance.now() - started);
  const { user, from, pid, verb, run } = holder;
  const repeatable = options.extraVars.every((argument) => secretsOnCommandLine(argument, site).length === 0);
  writer.write({
    event: 'run',
    format: 1,
    run,
    verb,
    argv: repeatable && options.argv ? [...options.argv] : holder.command.split(' ').slice(1),
    repeatable: repeatable && options.argv !== undefined,
    user,
    from,
    pid,
    site: plan.site,
    startedAt: new Date().toISOString(),
    hosts: [...new Set(plan.steps.map((step) => step.host))],
    steps: plan.steps.length,
    skipped: survey.skipped?.map(({ host, why }) => ({ host, why })) ?? [],
  });
  let broken = false;
  const write = (entry: JournalEntry): void => {
    if (broken && entry.event !== 'started') return;
    try {
      writer.write(entry);
    } catch (cause) {
      broken = true;
      if (entry.event === 'started') throw cause;
    }
  };
  return {
    event: (event) => {
      const entry = entryOf(event, at());
      if (entry !== undefined) write(entry);
    },
    end: ({ done, failed, left, tooManyFailed }, exit) => {
      const counts = { done, failed: failed.length, left: left.length };
      write({ event: 'end', at: at(), exit, ...counts, tooManyFailed: tooManyFailed && [...tooManyFailed] });
      writer.close();
    },
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
      return undefined;
    default:
      return { event: 'note', at, text: `${step.host}: ${event.event} ${event.way.container}` };
  }
}

function named(step: Step) {
  const { id, host, service, kind } = step;
  return { id, host, service, kind, text: stepText(step) };
}
