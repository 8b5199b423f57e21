import { closure } from '../graph/dag.ts';
import type { ContainerName } from '../model/node.ts';
import type { Plan, Step, StepId } from './steps.ts';

/**
 * Steps without which something stays away that was taken away: of each replica that a step of `begun` drained or
 * stopped, everything up to its return, and whatever that needs. Where versions must not mix, a new one starts only
 * after all old ones have stopped, so all of them belong to it. Steps of `begun` are not among them.
 */
export function underWay({ steps }: Pick<Plan, 'steps'>, begun: ReadonlySet<StepId>): ReadonlySet<StepId> {
  const needs = new Map(steps.map((step) => [step.id, step.needs]));
  const wanted = new Set<StepId>();
  for (let size = -1; size < wanted.size; ) {
    size = wanted.size;
    for (const gone of steps) {
      if (takesAway(gone) === undefined || !(begun.has(gone.id) || wanted.has(gone.id))) continue;
      const back = returnOf(gone, steps, needs).filter((id) => !begun.has(id));
      for (const id of [...back, ...closure(needs, back)]) if (!begun.has(id)) wanted.add(id);
    }
  }
  return wanted;
}

function takesAway(step: Step): ContainerName | undefined {
  return step.kind === 'drain' || step.kind === 'stop' ? step.container : undefined;
}

function bringsBack(step: Step): ContainerName | undefined {
  return step.kind === 'start' || step.kind === 'healthy' || step.kind === 'undrain' ? step.container : undefined;
}

/** None for a container that is stopped for good. */
function returnOf(gone: Step, steps: readonly Step[], needs: ReadonlyMap<StepId, readonly StepId[]>): StepId[] {
  return steps
    .filter((step) => step.host === gone.host && bringsBack(step) === takesAway(gone))
    .map((step) => step.id)
    .filter((id) => closure(needs, [id]).has(gone.id));
}
