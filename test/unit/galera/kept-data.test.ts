import { describe, expect, it } from 'vitest';
import { RecoveryTime } from '../../../src/cli/recovery-time.ts';
import type { Joiner } from '../../../src/core/galera/decision.ts';
import { copiesFor, keptNotice } from '../../../src/core/galera/kept-data.ts';
import type { ObservedNode } from '../../../src/core/model/node.ts';
import type { Step, StepOf } from '../../../src/core/plan/steps.ts';
import { copyData } from '../../../src/run/galera-copy.ts';
import type { RunEvent } from '../../../src/run/run.ts';
import type { StepContext } from '../../../src/run/step-context.ts';

const joiner = (host: string, own: Joiner['own'], loss = false): Joiner => ({ host, how: 'start', own, loss });
const gib = 1024 ** 2;

describe('copies of what a state transfer would replace', () => {
  it('are made of members that have data, where there is room', () => {
    const order = [joiner('a', 'older'), joiner('b', 'nothing'), joiner('c', 'foreign', true)];
    const size = { usedKib: 10 * gib, freeKib: 12 * gib };
    expect(copiesFor(order, new Map(['a', 'b', 'c'].map((host) => [host, size])))).toEqual({
      hosts: ['a', 'c'],
      notices: [],
      problems: [],
    });
  });

  it('are done without, and said to be, where the cluster has all of it; else nothing is begun', () => {
    const full = { usedKib: 10 * gib, freeKib: 10.5 * gib };
    const { hosts, notices, problems } = copiesFor(
      [joiner('a', 'older'), joiner('c', 'ahead', true)],
      new Map([
        ['a', full],
        ['c', full],
      ]),
    );
    expect(hosts).toEqual([]);
    expect(notices).toEqual([
      'a: no room for a copy of its data: 10.0 GiB, and 10.5 GiB are free where volumes are kept; none is made, all of it is in the cluster',
    ]);
    expect(problems.map(({ host, code }) => [host, code])).toEqual([['c', 'no-space']]);
    expect(copiesFor([joiner('c', 'ahead', true)], new Map()).problems).toHaveLength(1);
  });

  it('are named when another recovery comes, the one that is not complete as such', () => {
    const node = {
      volumes: ['mariadb', 'mariadb-kept-20260102T030405-older', 'other', 'mariadb-kept-20260102T020405-ahead'],
      markers: { 'galera.copying': 'mariadb-kept-20260102T030405-older' },
    } as unknown as ObservedNode;
    expect(keptNotice('node3', 'mariadb', node)).toEqual([
      'node3 has copies of data from earlier recoveries: mariadb-kept-20260102T020405-ahead, mariadb-kept-20260102T030405-older (not complete); docker volume rm mariadb-kept-20260102T020405-ahead mariadb-kept-20260102T030405-older removes them',
    ]);
    expect(keptNotice('node3', 'mariadb', { ...node, volumes: ['mariadb'] })).toEqual([]);
  });
});

describe('the step that makes one', () => {
  const step = {
    host: 'node3',
    kind: 'galera-copy',
    name: 'mariadb_copy_data',
    volume: 'mariadb',
    into: '/var/lib/mysql',
    own: 'foreign',
    spec: { volumes: ['mariadb:/source:ro'] },
    labels: {},
    timeoutSeconds: 9,
  } as unknown as StepOf<'galera-copy'>;

  function world(code: number) {
    const did: string[] = [];
    const note = (what: string) => async (name: unknown) => void did.push(`${what} ${String(name)}`);
    const node = {
      stop: note('stop'),
      remove: note('remove'),
      writeMarker: async (_: string, value: string) => void did.push(`copying ${value}`),
      removeMarkers: note('complete:'),
      create: async (_: string, spec: { volumes: string[] }) => void did.push(`create ${spec.volumes.join(' ')}`),
      start: note('start'),
      wait: async () => code,
      logs: async () => 'cp: no space left',
    };
    const context = { node, runId: '20260102T030405-abcdef', progress: () => undefined } as unknown as StepContext;
    return { did, context };
  }

  it('says on the node that it is not complete until it is', async () => {
    const { did, context } = world(0);
    const volume = 'mariadb-kept-20260102T030405-other-history';
    expect(await copyData(step, context)).toBe(`in ${volume}; docker volume rm ${volume} removes it`);
    expect(did).toEqual([
      `copying ${volume}`,
      'stop mariadb_copy_data',
      'remove mariadb_copy_data',
      `create mariadb:/source:ro ${volume}:/var/lib/mysql`,
      'start mariadb_copy_data',
      'remove mariadb_copy_data',
      'complete: galera.copying',
    ]);
  });

  it('fails with what was said, and begins anew in the volume it had begun', async () => {
    const { did, context } = world(1);
    const again = { ...step, begun: 'mariadb-kept-20260101T000000-ahead' };
    await expect(copyData(again, context)).rejects.toThrow(
      /mariadb-kept-20260101T000000-ahead ended with 1.*no space/s,
    );
    expect(did).not.toContain('complete: galera.copying');
  });
});

describe('the time a recovery took', () => {
  it('counts what servers need once, however many do, and leaves out what the operator thought about', async () => {
    let now = 0;
    const time = new RecoveryTime(() => now);
    expect(time.text()).toBeUndefined();
    const event = (what: 'started' | 'done', id: string, kind: string) =>
      time.event({ event: what, step: { id, kind } as Step, ms: 0 } as RunEvent);
    await time.without(async () => {
      now += 60_000;
    });
    event('started', 'w', 'write');
    now += 1_000;
    event('done', 'w', 'write');
    event('started', 'a', 'galera-synced');
    now += 2_000;
    event('started', 'b', 'stop');
    now += 3_000;
    event('done', 'a', 'galera-synced');
    now += 1_000;
    event('done', 'b', 'stop');
    now += 500;
    expect(time.text()).toMatch(/^all Synced after 7\.5 s, 6\.0 s of them the servers' own/);
  });
});
