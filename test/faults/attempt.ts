import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { listRuns, readRun, stateDirectory } from '../../src/edge/store/journal.ts';
import { LabError, labEnvironment, lastLines } from '../lab/command.ts';
import { deploy, type Ran } from '../lab/job/deploy-command.ts';
import type { Lab } from '../lab/raise.ts';
import { cloneRoot } from '../lab/settings.ts';
import { type Inside, insideNodes, untilFree } from './inside.ts';
import type { BegunStep, Point } from './points.ts';
import type { End, Scenario } from './scenarios.ts';
import { captureAll, markersOf, type NodeState } from './state.ts';
import { type Watched, watch } from './watch.ts';

/** Where runs are made to die. */
export interface Ground {
  readonly lab: Lab;
  readonly nodes: readonly Inside[];
}

/** What became of one run that was to be killed. */
export interface Death {
  readonly point: Point;
  readonly run: string;
  /** Seconds the run lived. */
  readonly seconds: number;
  /** The step it died in, by its journal. */
  readonly where: string;
  /** Why it cannot count as killed there. */
  readonly problem?: string | undefined;
  /** Exit code of a run that ended by itself instead. */
  readonly ended?: number | undefined;
  /** Milliseconds until the last lock could be taken. */
  readonly locksFree: number;
  /** The nodes have it noted that the migration ran. */
  readonly migrationNoted: boolean;
  /** Ids of the steps the run had ended. */
  readonly done: readonly string[];
}

export interface Attempt {
  readonly end: End;
  readonly deaths: readonly Death[];
  /** Points the course never came to: what went on side by side had got past them before. */
  readonly passed: readonly Point[];
  /** A run that was to be killed was through before it came there: it, and not the last one, went on after a death. */
  readonly throughBefore: boolean;
  /** The same command again, to its end. */
  readonly last: Ran;
  readonly before: readonly NodeState[];
  readonly after: readonly NodeState[];
  readonly watched: Watched;
  readonly schema: string;
}

/** Journals of the killed are kept apart from those of whoever runs this. */
export async function prepareGround(lab: Lab): Promise<Ground> {
  const variables = { ...lab.variables, XDG_STATE_HOME: join(cloneRoot(), '.lab', 'faults') };
  return { lab: { ...lab, variables }, nodes: await insideNodes() };
}

/** The same command until it ends by itself: killed at each of these points, then undisturbed. */
export async function attempt(
  ground: Ground,
  scenario: Scenario,
  end: End,
  points: readonly Point[],
): Promise<Attempt> {
  const { lab, nodes } = ground;
  await scenario.prepare(lab, end);
  if (points.some(({ kind }) => kind === 'pull')) await scenario.forget?.(nodes, end);
  const watching = await watch(nodes);
  const before = await captureAll(nodes);
  const deaths: Death[] = [];
  const passed: Point[] = [];
  let throughBefore = false;
  for (const point of points) {
    if (throughBefore || deaths.some(({ done }) => done.includes(point.id))) passed.push(point);
    else {
      const death = await dieAt(ground, scenario, end, point, before);
      // The node may have been through with the step when the run before died, without its being noted.
      throughBefore = death.ended === 0 && deaths.length > 0;
      if (throughBefore) passed.push(point);
      else deaths.push(death);
    }
  }
  const last = await deploy(lab, scenario.args(end));
  const after = await captureAll(nodes);
  const watched = await watching.stop();
  const schema = (await scenario.schema?.(lab)) ?? '';
  return { end, deaths, passed, throughBefore, last, before, after, watched, schema };
}

/**
 * A run that nobody disturbs; it must succeed. With `whole`, nothing of what it does has been done before: its images
 * have to be pulled too. Gives its steps in the order they began.
 */
export async function undisturbed(
  { lab, nodes }: Ground,
  scenario: Scenario,
  end: End,
  whole = false,
): Promise<{ readonly steps: readonly BegunStep[]; readonly seconds: number }> {
  await scenario.prepare(lab, end);
  if (whole) await scenario.forget?.(nodes, end);
  const known = await newestRun(lab);
  const ran = await deploy(lab, scenario.args(end));
  if (ran.code !== 0) {
    const said = `${lastLines(ran.stdout, 20)}\n${lastLines(ran.stderr, 20)}`;
    throw new LabError(`${ran.command} ended with ${ran.code} although nobody disturbed it:\n${said}`);
  }
  const newest = await newestRun(lab);
  const journal = newest === known ? undefined : await journalOf(lab, newest);
  const steps = (journal?.entries ?? []).flatMap((entry) => (entry.event === 'started' ? [entry] : []));
  return { steps, seconds: ran.seconds };
}

async function dieAt(
  { lab, nodes }: Ground,
  scenario: Scenario,
  end: End,
  point: Point,
  before: readonly NodeState[],
): Promise<Death> {
  const known = await newestRun(lab);
  const started = performance.now();
  const child = spawn(process.execPath, [join(cloneRoot(), 'dist', 'cli', 'main.js'), ...scenario.args(end)], {
    env: labEnvironment({ ...lab.variables, DEPLOY_TEST: '1', DEPLOY_FAILPOINT: `${point.id}:${point.when}:1=kill` }),
    stdio: 'ignore',
    timeout: 900_000,
    killSignal: 'SIGTERM',
  });
  const [code, signal] = (await once(child, 'exit')) as [number | null, string | null];
  const died = performance.now();
  const locksFree = await untilFree(nodes, died);
  const newest = await newestRun(lab);
  const ended = signal === 'SIGKILL' ? undefined : `it was never reached: the run ended with ${code ?? signal}`;
  const seen = newest === known ? undefined : await whereItDied(lab, newest, point);
  return {
    point,
    run: newest,
    seconds: (died - started) / 1000,
    where: seen?.where ?? '',
    problem: ended ?? (seen === undefined ? 'the killed run left no journal' : seen.problem),
    ended: signal === 'SIGKILL' ? undefined : (code ?? undefined),
    done: seen?.done ?? [],
    locksFree,
    migrationNoted: noted(scenario, before, nodes),
  };
}

function noted({ oneShot }: Scenario, before: readonly NodeState[], nodes: readonly Inside[]): boolean {
  const key = `run.${oneShot}`;
  return nodes.some((node) => {
    const was = before.find((state) => state.node === node.name)?.markers.get(key);
    return markersOf(node).get(key) !== was;
  });
}

/** The journal must show what a death at this point leaves of it: the step has begun, and is not noted as done. */
async function whereItDied(
  lab: Lab,
  run: string,
  { id, when }: Point,
): Promise<{ readonly where: string; readonly done: readonly string[]; readonly problem: string | undefined }> {
  const { entries, end } = await journalOf(lab, run);
  const done = entries.flatMap((entry) => (entry.event === 'done' ? [entry.id] : []));
  const at = entries.find((entry) => entry.event === 'started' && entry.id === id);
  const where = at?.event === 'started' ? `${at.host} ${at.text}` : '';
  if (end !== undefined) return { where, done, problem: 'its journal says that it ended' };
  if (at === undefined || done.includes(id)) {
    const problem = `${when} ${id}: its journal ${at === undefined ? 'has not begun it' : 'has it done already'}`;
    return { where, done, problem };
  }
  return { where, done, problem: undefined };
}

async function newestRun(lab: Lab): Promise<string> {
  return (await listRuns(stateDirectory(lab.variables)))[0] ?? '';
}

async function journalOf(lab: Lab, id: string) {
  const journal = await readRun(stateDirectory(lab.variables), id);
  if (journal === undefined) throw new LabError(`run ${id} has no journal that can be read`);
  return journal;
}
