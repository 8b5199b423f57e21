import { type Balancers, undrainLeft } from './drain.ts';
import { isRecorded, record } from './generations.ts';
import { awaitHealthy, type Change, removeOld, seen, writeFiles } from './replace.ts';
import type { PlanBuilder, StepId } from './steps.ts';

/** A replica that is as wanted may still lack a file, its place in the load balancers or its record. */
export function settle(plan: PlanBuilder, change: Change, balancers: Balancers, needs: readonly StepId[]): void {
  const written = writeFiles(plan, change, needs, 'changed on the node');
  removeOld(plan, change, needs);
  undrainLeft(plan, change, balancers, needs);
  if (isRecorded(change)) return;
  const health = seen(change)?.health;
  const sound = health === 'healthy' || health === 'none';
  const ready = sound ? written : [awaitHealthy(plan, change, [...needs, ...written])];
  record(plan, change, ready, 'not noted yet');
}
