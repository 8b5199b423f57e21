import type { NodeRun } from '../core/model/run-log.ts';
import { columns } from './history-text.ts';

/** How a run ended as the node knows it. `goesOn` holds the node's lock now. */
export function nodeOutcome({ run, end }: NodeRun, goesOn: string | undefined): string {
  if (end !== undefined) return end.outcome;
  return run === goesOn ? 'goes on' : 'did not end';
}

/** One line for each run that changed a node, the latest first, with the node's own times. */
export function nodeHistoryText(host: string, runs: readonly NodeRun[], goesOn?: string): string {
  if (runs.length === 0) return `${host} remembers no run`;
  return columns(
    runs.map((one) => {
      const { start, end, broken } = one;
      const command = start?.command ?? '(its beginning is no longer kept)';
      const by = broken === undefined ? '' : `; its lock was broken by ${broken.user}@${broken.from} at ${broken.at}`;
      return [
        one.run,
        nodeOutcome(one, goesOn),
        start?.at ?? end?.at ?? broken?.at ?? '',
        start === undefined ? '' : `${start.user}@${start.from}`,
        `${command}${by}`,
      ];
    }),
  );
}
