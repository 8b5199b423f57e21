import type { Desired } from '../desired/model.ts';
import { type Diagnostic, error, warning } from '../model/diagnostic.ts';
import type { Observed } from './policy.ts';

/**
 * Services that are required but not selected are only looked at: one that runs nowhere is an error before the first
 * change, one that lacks a replica a warning.
 */
export function requiredServices(desired: Desired, observed: Observed): Diagnostic[] {
  return desired.required.flatMap((required) => {
    const places = required.places.filter(({ host }) => observed.has(host));
    const down = places.filter(
      ({ host, container }) =>
        !observed.get(host)?.containers.some((c) => c.name === container && c.state === 'running'),
    );
    if (down.length === 0) return [];
    const list = down.map(({ host, container }) => `${container} on ${host}`).join(', ');
    const dead = [...new Set(down.map(({ container }) => container))].filter((name) =>
      places.filter((p) => p.container === name).every((p) => down.includes(p)),
    );
    return dead.length > 0
      ? [
          error('required-service-down', `${required.by} requires ${required.service}, which does not run: ${list}`, {
            hint: `deploy deploy --tags ${required.service}`,
          }),
        ]
      : [
          warning(
            'required-service-degraded',
            `${required.service}, required by ${required.by}, lacks replicas: ${list}`,
          ),
        ];
  });
}
