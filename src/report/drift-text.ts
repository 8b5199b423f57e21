import type { DriftEntry } from '../core/plan/drift.ts';

/** One line for each kind of change of a container, folded over the hosts it was found on; in the order it was found. */
export function driftLines(entries: readonly DriftEntry[]): string[] {
  const rows = new Map<string, { text: string; hosts: string[] }>();
  for (const { host, container, what, detail } of entries) {
    const text = `${container}: ${what}${detail === '' ? '' : ` (${detail})`}`;
    const row = rows.get(text);
    if (row) row.hosts.push(host);
    else rows.set(text, { text, hosts: [host] });
  }
  return [...rows.values()].map(({ text, hosts }) => `  ${hosts.join(', ')}: ${text}`);
}

/** Every change with what puts it right, for people. */
export function driftText(entries: readonly DriftEntry[], hosts: number): string {
  if (entries.length === 0) return `nothing has changed behind our back on ${hosts} host${hosts === 1 ? '' : 's'}`;
  const leftOver = entries.filter(({ what }) => what === 'left over');
  const updated = entries.filter(({ what }) => what === 'settings changed');
  const others = entries.length - leftOver.length - updated.length;
  return [
    'changed behind our back:',
    ...driftLines(entries),
    ...(others > 0 ? ['deploy reconcile puts it right'] : []),
    ...(leftOver.length > 0 ? ['deploy reconcile --prune removes what is left over; volumes stay'] : []),
    ...(updated.length > 0 ? ['settings: remove the container by hand, then deploy reconcile makes it anew'] : []),
  ].join('\n');
}
