import { isDeepStrictEqual } from 'node:util';
import { formatDiagnostic } from '../../src/core/model/diagnostic.ts';
import type { ChangeVerb } from '../../src/core/plan/policy.ts';
import { planText } from '../../src/report/plan-text.ts';
import type { RunEvent } from '../../src/run/run.ts';
import { carryOut, copyOf, observe, stateOf, watchForMixedVersions } from './scenario.ts';
import { type Choice, must, type SimulatedSite } from './site.ts';
import type { SimulatedWorld } from './world.ts';

export interface Killing {
  readonly site: SimulatedSite;
  readonly verb: ChangeVerb;
  readonly choice?: Choice;
  /** The nodes as they were before the run; made anew for each run. */
  readonly start: () => SimulatedWorld;
  /** `steps`: between two steps, as an interrupt does. `changes`: between any two changes of a node. */
  readonly between: 'steps' | 'changes';
  /** Try every n-th point only. */
  readonly every?: number;
  /** Container of which no two versions may ever run at once. */
  readonly neverMixed?: string;
}

/**
 * Kills a run at every point, plans and runs again, and looks whether the nodes end as they do without a killing.
 * Gives one line for each point where they do not.
 */
export async function killEverywhere(killing: Killing): Promise<{ points: number; problems: string[] }> {
  const { site, verb, choice } = killing;
  const world = killing.start();
  const mixed = watchVersions(killing, world);
  const plan = must(site.plan(verb, observe(world), choice));
  // The nodes as a killing at each point would leave them.
  const snapshots = [copyOf(world)];
  if (killing.between === 'steps') {
    const onEvent = ({ event }: RunEvent) => {
      if (event === 'done') snapshots.push(copyOf(world));
    };
    await carryOut(plan, world, { forks: 1, onEvent });
  } else {
    const watch = world.after;
    world.after = (operation) => {
      watch(operation);
      snapshots.push(copyOf(world));
    };
    await carryOut(plan, world);
  }
  const wanted = stateOf(world);
  const problems = mixed.map((moment) => `undisturbed: two versions ran at once: ${moment}`);
  const points = [...snapshots.entries()].filter(([at]) => at % (killing.every ?? 1) === 0);
  for (const [at, snapshot] of points) {
    const problem = await resume(killing, snapshot, wanted);
    if (problem !== undefined) problems.push(`killed after ${at} ${killing.between}: ${problem}`);
  }
  return { points: points.length, problems };
}

function watchVersions(killing: Killing, world: SimulatedWorld): string[] {
  return killing.neverMixed === undefined ? [] : watchForMixedVersions(world, killing.neverMixed);
}

async function resume(killing: Killing, world: SimulatedWorld, wanted: unknown): Promise<string | undefined> {
  const { site, verb, choice } = killing;
  const mixed = watchVersions(killing, world);
  const second = site.plan(verb, observe(world), choice);
  if (!second.ok) return `refused: ${second.diagnostics.map(formatDiagnostic).join('; ')}`;
  const [failed] = (await carryOut(second.value, world)).failed;
  if (failed) return `${failed.step.id}: ${failed.diagnostics.map(formatDiagnostic).join('; ')}`;
  const third = must(site.plan(verb, observe(world), choice));
  if (third.steps.length > 0) return `a third run would do something: ${planText(third)}`;
  if (!isDeepStrictEqual(stateOf(world), wanted)) return 'the nodes end in another state';
  return mixed.length > 0 ? `two versions of ${killing.neverMixed} ran at once: ${mixed[0]}` : undefined;
}
