import { closure } from '../../src/core/graph/dag.ts';
import type { Plan, Step, StepKind } from '../../src/core/plan/steps.ts';

/** Container a step is about; of registrations the service. */
export function subjectOf(step: Step): string {
  if ('container' in step) return step.container;
  if (step.kind === 'one-shot') return step.name;
  if (step.kind === 'keys') return step.wish.container;
  if (step.kind === 'pull') return step.image.repository.slice(step.image.repository.lastIndexOf('/') + 1);
  return step.service;
}

/** Steps of one kind, in the plan's order; throws when there are none, so that no assertion is true of nothing. */
export function steps(plan: Plan, kind: StepKind, subject?: string, host?: string): Step[] {
  const found = plan.steps.filter(
    (step) =>
      step.kind === kind &&
      (subject === undefined || subjectOf(step) === subject) &&
      (host === undefined || step.host === host),
  );
  if (found.length === 0)
    throw new Error(`the plan has no ${kind} of ${subject ?? 'anything'} on ${host ?? 'any host'}`);
  return found;
}

/** The one step of this kind; throws when there is none or more than one. */
export function step(plan: Plan, kind: StepKind, subject: string, host?: string): Step {
  const [first, ...more] = steps(plan, kind, subject, host);
  if (first === undefined || more.length > 0) throw new Error(`${more.length + 1} steps ${kind} of ${subject}`);
  return first;
}

/** Whether every step of `before` is certainly done when any of `after` begins, whatever the scheduler does. */
export function precedes(plan: Plan, before: Step | readonly Step[], after: Step | readonly Step[]): boolean {
  const edges = new Map(plan.steps.map((one) => [one.id, one.needs]));
  const earlier = [before].flat();
  return [after].flat().every((late) => {
    const needed = closure(edges, [late.id]);
    return earlier.every((early) => needed.has(early.id));
  });
}
