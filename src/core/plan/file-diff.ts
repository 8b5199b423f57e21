import type { FileContent, HostName } from '../model/node.ts';
import type { NodeDetails } from './details.ts';
import { Masker } from './mask.ts';
import type { Observed } from './policy.ts';
import type { FileDiff, Step, StepOf } from './steps.ts';
import { changeOfText, lineCount, type TextChange } from './text-change.ts';

/** What a plan says of files: which change, or also how, or also what is in new ones. */
export type DiffMode = 'none' | 'changed' | 'all';

/** Compares texts on the nodes with new ones; the same two are compared once. */
export interface Comparer {
  /** Undefined when the old text was not fetched. */
  compare(host: HostName, path: string, after: string): TextChange | undefined;
  /** A new file's lines; none unless they are asked for. */
  added(path: string, after: string): string;
  readonly masker: () => Masker;
}

export function makeComparer(
  details: ReadonlyMap<HostName, NodeDetails>,
  secrets: readonly string[],
  mode: DiffMode = 'changed',
): Comparer {
  let made: Masker | undefined;
  const masker = () => {
    made ??= new Masker(secrets, new Set([...details.values()].flatMap(({ files }) => [...files.values()])));
    return made;
  };
  const known = new Map<string, Map<string, TextChange>>();
  return {
    masker,
    added: (path, after) => (mode === 'all' ? changeOfText(path, masker().pair(path, '', after)).text : ''),
    compare(host, path, after) {
      const before = details.get(host)?.files.get(path);
      if (before === undefined) return undefined;
      const key = `${path}\0${before}`;
      const ofFile = known.get(key) ?? new Map<string, TextChange>();
      known.set(key, ofFile);
      const change = ofFile.get(after) ?? changeOfText(path, masker().pair(path, before, after));
      ofFile.set(after, change);
      return change;
    },
  };
}

/** The differences of all files that the steps write or remove, in the order of the steps. */
export function fileDiffs(steps: readonly Step[], observed: Observed, comparer: Comparer): FileDiff[] {
  const folded = new Map<string, FileDiff & { hosts: HostName[] }>();
  for (const step of steps) {
    if (step.kind !== 'write') continue;
    const one = [
      ...step.files.map((file) => writtenFile(step, file, observed, comparer)),
      ...step.remove.map((path) => removedFile(step, path, comparer)),
    ];
    for (const { hosts, ...diff } of one) {
      const key = JSON.stringify(diff);
      const known = folded.get(key);
      if (known) known.hosts.push(...hosts);
      else folded.set(key, { ...diff, hosts: [...hosts] });
    }
  }
  return [...folded.values()];
}

function writtenFile(
  step: StepOf<'write'>,
  { path, content, mode }: FileContent,
  observed: Observed,
  comparer: Comparer,
): FileDiff {
  const base = { path, container: step.container, service: step.service, hosts: [step.host] };
  const seen = observed.get(step.host)?.files.find((file) => file.path === path);
  if (seen === undefined) {
    return { ...base, kind: 'added', added: lineCount(content), removed: 0, text: comparer.added(path, content) };
  }
  const change = comparer.compare(step.host, path, content);
  const moded = seen.mode === mode ? undefined : `mode ${seen.mode} → ${mode}`;
  if (change === undefined) {
    const note = moded ?? 'the old content was not read';
    return { ...base, kind: 'changed', added: 0, removed: 0, text: '', note };
  }
  const { added, removed, text } = change;
  const tooMuch = text === '' && added + removed > 0 ? 'too much differs to show it' : undefined;
  return { ...base, kind: 'changed', added, removed, text, note: moded ?? tooMuch };
}

function removedFile(step: StepOf<'write'>, path: string, comparer: Comparer): FileDiff {
  const base = { path, container: step.container, service: step.service, hosts: [step.host] };
  const { removed = 0, text = '' } = comparer.compare(step.host, path, '') ?? {};
  return { ...base, kind: 'removed', added: 0, removed, text };
}
