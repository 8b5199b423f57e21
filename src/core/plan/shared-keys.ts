import type { SharedKeysWish } from '../desired/model.ts';
import type { HostName } from '../model/node.ts';
import { type Change, prepare, rolloutOf, temporaryName } from './replace.ts';
import type { PlanBuilder, StepId } from './steps.ts';

/** The replicas' keys: what they are, and where some replica runs with them already. */
export interface SharedKeys {
  readonly wish: SharedKeysWish;
  readonly running: readonly HostName[];
}

interface KeysInput {
  readonly site: string;
  readonly changes: readonly Change[];
  readonly needs: readonly StepId[];
  readonly keys?: SharedKeys | undefined;
}

/**
 * Keys shared by all replicas lie in each host's volume before any replica starts. Containers that do not exist yet
 * are created first: their volumes are reached through them.
 */
export function sharedKeys(plan: PlanBuilder, input: KeysInput) {
  const nothing = { distributed: [] as StepId[], prepared: new Map<Change, readonly StepId[]>() };
  if (input.keys === undefined || input.changes.length === 0) return nothing;
  const { wish, running } = input.keys;
  const marker = { key: `keys.${wish.container}`, value: wish.kind };
  const missing = input.changes.filter((change) => change.node.markers[marker.key] !== marker.value);
  if (missing.length === 0) return nothing;
  const prepared = new Map(missing.map((change) => [change, prepare(plan, input.site, change, input.needs).ids]));
  const first = missing[0];
  if (first === undefined) return nothing;
  const holders = [
    ...running.map((host) => ({ host, container: wish.container })),
    ...missing
      .filter((change) => !running.includes(change.container.host))
      .map((change) => ({ host: change.container.host, container: temporaryName(change) })),
  ];
  const id = plan.add(
    {
      service: first.container.service,
      host: first.container.host,
      rollout: rolloutOf(first.container),
      needs: [...prepared.values()].flat(),
      reason: `every replica needs the same ${wish.kind} keys`,
      impact: 'none',
    },
    { kind: 'keys', wish, holders, marker },
    wish.container,
  );
  return { distributed: [id], prepared };
}
