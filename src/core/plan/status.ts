import type { Desired } from '../desired/model.ts';
import { createdFrom, type HostName } from '../model/node.ts';
import type { Observed } from './policy.ts';

export interface StatusRow {
  readonly service: string;
  readonly container: string;
  readonly host: HostName;
  /** `missing`, or the engine's state. */
  readonly state: string;
  readonly health: string;
  readonly image: string;
  /** The engine's own words, `Up 3 minutes (healthy)`. */
  readonly status: string;
  readonly good: boolean;
  /** The health check's command, to be asked when the engine has not done so yet. */
  readonly test?: string | undefined;
}

/** One row for each container that should be on a host, in the order of services and hosts. */
export function containerStatus(desired: Desired, observed: Observed): StatusRow[] {
  return desired.services.flatMap((service) =>
    service.containers.map((container) => {
      const { host, name } = container;
      const seen = observed.get(host)?.containers.find((c) => c.name === name);
      const base = { service: service.name, container: name, host };
      if (seen === undefined) {
        return { ...base, state: 'missing', health: '-', image: '-', status: 'missing', good: false };
      }
      const good = seen.state === 'running' && (seen.health === 'healthy' || seen.health === 'none');
      const test = container.spec.healthcheck?.test;
      return {
        ...base,
        state: seen.state,
        health: seen.health,
        image: createdFrom(seen),
        status: seen.status,
        good,
        test,
      };
    }),
  );
}
