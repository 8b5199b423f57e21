import type { EvaluatedGate } from '../desired/gate.ts';
import type { PlanBuilder, StepId } from './steps.ts';

/** Steps that stand between `needs` and what follows; `needs` itself when there are no gates. */
export function passGates(
  plan: PlanBuilder,
  service: string,
  gates: readonly EvaluatedGate[],
  needs: readonly StepId[],
  reason: string,
): readonly StepId[] {
  if (gates.length === 0) return needs;
  return gates.map((gate) =>
    plan.add({ service, host: gate.host, needs, reason, impact: 'none' }, { kind: 'gate', gate }, idPart(gate.name)),
  );
}

/** Ids of steps stand in lists with commas. */
function idPart(name: string): string {
  return name.replaceAll(/[^\w.:-]+/g, '-');
}
