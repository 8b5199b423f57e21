import type { PlanCause } from '../core/plan/causes.ts';
import { foldHosts } from './hosts.ts';

/** One line per cause and set of hosts: what was edited, and which containers change because of it. */
export function causesText(causes: readonly PlanCause[]): string[] {
  return causes.map(({ cause, containers, hosts }) => `${cause} → ${containers.join(', ')} on ${foldHosts(hosts)}`);
}
