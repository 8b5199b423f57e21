import { type Diagnostic, warning } from '../model/diagnostic.ts';
import { nearest } from '../model/suggest.ts';

export interface OverrideSource {
  /** Relative to `<configdir>/config/`. */
  readonly path: string;
  readonly text: string;
}

export interface OverrideSelection {
  /** What applies, lowest first: of an `ini` file every candidate that exists, of a `text` file the last one. */
  readonly sources: readonly OverrideSource[];
  /** Every candidate that exists, also those a later one hides: they are looked at, so they are not stray files. */
  readonly used: readonly string[];
}

/** Picks the operator's override files for one file of a container. `candidates` in rising precedence. */
export function selectOverrides(
  candidates: readonly string[],
  format: 'ini' | 'text',
  files: ReadonlyMap<string, string>,
): OverrideSelection {
  const found: OverrideSource[] = [];
  for (const path of new Set(candidates)) {
    const text = files.get(path);
    if (text !== undefined) found.push({ path, text });
  }
  return { sources: format === 'ini' ? found : found.slice(-1), used: found.map(({ path }) => path) };
}

/**
 * One warning per override file that no enabled service looks at: a misspelled path would otherwise be ignored silently.
 * `candidates`: every path that was looked up, for the nearest-name hint.
 */
export function unusedOverrides(
  files: Iterable<string>,
  used: ReadonlySet<string>,
  candidates: ReadonlySet<string>,
  fileOf: (path: string) => string = (path) => path,
): readonly Diagnostic[] {
  return [...files]
    .filter((path) => !used.has(path))
    .sort()
    .map((path) => {
      const near = nearest(path, candidates);
      const hint =
        near.length > 0 ? `nothing reads this path; did you mean ${near.join(' or ')}?` : 'no enabled service reads it';
      const at = { file: fileOf(path), line: 1, column: 1 };
      return warning('unused-override', `the override file ${path} is not used`, { at, hint });
    });
}
