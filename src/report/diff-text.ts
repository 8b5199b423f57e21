import type { FileDiff } from '../core/plan/steps.ts';
import { foldHosts } from './hosts.ts';

/** As many ways in which one file changes are all shown. */
const mostVariants = 3;

/** What happens to files: new ones with their length, changed ones with their difference unless `withTexts` is false. */
export function diffLines(diffs: readonly FileDiff[], withTexts: boolean): string[] {
  const others = sameChanges(diffs.filter((diff) => diff.kind !== 'added' || diff.text !== ''));
  const shown = others.filter((diff) => isShown(others, diff));
  const left = others.filter((diff) => !shown.includes(diff));
  return [
    ...newFiles(diffs.filter((diff) => diff.kind === 'added' && diff.text === '')),
    ...sameTexts(shown).flatMap((alike) => changedFile(alike, withTexts)),
    ...leftOut(left),
  ];
}

/** Of a file that is changed in another way on each of many hosts, the first is shown. */
function isShown(all: readonly FileDiff[], diff: FileDiff): boolean {
  const ofFile = all.filter((other) => other.path === diff.path);
  return ofFile.length <= mostVariants || ofFile[0] === diff;
}

function newFiles(added: readonly FileDiff[]): string[] {
  const rows = new Map<string, FileDiff[]>();
  for (const diff of added) {
    const key = `${diff.container} ${diff.hosts.join()}`;
    rows.set(key, [...(rows.get(key) ?? []), diff]);
  }
  return [...rows.values()].map((row) => {
    const files = row.map((diff) => `${nameOf(diff)} (${lines(diff.added)})`).join(', ');
    return `  new on ${foldHosts(row[0]?.hosts ?? [])}: ${files}`;
  });
}

/** A file that changes alike on several hosts is one, also when the lines around the change differ there. */
function sameChanges(diffs: readonly FileDiff[]): FileDiff[] {
  const rows = new Map<string, FileDiff>();
  for (const diff of diffs) {
    const changed = diff.text.split('\n').filter((line) => /^[-+]/.test(line));
    const key = JSON.stringify([diff.path, diff.kind, diff.note, diff.added, diff.removed, changed]);
    const known = rows.get(key);
    rows.set(key, known ? { ...known, hosts: [...known.hosts, ...diff.hosts] } : diff);
  }
  return [...rows.values()];
}

/** Copies of one file in several containers' directories differ alike. */
function sameTexts(diffs: readonly FileDiff[]): FileDiff[][] {
  const rows = new Map<string, FileDiff[]>();
  for (const diff of diffs) {
    const key = JSON.stringify([diff.kind, diff.text, diff.note, diff.hosts, diff.added, diff.removed]);
    rows.set(key, [...(rows.get(key) ?? []), diff]);
  }
  return [...rows.values()];
}

const words = { added: 'new', changed: '', removed: 'the file goes away' } as const;

function changedFile(alike: readonly FileDiff[], withTexts: boolean): string[] {
  const [first] = alike;
  if (first === undefined) return [];
  const counts = [
    first.added > 0 ? `${lines(first.added)} added` : '',
    first.removed > 0 ? `${lines(first.removed)} removed` : '',
  ];
  const what = [words[first.kind], ...counts, first.note ?? ''];
  const title = `  ${alike.map(nameOf).join(', ')} on ${foldHosts(first.hosts)}: ${what.filter((part) => part !== '').join(', ')}`;
  if (!withTexts || first.text === '') return [title];
  return [title, ...first.text.split('\n').map((line) => `    ${line}`)];
}

function leftOut(diffs: readonly FileDiff[]): string[] {
  const hosts = new Map<string, string[]>();
  for (const diff of diffs) hosts.set(nameOf(diff), [...(hosts.get(nameOf(diff)) ?? []), ...diff.hosts]);
  return [...hosts].map(([name, of]) => `  ${name} on ${foldHosts(of)}: alike, with other values`);
}

/** The path below the directory of all configuration, as in the steps. */
function nameOf({ path }: FileDiff): string {
  return path.split('/').slice(3).join('/');
}

function lines(n: number): string {
  return `${n} line${n === 1 ? '' : 's'}`;
}
