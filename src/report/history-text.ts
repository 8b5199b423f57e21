import type { Journal, JournalEntry } from '../core/model/journal.ts';
import { type FailedStep, failuresText } from './failure-text.ts';
import { foldHosts } from './hosts.ts';

const outcomes: Readonly<Record<number, string>> = {
  0: 'done',
  1: 'failed',
  6: 'reverted',
  7: 'not reverted',
  130: 'interrupted',
  143: 'terminated',
};

/** How a run went, in one word or two. */
export function outcomeOf({ end }: Journal): string {
  return end === undefined ? 'not ended' : (outcomes[end.exit] ?? `exit ${end.exit}`);
}

/** The same, with the hosts it did without. */
function outcomeText(journal: Journal): string {
  const without = journal.head.skipped?.map(({ host }) => host) ?? [];
  return `${outcomeOf(journal)}${without.length > 0 ? `, without ${foldHosts(without)}` : ''}`;
}

/** One line for each run, the latest first. */
export function historyText(journals: readonly Journal[]): string {
  if (journals.length === 0) return 'no run has been journaled here';
  const rows = journals.map((journal) => {
    const { head, end } = journal;
    const steps = end === undefined ? `of ${head.steps} steps` : `${end.done} of ${head.steps} steps`;
    return [head.run, outcomeText(journal), steps, `${head.user}@${head.from}`, `deploy ${head.argv.join(' ')}`];
  });
  const widths = [0, 1, 2, 3].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map((row) =>
      row
        .map((cell, i) => cell.padEnd(widths[i] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** Everything one run did: steps with times and reasons, failures, how it ended. */
export function runText(journal: Journal): string {
  const { head, end } = journal;
  const lines = [
    `run ${head.run}: deploy ${head.argv.join(' ')}`,
    `${head.user}@${head.from} (pid ${head.pid}), started ${head.startedAt}, ${head.steps} steps on ${head.hosts.length} hosts`,
    ...(head.skipped ?? []).map(({ host, why }) => `without ${host}: ${why}`),
    '',
  ];
  const begun = new Map<string, Extract<JournalEntry, { event: 'started' }>>();
  for (const one of journal.entries) {
    if (one.event === 'started') begun.set(one.id, one);
    lines.push(...entryLines(one, begun));
    if (one.event === 'done' || one.event === 'failed') begun.delete(one.id);
  }
  for (const one of begun.values()) lines.push(`${clock(one.at)}  ${one.host}  ${one.text}: begun, and not ended`);
  const failures = failuresOf(journal);
  if (failures.length > 0) lines.push('', ...failuresText(failures));
  if (end?.tooManyFailed) lines.push('', `stopped because too many hosts failed: ${foldHosts(end.tooManyFailed)}`);
  lines.push(
    '',
    end ? `${outcomeText(journal)} (exit ${end.exit}) after ${seconds(end.at)}` : 'the run did not end by itself',
  );
  return lines.join('\n');
}

function failuresOf({ entries }: Journal): FailedStep[] {
  const begun = new Map(entries.flatMap((one) => (one.event === 'started' ? [[one.id, one] as const] : [])));
  return entries.flatMap((one): FailedStep[] => {
    const step = one.event === 'failed' ? begun.get(one.id) : undefined;
    if (one.event !== 'failed' || step === undefined) return [];
    const notStarted = entries.filter((other) => other.event === 'skipped' && other.because === one.id).length;
    const host = one.problems[0]?.host ?? step.host;
    return [{ id: one.id, host, service: step.service, text: step.text, problems: one.problems, notStarted }];
  });
}

function entryLines(
  one: JournalEntry,
  begun: ReadonlyMap<string, { readonly host: string; readonly text: string; readonly reason: string }>,
): string[] {
  if (one.event === 'note') return [`${clock(one.at)}  ${one.text}`];
  if (one.event === 'skipped')
    return [`${clock(one.at)}  ${one.host}  ${one.text}: not started, because of ${one.because}`];
  if (one.event !== 'done' && one.event !== 'failed') return [];
  const step = begun.get(one.id);
  const what = step ? `${step.host}  ${step.text} (${step.reason})` : one.id;
  if (one.event === 'done')
    return [`${clock(one.at)}  ${what}: done in ${seconds(one.ms)}${one.note ? `, ${one.note}` : ''}`];
  return [`${clock(one.at)}  ${what}: FAILED`, ...one.problems.map(({ message }) => `          ${message}`)];
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

function clock(ms: number): string {
  return `${(ms / 1000).toFixed(1).padStart(7)}s`;
}
