import { listRuns, readRun, stateDirectory } from '../../../src/edge/store/journal.ts';
import type { Lab } from '../raise.ts';
import { labEnvironment } from './deploy-command.ts';

/** A step of a run on the lab; times in milliseconds since 1970. */
export interface JournaledStep {
  readonly kind: string;
  /** `node1: drain mariadb in 3 load balancers` */
  readonly text: string;
  readonly from: number;
  /** Of a step that a killed run never ended: the last that is known of the run. */
  readonly to: number;
}

/** Every step of the runs that began since a moment, by their journals. */
export async function stepsSince(lab: Lab, moment: number): Promise<readonly JournaledStep[]> {
  const directory = stateDirectory(labEnvironment(lab));
  const journals = await Promise.all((await listRuns(directory)).map((run) => readRun(directory, run)));
  return journals.flatMap((journal) => {
    const began = journal === undefined ? 0 : Date.parse(journal.head.startedAt);
    if (journal === undefined || began < moment) return [];
    const { entries } = journal;
    const last = Math.max(0, ...entries.map((entry) => ('at' in entry ? entry.at : 0)));
    return entries.flatMap((entry) => {
      if (entry.event !== 'started') return [];
      const ends = entries.flatMap((one) =>
        (one.event === 'done' || one.event === 'failed') && one.id === entry.id ? [one.at] : [],
      );
      const { kind, host, text } = entry;
      return [{ kind, text: `${host}: ${text}`, from: began + entry.at, to: began + (ends[0] ?? last) }];
    });
  });
}
