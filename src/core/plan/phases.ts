import type { DesiredService } from '../desired/model.ts';
import type { Phase } from '../schema/service.ts';

/** In what order a service changes; where its definition does not say, what it needs comes before its containers. */
export function phasesOf(service: DesiredService): readonly Phase[] {
  if (service.phases.length > 0) return service.phases;
  return [
    'databases',
    'identity',
    ...[...service.oneShots.keys()].map((run) => ({ run })),
    ...[...service.groupHosts.keys()].map((name) => ({ replace: [name] })),
  ];
}
