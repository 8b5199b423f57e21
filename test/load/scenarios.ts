import { newMagnum, oldMagnum } from '../lab/job/main-job.ts';

/** A change that is made again and again under the load. */
export interface Scenario {
  readonly title: string;
  /** Carried out under the load in run number `run` (from 0 on). */
  change(run: number): readonly string[];
  /** Carried out before each run, without any load. */
  readonly before?: readonly string[];
  /** Brings the lab back to what its own variables say; before the first run and after the last. */
  readonly rest: readonly string[];
}

/** One variable set and, in the next run, not set again: each run is a change. */
function toggled(title: string, service: string, variable: string): Scenario {
  const rest = ['reconfigure', '--tags', service, '--skip-tags', 'common', '--yes'];
  return { title, rest, change: (run) => (run % 2 === 0 ? [...rest, '-e', variable] : rest) };
}

const magnum = ['upgrade', '--tags', 'magnum', '--skip-tags', 'common', '--yes'];

export const scenarios = {
  magnum: {
    title: 'upgrade --tags magnum, release 15 to 20',
    rest: magnum,
    // On the way back, old code runs on the new schema: only the first run on a fresh site migrates.
    before: [...magnum, '-e', `magnum_tag=${oldMagnum}`],
    change: () => [...magnum, '-e', `magnum_tag=${newMagnum}`],
  },
  heat: toggled('reconfigure --tags heat', 'heat', 'database_connection_recycle_time=11'),
  keystone: toggled('reconfigure --tags keystone', 'keystone', 'database_connection_recycle_time=11'),
  haproxy: toggled("a change of HAProxy's own configuration", 'loadbalancer', 'haproxy_client_timeout=2m'),
} as const satisfies Record<string, Scenario>;

export type ScenarioName = keyof typeof scenarios;
