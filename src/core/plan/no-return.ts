import type { DesiredService } from '../desired/model.ts';
import { imageName, label } from '../model/node.ts';
import type { Phase } from '../schema/service.ts';
import type { Context } from './context.ts';
import { oneShotMarkerKey } from './one-shot.ts';
import { verbPolicy } from './policy.ts';
import type { Change } from './replace.ts';

/**
 * Why replicas of this container cannot go back to their old image: a migration that runs (or ran) before them cannot
 * be undone. Undefined when they can; a member of a database cluster finds out when it has to.
 */
export function noReturn(
  context: Context,
  service: DesiredService,
  phases: readonly Phase[],
  change: Change,
): string | undefined {
  const { container } = change;
  if (container.rollout.strategy === 'galera') {
    const running = change.node.containers.find((c) => c.name === container.name);
    const note = `${container.name}: a member goes back to its old image only while the new version has not written to its data yet; after that there is no way back but a backup`;
    const changes = running !== undefined && running.labels[label.imageDigest] !== change.image.digest;
    if (changes && !context.plan.notices.includes(note)) context.plan.notices.push(note);
    return undefined;
  }
  if (!verbPolicy[context.verb].oneShots) return undefined;
  for (const name of before(phases, container.name)) {
    const oneShot = service.oneShots.get(name);
    if (oneShot === undefined || oneShot.definition.way_back) continue;
    const planned = context.plan.steps.some((step) => step.kind === 'one-shot' && step.name === name);
    const owner = service.containers.find((c) => c.name === oneShot.container && c.host === oneShot.host);
    const digest = owner && context.digests.get(imageName(owner.image));
    const ran = [...context.observed.values()].some(
      ({ markers }) => digest !== undefined && markers[oneShotMarkerKey(name)]?.startsWith(`${digest} `),
    );
    if (planned || ran) return `${name} has run and cannot be undone: the old version cannot work on what it left`;
  }
  return undefined;
}

/** One-shots of the phases before the one that replaces a container. */
function before(phases: readonly Phase[], container: string): string[] {
  const at = phases.findIndex(
    (phase) => typeof phase !== 'string' && 'replace' in phase && phase.replace.includes(container),
  );
  return phases
    .slice(0, Math.max(at, 0))
    .flatMap((phase) => (typeof phase !== 'string' && 'run' in phase ? [phase.run] : []));
}
