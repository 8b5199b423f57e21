import type { DesiredContainer } from '../desired/model.ts';
import type { HostName, ObservedNode } from '../model/node.ts';
import type { ContainerVerdict, FileChange } from './compare.ts';
import type { NodeDetails } from './details.ts';
import { type Explainer, type Explanation, few, plain, reasonOf } from './explanation.ts';
import type { Comparer } from './file-diff.ts';
import { settingChanges } from './settings.ts';
import type { TextChange } from './text-change.ts';

/** Nothing when no second look was taken at the host. */
export function explainerFor(
  container: DesiredContainer,
  node: ObservedNode,
  files: FileChange,
  details: ReadonlyMap<HostName, NodeDetails> | undefined,
  comparer: Comparer,
): Explainer | undefined {
  const here = details?.get(container.host);
  if (here === undefined) return undefined;
  return {
    settings: () => explainSettings(container, here.generations, comparer),
    files: () => explainFiles(container, node, files, comparer),
  };
}

function explainSettings(
  container: DesiredContainer,
  generations: NodeDetails['generations'],
  comparer: Comparer,
): Explanation[] {
  const was = generations.get(container.name)?.spec;
  const changes = was ? settingChanges(was, container.spec, comparer.masker()) : [];
  return changes.length === 0 ? [] : [fewChanges(changes)];
}

function explainFiles(
  container: DesiredContainer,
  node: ObservedNode,
  { write, remove }: FileChange,
  comparer: Comparer,
): Explanation[] {
  const seen = new Set(node.files.map((file) => file.path));
  const name = (path: string) => `config ${path.slice(container.directory.length)}`;
  const all = [
    ...write.map(({ path, content }) =>
      seen.has(path)
        ? explainText(name(path), comparer.compare(container.host, path, content))
        : plain(`${name(path)} added`),
    ),
    ...remove.map((path) => plain(`${name(path)} removed`)),
  ];
  const more = all.length - 3;
  return [...all.slice(0, 3), ...(more > 0 ? [plain(`and ${more} more files`)] : [])];
}

function explainText(file: string, change: TextChange | undefined): Explanation {
  if (change === undefined) return plain(`${file} changed`);
  const { added, removed, options } = change;
  if (options.length > 0) {
    const { exact, general } = fewChanges(options);
    return { exact: `${file} ${exact}`, general: `${file} ${general}` };
  }
  if (added + removed === 0) return plain(`${file} mode changed`);
  const counts = [
    added > 0 ? `${lines(added)} added` : '',
    removed > 0 ? `${added > 0 ? removed : lines(removed)} removed` : '',
  ];
  return plain(`${file}: ${counts.filter((part) => part !== '').join(', ')}`);
}

function fewChanges(changes: readonly Explanation[]): Explanation {
  return { exact: few(changes.map((one) => one.exact)), general: few(changes.map((one) => one.general)) };
}

function lines(n: number): string {
  return `${n} line${n === 1 ? '' : 's'}`;
}

/**
 * Gives hosts whose changes differ only in values of their own (an address in a file) one reason, so that they are
 * shown as one change.
 */
export function agreeOnReasons<T extends { readonly verdict: ContainerVerdict }>(changes: readonly T[]): T[] {
  const groups = new Map<string, (readonly Explanation[])[]>();
  const keyOf = (parts: readonly Explanation[]) => JSON.stringify(parts.map((part) => part.general));
  for (const { verdict } of changes) {
    if (verdict.kind === 'same') continue;
    const parts = verdict.parts ?? [];
    groups.set(keyOf(parts), [...(groups.get(keyOf(parts)) ?? []), parts]);
  }
  return changes.map((change) => {
    const { verdict } = change;
    if (verdict.kind === 'same' || verdict.parts === undefined) return change;
    const alike = groups.get(keyOf(verdict.parts)) ?? [];
    return { ...change, verdict: { ...verdict, reason: reasonOf(agreed(verdict.parts, alike)) } };
  });
}

function agreed(parts: readonly Explanation[], alike: readonly (readonly Explanation[])[]): Explanation[] {
  return parts.map((part, i) => {
    const common = alike.every((other) => other[i]?.exact === part.exact);
    return common ? part : plain(`${part.general} (another value on each host)`);
  });
}
