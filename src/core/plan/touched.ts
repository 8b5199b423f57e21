import type { HostName } from '../model/node.ts';
import type { Plan } from './steps.ts';

/** Nodes that a plan changes something on, load balancers that are given orders among them. */
export function touchedHosts({ steps }: Pick<Plan, 'steps'>): HostName[] {
  const hosts = steps.flatMap((step) => {
    if (step.kind === 'drain' || step.kind === 'undrain') return [step.host, ...step.balancers.map(({ host }) => host)];
    if (step.kind === 'keys') return [step.host, ...step.holders.map(({ host }) => host)];
    // Runs on the control host.
    return step.kind === 'hook' ? [] : [step.host];
  });
  return [...new Set(hosts)];
}
