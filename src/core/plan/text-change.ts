import { structuredPatch } from 'diff';
import { type IniFile, parseIni } from '../render/ini.ts';
import type { Explanation } from './explanation.ts';
import { type MaskedPair, show, showAfter } from './mask.ts';

/** How one file's text changes; everything in it may be shown. */
export interface TextChange {
  /** Lines. */
  readonly added: number;
  readonly removed: number;
  /** Unified, three lines of context, without a header; empty when there is too much to show. */
  readonly text: string;
  /** For an INI file: each option that changes, `[DEFAULT] debug False → True`. */
  readonly options: readonly Explanation[];
}

/** More edits than this are no difference anybody reads, and take long to find. */
const mostEdits = 2000;

export function changeOfText(path: string, pair: MaskedPair): TextChange {
  const patch = structuredPatch('', '', pair.before, pair.after, undefined, undefined, {
    context: 3,
    maxEditLength: mostEdits,
  });
  const options = isIni(path) ? optionChanges(pair) : [];
  if (patch === undefined) {
    return { added: lineCount(pair.after), removed: lineCount(pair.before), text: '', options };
  }
  const lines = patch.hunks.flatMap((hunk) => hunk.lines);
  return {
    added: lines.filter((line) => line.startsWith('+')).length,
    removed: lines.filter((line) => line.startsWith('-')).length,
    text: patch.hunks.map(hunkText).join('\n'),
    options,
  };
}

export function lineCount(text: string): number {
  return text === '' ? 0 : text.split('\n').length - (text.endsWith('\n') ? 1 : 0);
}

interface Hunk {
  readonly oldStart: number;
  readonly oldLines: number;
  readonly newStart: number;
  readonly newLines: number;
  readonly lines: readonly string[];
}

function hunkText({ oldStart, oldLines, newStart, newLines, lines }: Hunk): string {
  const removed = new Map(lines.filter((line) => line.startsWith('-')).map((line) => [show(line.slice(1)), line]));
  const shown = lines.map((line) => {
    const before = line.startsWith('+') ? removed.get(show(line.slice(1))) : undefined;
    return before === undefined ? show(line) : `+${showAfter(before.slice(1), line.slice(1))}`;
  });
  return [`@@ -${oldStart},${oldLines} +${newStart},${newLines} @@`, ...shown].join('\n');
}

function isIni(path: string): boolean {
  return /\.(?:conf|ini|cnf)$/.test(path);
}

/** Options that differ between two INI files; none when one of them is not one. */
function optionChanges({ before, after }: MaskedPair): Explanation[] {
  const [old, wanted] = [optionsOf(before), optionsOf(after)];
  if (old === undefined || wanted === undefined) return [];
  return [...new Set([...wanted.keys(), ...old.keys()])].flatMap((name): Explanation[] => {
    const [was, is] = [old.get(name), wanted.get(name)];
    if (was === is) return [];
    if (was === undefined) return [{ exact: `${name} = ${short(show(is ?? ''))} added`, general: `${name} added` }];
    if (is === undefined) return [{ exact: `${name} removed (was ${short(show(was))})`, general: `${name} removed` }];
    return [{ exact: `${name} ${short(show(was))} → ${short(showAfter(was, is))}`, general: `${name} changed` }];
  });
}

function optionsOf(text: string): Map<string, string> | undefined {
  const parsed = parseIni(text, '');
  if (!parsed.ok) return undefined;
  return new Map(entriesOf(parsed.value));
}

function entriesOf(ini: IniFile): (readonly [string, string])[] {
  return ini.sections.flatMap(({ name, options }) =>
    options.map(({ key, values }) => {
      const text = values.map((value) => value.replaceAll('\n', ' ')).join(', ');
      return [name === '' ? key : `[${name}] ${key}`, text === '' ? "''" : text] as const;
    }),
  );
}

/** A value as a part of a sentence. */
export function short(value: string): string {
  return value.length > 60 ? `${value.slice(0, 57)}…` : value;
}
