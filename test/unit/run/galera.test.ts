import { describe, expect, it } from 'vitest';
import type { Recovered } from '../../../src/core/galera/evidence.ts';
import { DeployError, type ExitCode, error, exitCode } from '../../../src/core/model/diagnostic.ts';
import type { StepOf } from '../../../src/core/plan/steps.ts';
import { findPosition, keepState, waitUntilSynced } from '../../../src/run/galera.ts';
import type { ContainerInspection, ExecResult, NodePort } from '../../../src/run/ports.ts';
import type { StepContext } from '../../../src/run/step-context.ts';

const uuid = '6ff7df2c-0000-11f0-b1e7-1f6a5a3e0f2b';

/** What a step did to its node, in order, and what it said. */
function world(node: Partial<NodePort>) {
  const told: string[] = [];
  const did: string[] = [];
  const found: Recovered[] = [];
  let now = 0;
  const noted = {
    writeMarker: async (key: string) => void did.push(`mark ${key}`),
    writeFiles: async (files: readonly { path: string; content: string }[]) => {
      for (const { path, content } of files) did.push(`write ${path}: ${content.trim().split('\n').pop()}`);
    },
    remove: async (name: string) => void did.push(`remove ${name}`),
    create: async (name: string) => {
      did.push(`create ${name}`);
      return 'id';
    },
    start: async (name: string) => void did.push(`start ${name}`),
    wait: async (name: string) => {
      did.push(`wait ${name}`);
      return 0;
    },
    logs: async () => '',
    inspect: async () => undefined,
  };
  const clock = {
    now: () => now,
    sleep: async (ms: number) => {
      now += ms;
    },
  };
  const context = {
    node: { host: 'node1', ...noted, ...node },
    clock,
    runId: 'run1',
    progress: (line: string) => void told.push(line),
    onPosition: (_: string, one: Recovered) => void found.push(one),
  } as unknown as StepContext;
  return { context, told, did, found };
}

const step = { host: 'node1', container: 'mariadb', members: 3, patienceSeconds: 60, deadlineSeconds: 600 };
const synced = { ...step, marker: { key: 'galera.recovered', value: 'yes' } } as unknown as StepOf<'galera-synced'>;

const running = { id: '1', running: true, exitCode: 0, restartCount: 0, startedAt: '' } satisfies ContainerInspection;

function status(state: string, size: number, cluster = 'Primary'): ExecResult {
  const values = { cluster_status: cluster, local_state_comment: state, cluster_size: size, last_committed: 7 };
  const ready = state === 'Synced' ? 'ON' : 'OFF';
  const lines = Object.entries({ ...values, ready }).map(([name, value]) => `wsrep_${name}\t${value}\n`);
  return { code: 0, stdout: lines.join(''), stderr: '' };
}

function answers(...said: readonly ExecResult[]) {
  let at = 0;
  return async () => said[Math.min(at++, said.length - 1)] ?? status('Synced', 3);
}

const silent = (megabytes: number) => ({ code: 1, stdout: `WSREP: Requesting SST\n${megabytes}\n`, stderr: '' });

describe('waiting for a member', () => {
  it('ends when it is Synced in a Primary component of that size, and not before', async () => {
    const { context, told, did } = world({
      inspect: async () => running,
      exec: answers(silent(10), silent(20), status('Joined', 3), status('Synced', 2), status('Synced', 3)),
    });
    expect(await waitUntilSynced(synced, context)).toBe('Synced, 3 members, seqno 7');
    expect(told).toEqual([
      'no answer yet, 10 MB of data; it logged: Requesting SST, after 0 s',
      'no answer yet, 20 MB of data; it logged: Requesting SST, after 1 s',
      'Joined, 3 members, seqno 7, after 2 s',
      'Synced, 2 members, seqno 7, after 3 s',
    ]);
    expect(did).toEqual(['mark galera.recovered']);
  });

  it('goes on when it ended while it was asked, and not when its node cannot be asked', async () => {
    let asked = 0;
    const exit = { failed: exitCode.failed, lost: exitCode.nodeNotUsable };
    const throwing = (code: ExitCode) => async () => {
      asked += 1;
      if (asked === 1) throw new DeployError([error('engine', 'the container is restarting')], code);
      return status('Synced', 3);
    };
    const { context, told } = world({ inspect: async () => running, exec: throwing(exit.failed) });
    expect(await waitUntilSynced(synced, context)).toBe('Synced, 3 members, seqno 7');
    expect(told).toEqual(['ended, or hung, while it was asked, after 0 s']);
    asked = 0;
    const lost = world({ inspect: async () => running, exec: throwing(exit.lost) });
    await expect(waitUntilSynced(synced, lost.context)).rejects.toThrow('restarting');
  });

  it('has patience as long as anything changes, and none with a component that is not Primary', async () => {
    let megabytes = 0;
    const slow = async () => {
      megabytes += 1;
      return megabytes < 200 ? silent(Math.floor(megabytes / 30)) : status('Synced', 3);
    };
    expect(await waitUntilSynced(synced, world({ inspect: async () => running, exec: slow }).context)).toBeDefined();
    const split = world({ inspect: async () => running, exec: answers(status('Synced', 3, 'non-Primary')) });
    await expect(waitUntilSynced(synced, split.context)).rejects.toThrow(
      'mariadb is not Synced and made no progress for 60 s: non-Primary, Synced, 3 members, seqno 7',
    );
    expect(split.did).toEqual([]);
  });

  it('gives up on one that is started again and again, or has gone', async () => {
    const looping = world({ inspect: async () => ({ ...running, restartCount: 5 }), exec: answers(silent(1)) });
    await expect(waitUntilSynced(synced, looping.context)).rejects.toThrow('mariadb does not stay up');
    await expect(waitUntilSynced(synced, world({}).context)).rejects.toThrow('mariadb has gone');
  });

  it('gives up soon on one that ended and is not started again', async () => {
    let looks = 0;
    const inspect = async () => ({ ...running, running: ++looks === 2, exitCode: 137 });
    const ended = world({ inspect, exec: answers(silent(1)) });
    const problem = waitUntilSynced(synced, ended.context);
    await expect(problem).rejects.toThrow('mariadb ended with 137 and is not started again');
    expect(looks).toBe(8);
  });

  it('does not take commits of one that is Synced for progress of those that are missing', async () => {
    let seqno = 0;
    const exec = async () => {
      const { stdout, ...rest } = status('Synced', 2);
      return { ...rest, stdout: stdout.replace(/committed\t7/, `committed\t${seqno++}`) };
    };
    const patient = { ...synced, patienceSeconds: 300 } as StepOf<'galera-synced'>;
    const lonely = world({ inspect: async () => running, exec });
    await expect(waitUntilSynced(patient, lonely.context)).rejects.toThrow('is Synced, but not all others are with it');
    expect(seqno).toBeLessThan(70);
  });
});

describe('finding a position', () => {
  const find = {
    host: 'node1',
    name: 'recovery',
    spec: {},
    labels: {},
    timeoutSeconds: 60,
  } as unknown as StepOf<'galera-position'>;

  it('takes what its own container said, and clears it away', async () => {
    const logs = async () => `WSREP: Recovered position: ${uuid}:41\n`;
    const { context, did, found } = world({ logs });
    expect(await findPosition(find, context)).toBe(`${uuid}:41`);
    expect(found).toEqual([{ kind: 'position', position: { uuid, seqno: 41n } }]);
    expect(did).toEqual(['remove recovery', 'create recovery', 'start recovery', 'wait recovery', 'remove recovery']);
  });

  it('is an answer too when there is none', async () => {
    const { context, found } = world({ wait: async () => 1, logs: async () => '[ERROR] InnoDB: corrupt\n' });
    expect(await findPosition(find, context)).toBe('no position: [ERROR] InnoDB: corrupt (exit 1)');
    expect(found).toEqual([{ kind: 'failed', exitCode: 1, why: '[ERROR] InnoDB: corrupt' }]);
  });

  it('never runs beside one that an interrupted run has left', async () => {
    const { context, did } = world({ inspect: async () => running, logs: async () => '' });
    await findPosition(find, context);
    expect(did.slice(0, 2)).toEqual(['wait recovery', 'remove recovery']);
  });
});

describe('keeping the state of a member', () => {
  const keep = { host: 'node1', container: 'mariadb', volume: 'mariadb', keep: '/etc/kolla/.deploy/galera' };
  const texts = new Map([['grastate.dat', `uuid: ${uuid}\nseqno: 7\nsafe_to_bootstrap: 0\n`]]);
  const readVolume = async () => ({ mountpoint: '/volumes/mariadb', entries: ['grastate.dat'], texts });

  it('copies it aside, where no state transfer comes', async () => {
    const { context, did } = world({ readVolume });
    await keepState(keep as unknown as StepOf<'galera-state'>, context);
    expect(did).toEqual(['write /etc/kolla/.deploy/galera/run1/grastate.dat: safe_to_bootstrap: 0']);
  });

  it('and only then lets it form a cluster; without its data it never does', async () => {
    const bootstrap = { ...keep, bootstrap: { uuid } } as unknown as StepOf<'galera-state'>;
    const { context, did } = world({ readVolume });
    await keepState(bootstrap, context);
    expect(did).toEqual([
      'write /etc/kolla/.deploy/galera/run1/grastate.dat: safe_to_bootstrap: 0',
      'write /volumes/mariadb/grastate.dat: safe_to_bootstrap: 1',
    ]);
    const gone = world({ readVolume: async () => undefined });
    await expect(keepState(bootstrap, gone.context)).rejects.toThrow('there is no volume mariadb');
    expect(gone.did).toEqual([]);
  });
});
