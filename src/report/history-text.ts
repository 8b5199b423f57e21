import type { Journal, JournalEntry } from '../core/model/journal.ts';
import { type FailedStep, failuresText } from './failure-text.ts';
import { foldHosts } from './hosts.ts';

const outcomes: Readonly<Record<number, string>> = {
  0: 'done',
  1: 'failed',
  6: 'reverted',
  7: 'not reverted',
  129: 'terminal lost',
  130: 'interrupted',
  143: 'terminated',
};

/** What an exit code says of a run, in one word or two. */
export function outcomeName(exit: number): string {
  return outcomes[exit] ?? `exit ${exit}`;
}

/** How a run went, in one word or two. */
export function outcomeOf({ end }: Journal): string {
  return end === undefined ? 'not ended' : outcomeName(end.exit);
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
    const all = head.broke === undefined ? `of ${head.steps} steps` : '';
    const steps = end === undefined || head.broke !== undefined ? all : `${end.done} ${all}`;
    return [head.run, outcomeText(journal), steps, `${head.user}@${head.from}`, `deploy ${head.argv.join(' ')}`];
  });
  return columns(rows);
}

/** Cells below each other, two blanks apart. */
export function columns(rows: readonly (readonly string[])[]): string {
  const widths = [...(rows[0]?.keys() ?? [])].map((i) => Math.max(...rows.map((row) => row[i]?.length ?? 0)));
  const line = (row: readonly string[]) => row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join('  ');
  return rows.map((row) => line(row).trimEnd()).join('\n');
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
  if (one.event === 'progress') return [`${clock(one.at)}  ${begun.get(one.id)?.host ?? one.id}    ${one.line}`];
  if (one.event !== 'done' && one.event !== 'failed') return [];
  const step = begun.get(one.id);
  const what = step ? `${step.host}  ${step.text} (${step.reason})` : one.id;
  if (one.event === 'done')
    return [`${clock(one.at)}  ${what}: done in ${seconds(one.ms)}${one.note ? `, ${one.note}` : ''}`];
  const problems = one.problems.flatMap(({ message, hint }) => (hint ? [message, `  ${hint}`] : [message]));
  return [`${clock(one.at)}  ${what}: FAILED`, ...problems.map((text) => `          ${text}`)];
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

function clock(ms: number): string {
  return `${(ms / 1000).toFixed(1).padStart(7)}s`;
}
