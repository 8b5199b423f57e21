import { describe, expect, it } from 'vitest';
import { DeployError, error, exitCode } from '../../../src/core/model/diagnostic.ts';
import { Secret } from '../../../src/core/model/secret.ts';
import type { Plan, StepOf } from '../../../src/core/plan/steps.ts';
import { unfinishedText } from '../../../src/report/interrupt-text.ts';
import type { NodePort } from '../../../src/run/ports.ts';
import { type RunEvent, runPlan } from '../../../src/run/run.ts';
import type { StepContext } from '../../../src/run/step-context.ts';
import { runTask } from '../../../src/run/task.ts';

const step = {
  kind: 'task',
  what: 'take a full backup',
  host: 'node3',
  name: 'mariabackup',
  spec: {},
  labels: {},
  directory: '/var/lib/kolla/config_files',
  files: [{ name: 'backup.cnf', content: new Secret('only-for-backups') }],
  timeoutSeconds: 60,
} as unknown as StepOf<'task'>;

interface Given {
  /** Seconds for which a container runs; 2 if nothing is said. */
  readonly seconds?: number;
  readonly exitCode?: number;
  /** An earlier run has left one behind, which runs so many seconds more. */
  readonly left?: number;
  /** The run is told to stop after so many seconds. */
  readonly toldToStop?: number;
  /** Calls of the node that do not work; `inspect` only once a container was started. */
  readonly fails?: Partial<Record<keyof NodePort, Error>>;
}

/** One node with at most one container, and the files that were put into it. */
function world(given: Given) {
  const did: string[] = [];
  const stop = new AbortController();
  let now = 0;
  let files: readonly string[] = [];
  let until: number | undefined = given.left === undefined ? undefined : given.left * 1000;
  let there = until !== undefined;
  if (there) files = ['old backup.cnf'];
  const call = (name: keyof NodePort, work: () => void) => async () => {
    const problem = given.fails?.[name];
    if (problem) throw problem;
    did.push(name);
    work();
  };
  const node = {
    host: 'node3',
    inspect: async () => {
      const problem = until !== undefined && given.fails?.inspect;
      if (problem) throw problem;
      return there ? { running: until !== undefined && now < until, exitCode: given.exitCode ?? 0 } : undefined;
    },
    create: call('create', () => {
      there = true;
      until = undefined;
    }),
    putFiles: async (_: string, __: string, put: readonly { name: string; mode: number }[]) => {
      await call('putFiles', () => undefined)();
      files = put.map(({ name, mode }) => `${name} ${mode.toString(8)}`);
    },
    start: call('start', () => {
      until = now + (given.seconds ?? 2) * 1000;
    }),
    stop: call('stop', () => {
      if (until !== undefined) until = Math.min(until, now);
    }),
    remove: call('remove', () => {
      there = false;
      files = [];
    }),
    logs: async () => {
      if (given.fails?.logs) throw given.fails.logs;
      return 'reads 3 MB\nfull, 1 MB compressed\n';
    },
  };
  const clock = {
    now: () => now,
    sleep: async (ms: number) => {
      now += ms;
      if (given.toldToStop !== undefined && now >= given.toldToStop * 1000) stop.abort();
    },
  };
  const told: string[] = [];
  const progress = (line: string) => void told.push(line);
  const context = { node, clock, runId: 'run1', interrupted: stop.signal, progress } as unknown as StepContext;
  return { context, did, told, now: () => now, left: () => ({ there, files }) };
}

async function failureOf(work: Promise<unknown>): Promise<DeployError> {
  const failure = await work.then(
    () => undefined,
    (cause: unknown) => cause,
  );
  if (!(failure instanceof Error)) throw new Error('it did not fail');
  return failure as DeployError;
}

const nothing = { there: false, files: [] };

describe('a container that does one thing', () => {
  it('tells its last line and is gone, with its password', async () => {
    const { context, did, told, left } = world({});
    expect(await runTask(step, context)).toBe('full, 1 MB compressed');
    expect(told).toEqual(['reads 3 MB\nfull, 1 MB compressed']);
    expect(did).toEqual(['remove', 'create', 'putFiles', 'start', 'remove']);
    expect(left()).toEqual(nothing);
  });

  it.each<[string, Given, string]>([
    ['it fails', { exitCode: 3 }, 'mariabackup ended with 3; it said last:\n      reads 3 MB'],
    ['it takes too long', { seconds: 1e6 }, 'mariabackup did not end within 60 s: reads 3 MB'],
    ['the run is told to stop', { seconds: 1e6, toldToStop: 5 }, 'mariabackup was ended: the run was told to stop'],
    ['it cannot be started', { fails: { start: new Error('no such device') } }, 'no such device'],
    ['its files cannot be put there', { fails: { putFiles: new Error('read-only') } }, 'read-only'],
    ['its log cannot be read', { fails: { logs: new Error('no log') } }, 'no log'],
    ['one of an earlier run does not end', { left: 1e6 }, 'mariabackup did not end within 60 s'],
    ['the run is told to stop meanwhile', { left: 1e6, toldToStop: 5 }, 'mariabackup was ended: the run was told'],
  ])('is gone with its password when %s', async (_, given, said) => {
    const { context, did, left, now } = world(given);
    const { message } = await failureOf(runTask(step, context));
    expect(message).toContain(said);
    expect(message).not.toContain('only-for-backups');
    expect(did.slice(-2)).toEqual(['stop', 'remove']);
    expect(left()).toEqual(nothing);
    if (given.toldToStop !== undefined) expect(now()).toBe(given.toldToStop * 1000);
  });

  it('waits for the one that a killed run has left behind, and then begins its own', async () => {
    const { context, did, told, left, now } = world({ left: 30, seconds: 10 });
    expect(await runTask(step, context)).toBe('full, 1 MB compressed');
    expect(now()).toBe(40_000);
    expect(told[0]).toBe('waiting for the mariabackup of an earlier run');
    expect(did).toEqual(['remove', 'create', 'putFiles', 'start', 'remove']);
    expect(left()).toEqual(nothing);
  });

  it('says so where it cannot be removed, and what went wrong before', async () => {
    const lost = new DeployError([error('connection-lost', 'the SSH connection was lost')], exitCode.nodeNotUsable);
    const { context, left } = world({ fails: { inspect: lost, stop: lost }, seconds: 1e6 });
    const { diagnostics, exit } = await failureOf(runTask(step, context));
    expect(exit).toBe(exitCode.nodeNotUsable);
    expect(diagnostics.map(({ severity, code, host }) => `${severity} ${code} ${host ?? ''}`)).toEqual([
      'error connection-lost ',
      'warning task-left node3',
    ]);
    expect(diagnostics[1]?.message).toBe(
      'mariabackup could not be removed, and may run on: the SSH connection was lost',
    );
    expect(diagnostics[1]?.hint).toContain('docker rm --force mariabackup');
    expect(left()).toEqual({ there: true, files: ['backup.cnf 600'] });
  });

  it('is ended by a run that is told to stop, which waits for nothing else', async () => {
    const { context, did, left } = world({ seconds: 1e6 });
    const stop = new AbortController();
    const plan = { steps: [{ ...step, id: 'take', needs: [] }], waysBack: [] } as unknown as Plan;
    const ports = { ...context, nodes: new Map([['node3', context.node]]) };
    const onEvent = ({ event }: RunEvent) => {
      if (event === 'progress') stop.abort();
    };
    const result = await runPlan(plan, ports, { runId: 'run1', forks: 1, perHost: 1, signal: stop.signal, onEvent });
    expect(result.failed[0]?.diagnostics[0]?.message).toBe('mariabackup was ended: the run was told to stop');
    expect(did.slice(-2)).toEqual(['stop', 'remove']);
    expect(left()).toEqual(nothing);
    expect(unfinishedText({ running: [step], still: [] })).toContain('take a full backup (is ended now)');
  });
});
