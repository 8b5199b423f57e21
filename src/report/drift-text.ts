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
