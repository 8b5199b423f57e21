import { keepDirectory } from '../galera/kept-data.ts';
import type { HostName } from '../model/node.ts';
import { base, type Change, type MemberWaits, ownVolumes } from './replace.ts';
import type { PlanBuilder } from './steps.ts';

/**
 * What a member that comes to a living cluster waits for beyond `waits`, where it has data: a state transfer replaces what
 * is of another history without a word, so that is refused, and what its files say is kept.
 */
export function joinWaits(
  plan: PlanBuilder,
  change: Change,
  living: HostName | undefined,
  waits: MemberWaits,
): MemberWaits {
  const { container, node } = change;
  const [volume] = ownVolumes(container).filter((name) => node.volumes.includes(name));
  if (volume === undefined || living === undefined) return waits;
  const action = {
    kind: 'galera-state',
    container: container.name,
    volume,
    keep: keepDirectory(container.directory),
    joins: { host: living, container: container.name },
  } as const;
  return {
    ...waits,
    enter: (needs) => {
      const checked = waits.enter(needs);
      const step = base(change, [...needs, ...checked], 'a state transfer may replace its data');
      return [...checked, plan.add(step, action, container.name)];
    },
  };
}
