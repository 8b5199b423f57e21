import type { PlanCause } from '../core/plan/causes.ts';

/** One line per cause and set of hosts: what was edited, and which containers change because of it. */
export function causesText(causes: readonly PlanCause[]): string[] {
  return causes.map(({ cause, containers, hosts }) => `${cause} → ${containers.join(', ')} on ${hosts.join(', ')}`);
}
