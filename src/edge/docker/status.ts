import type { ContainerHealth } from '../../core/model/node.ts';

/** Health from the words of the container list, `Up 3 minutes (healthy)`: no inspect per container is needed. */
export function healthFromStatus(status: string): ContainerHealth {
  const words = /\((healthy|unhealthy|health: starting)\)/.exec(status)?.[1];
  if (words === 'healthy' || words === 'unhealthy') return words;
  return words === undefined ? 'none' : 'starting';
}
