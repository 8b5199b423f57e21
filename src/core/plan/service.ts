import type { DesiredService } from '../desired/model.ts';
import type { Phase } from '../schema/service.ts';
import { changeOf } from './change.ts';
import { checkClusterSecrets } from './cluster-secret.ts';
import { planContainer } from './container.ts';
import type { Context } from './context.ts';
import { isGaleraBootstrap } from './galera.ts';
import { passGates } from './gates.ts';
import { checkLimit, checkUnfinished } from './limits.ts';
import { planOneShot } from './one-shot.ts';
import { phasesOf } from './phases.ts';
import { verbPolicy } from './policy.ts';
import { agreeOnReasons } from './reasons.ts';
import { planRegistration } from './registration.ts';
import type { Change, Early } from './replace.ts';
import type { PlanBuilder, Step, StepId, WayBack } from './steps.ts';

/** The steps of one service, phase by phase; returns those that stand for "all done". */
export function planService(context: Context, service: DesiredService, needs: readonly StepId[]): readonly StepId[] {
  const { steps, waysBack } = context.plan;
  const planned = steps.length;
  const changes = changesOf(context, service);
  // Images are everywhere before the first change: a registry that fails then harms nobody.
  const pulled = [...changes.values()].flat().flatMap((change) => (change.pull ? [change.pull] : []));
  let before: readonly StepId[] = [...needs, ...pulled];
  let early: Early | undefined;
  for (const phase of phasesOf(service)) {
    const known = { steps: steps.length, ways: waysBack.length };
    const done = planPhase(context, service, phase, changes, before, early);
    if (done.length === 0) continue;
    early = earlyAfter(service, before, done, steps.slice(known.steps), waysBack.slice(known.ways));
    before = done;
  }
  return gated(context.plan, service, planned, before);
}

/** By container, on all hosts that were looked at; also what is as it should be. */
function changesOf(context: Context, service: DesiredService): Map<string, Change[]> {
  const changes = new Map<string, Change[]>();
  for (const container of service.containers) {
    const change = changeOf(context, container);
    if (change) changes.set(container.name, [...(changes.get(container.name) ?? []), change]);
    if (change && change.verdict.kind !== 'same') context.changed.push(change);
  }
  for (const [name, ofContainer] of changes) changes.set(name, agreeOnReasons(ofContainer));
  context.diagnostics.push(...checkLimit(service, changes, context.observed, context.unreachable));
  context.diagnostics.push(...checkClusterSecrets(context, service, changes));
  if (verbPolicy[context.verb].images === 'keep') context.diagnostics.push(...checkUnfinished(service, changes));
  return changes;
}

/** The gates of a service of which something has changed, by the steps from `planned` on. */
function gated(
  plan: PlanBuilder,
  { name, gates }: DesiredService,
  planned: number,
  needs: readonly StepId[],
): readonly StepId[] {
  const own = plan.steps.slice(planned).filter((step) => step.service === name);
  const records = own.filter(({ kind }) => kind === 'record');
  const changed = records.length > 0 || own.some(({ kind }) => kind === 'start' || kind === 'reload');
  if (!changed || gates.length === 0) return needs;
  const passed = passGates(plan, name, gates, needs, `must pass before ${name} counts as done`);
  // A run that dies before its gates have passed leaves the new form unnoted: the next one asks them again.
  for (const { id } of records) plan.delay(id, passed);
  return passed;
}

/** What follows a phase may begin with it if that is of one piece, all of which can go back. */
function earlyAfter(
  service: DesiredService,
  needs: readonly StepId[],
  done: readonly StepId[],
  steps: readonly Step[],
  ways: readonly WayBack[],
): Early | undefined {
  const [way] = ways;
  if (way === undefined || ways.length > 1 || way.impossible !== undefined) return undefined;
  const container = service.containers.find(({ name }) => name === way.container);
  if (container?.rollout.strategy !== 'together') return undefined;
  const stopped = steps.filter(({ kind }) => kind === 'stop').map(({ id }) => id);
  return { needs, stopped, done, follows: way.rollout, beside: way.container };
}

function planPhase(
  context: Context,
  service: DesiredService,
  phase: Phase,
  changes: ReadonlyMap<string, Change[]>,
  needs: readonly StepId[],
  early: Early | undefined,
): StepId[] {
  if (typeof phase === 'string') return planRegistration(context.plan, service, phase, context.observed, needs);
  if ('run' in phase) {
    const oneShot = service.oneShots.get(phase.run);
    // The Galera strategy runs its own bootstrap at the right moment.
    return oneShot && !isGaleraBootstrap(service, oneShot) ? planOneShot(context, service, oneShot, needs) : [];
  }
  const ahead = phase.begin_early ? early : undefined;
  return phase.replace.flatMap((name) => planContainer(context, service, name, changes.get(name) ?? [], needs, ahead));
}
