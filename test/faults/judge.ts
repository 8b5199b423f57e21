import type { ContainerName } from '../../src/core/model/node.ts';
import { lastLines } from '../lab/command.ts';
import type { Attempt } from './attempt.ts';
import type { Scenario } from './scenarios.ts';
import { differences, fingerprint, type NodeState, staleProcesses } from './state.ts';
import type { BalancerLook, EngineEvent } from './watch.ts';

/** The state that an undisturbed run leads to. */
export interface Reference {
  readonly facts: ReadonlyMap<string, string>;
  readonly schema: string;
}

const lockLimitMs = 1000;
const atLeast = 2;

/** What is wrong with a course of deaths and the run that followed; nothing when all is as it has to be. */
export function judge(scenario: Scenario, attempt: Attempt, reference: Reference): readonly string[] {
  const { deaths, throughBefore, last, before, after, watched, schema } = attempt;
  const { facts } = reference;
  return [
    ...deaths.flatMap(({ problem }) => problem ?? []),
    ...deaths
      .filter(({ locksFree }) => !(locksFree < lockLimitMs))
      .map(({ locksFree }) => `a lock was free only ${Math.round(locksFree)} ms after the death`),
    ...(last.code === 0 ? [] : [`the same command ended with ${last.code}: ${lastLines(last.stderr, 3)}`]),
    ...deaths
      .slice(throughBefore ? deaths.length : -1)
      .flatMap(({ run }) => (last.stderr.includes(run) ? [] : [`it says nothing of run ${run}`])),
    ...differences(facts, fingerprint(after)),
    ...(schema === reference.schema ? [] : [`the schema is ${schema} instead of ${reference.schema}`]),
    ...Object.keys(scenario.apis).flatMap((api) => tooFewRunning(api, before, watched.events)),
    ...Object.values(scenario.apis).flatMap((backend) => tooFewTaking(backend, watched.looks)),
    ...migratedTwice(scenario, attempt),
    ...staleProcesses(after, [...scenario.replaced, ...scenario.reloaded]),
    ...touchedOthers(scenario, before, after),
  ];
}

/** By the engines' own record: on how many nodes a container of this kind ran, at every moment. */
export function tooFewRunning(
  api: ContainerName,
  before: readonly NodeState[],
  events: readonly EngineEvent[],
): readonly string[] {
  const running = new Map<string, string>();
  for (const { node, containers } of before) {
    for (const { name, id, running: runs } of containers) if (name === api && runs) running.set(id, node);
  }
  let fewest = { count: new Set(running.values()).size, event: undefined as EngineEvent | undefined };
  for (const event of events) {
    if (event.container !== api) continue;
    if (event.action === 'start') running.set(event.id, event.node);
    if (event.action === 'die') running.delete(event.id);
    const count = new Set(running.values()).size;
    if (count < fewest.count) fewest = { count, event };
  }
  if (fewest.count >= atLeast) return [];
  const { event } = fewest;
  const since = event === undefined ? 'from the beginning' : `after ${event.name} ${event.action} on ${event.node}`;
  return [`only ${fewest.count} of ${api} ran ${since}`];
}

/** By the load balancers' own word: to how many servers each of them sent requests, whenever it was asked. */
export function tooFewTaking(backend: string, looks: readonly BalancerLook[]): readonly string[] {
  const counts = looks.flatMap(({ node, at, taking }) => {
    const count = taking?.get(backend);
    return taking === undefined ? [] : [{ node, at, count: count ?? 0 }];
  });
  if (!looks.some(({ taking }) => taking?.has(backend))) return [`no load balancer said anything of ${backend}`];
  const few = counts.filter(({ count }) => count < atLeast);
  const [first, final] = [few[0], few.at(-1)];
  if (first === undefined || final === undefined) return [];
  const fewest = Math.min(...few.map(({ count }) => count));
  return [
    `${first.node} sent requests of ${backend} to ${fewest} servers (${few.length} looks in ${final.at - first.at} ms)`,
  ];
}

/** A migration may run again only as long as nothing says that it has run; two are never at it at once. */
export function migratedTwice({ oneShot }: Scenario, { deaths, watched }: Attempt): readonly string[] {
  if (oneShot === undefined) return [];
  const events = watched.events.filter(({ container }) => container === oneShot);
  const ends = events.filter(({ action }) => action === 'die');
  const failed = ends.filter(({ exitCode }) => exitCode !== '0');
  const starts = events.filter(({ action }) => action === 'start');
  const unnoted = deaths.filter(({ migrationNoted }) => !migrationNoted).length;
  let live = 0;
  const most = Math.max(
    0,
    ...events.map(({ action }) => {
      live += action === 'start' ? 1 : action === 'die' ? -1 : 0;
      return live;
    }),
  );
  return [
    ...(ends.length === 0 ? [`${oneShot} never ran`] : []),
    ...(failed.length > 0 ? [`${oneShot} ended with ${failed.map(({ exitCode }) => exitCode).join(', ')}`] : []),
    ...(starts.length > ends.length ? [`${oneShot} still ran at the end`] : []),
    ...(ends.length > unnoted + 1 ? [`${oneShot} ran ${ends.length} times, although it was noted that it had`] : []),
    ...(most > 1 ? [`${most} of ${oneShot} were at it at once`] : []),
  ];
}

/** How often the migration ran to its end. */
export function migrations({ oneShot }: Scenario, { watched }: Attempt): number {
  return watched.events.filter(({ container, action }) => container === oneShot && action === 'die').length;
}

/** Containers that the change does not concern are the same ones, and have not been started anew. */
function touchedOthers(
  { replaced }: Scenario,
  before: readonly NodeState[],
  after: readonly NodeState[],
): readonly string[] {
  const keys = (states: readonly NodeState[]) =>
    states.flatMap(({ node, containers }) =>
      containers
        .filter(({ name }) => !replaced.some((one) => name === one || name.startsWith(`${one}__`)))
        .map(({ name, id, startedAt }) => `${node} ${name} (${id.slice(0, 12)}, started ${startedAt})`),
    );
  const now = new Set(keys(after));
  return keys(before)
    .filter((key) => !now.has(key))
    .map((key) => `touched although it is none of its business: ${key}`);
}
