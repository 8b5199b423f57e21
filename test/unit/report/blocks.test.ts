import { describe, expect, it } from 'vitest';
import type { FileDiff, Step, StepAction } from '../../../src/core/plan/steps.ts';
import { blocksOf } from '../../../src/report/blocks.ts';
import { diffLines } from '../../../src/report/diff-text.ts';

function replaced(host: string, before: readonly string[], more: Partial<Step> = {}): Step[] {
  const spec = { name: 'api', image: { repository: 'r/n/api', tag: 'v2', digest: 'd' } } as never;
  const actions: [StepAction, string][] = [
    [{ kind: 'create', container: 'api', as: 'api__next', spec, labels: {} }, 'image v1 → v2'],
    [{ kind: 'stop', container: 'api', graceSeconds: 1, aside: 'api__previous' }, 'makes room'],
    [{ kind: 'start', container: 'api', from: 'api__next' }, 'image v1 → v2'],
    [{ kind: 'healthy', container: 'api', deadlineSeconds: 1, patienceSeconds: 1 }, 'must serve'],
    [{ kind: 'remove', container: 'api__previous' }, 'its successor serves'],
  ];
  return actions.map(([action, reason], i) => {
    const base = { service: 'web', host, rollout: 'web/api', reason, impact: 'none' as const };
    const needs = i === 0 ? before : [`${host} ${actions[i - 1]?.[0].kind}`];
    const cost = action.kind === 'stop' ? { impact: 'replica', away: { count: 1, of: 3 }, ...more } : {};
    return { id: `${host} ${action.kind}`, ...base, needs, ...action, ...cost } as Step;
  });
}

const titles = (steps: readonly Step[]) => blocksOf(steps).map((block) => block.title);

describe('blocksOf', () => {
  it('makes one of what is alike on several hosts, with each step once', () => {
    const steps = [...replaced('a', []), ...replaced('b', ['a healthy']), ...replaced('c', ['b healthy'])];
    expect(blocksOf(steps)).toEqual([
      {
        service: 'web',
        title: 'replace api on a, b, c, one after another: image v1 → v2; 1 of 3 replicas away, none below 2',
        steps: [
          'create api__next from api:v2',
          'stop api and set it aside',
          'start api',
          'wait until api is healthy',
          'remove api__previous',
        ],
      },
    ]);
  });

  it.each<[string, Partial<Step>, readonly string[], string]>([
    [
      'a batch',
      { away: { count: 2, of: 6 } },
      ['b healthy'],
      '2 at a time: image v1 → v2; 2 of 6 replicas away, none below 4',
    ],
    [
      'all',
      { impact: 'service', away: { count: 3, of: 3 } },
      [],
      'all at once: image v1 → v2; all 3 away for seconds; calls wait',
    ],
    [
      'some of all',
      { impact: 'service', away: { count: 2, of: 3 } },
      [],
      'all at once: image v1 → v2; 2 of 3 away for seconds; calls wait',
    ],
    ['a whole group', { away: { count: 3, of: 3 } }, [], 'all at once: image v1 → v2; all 3 replicas away'],
  ])('says what is away: %s', (_, cost, before, text) => {
    const steps = [...replaced('a', [], cost), ...replaced('b', [], cost), ...replaced('c', before, cost)];
    expect(titles(steps)).toEqual([`replace api on a, b, c, ${text}`]);
  });

  it('says when the only replica is away', () => {
    expect(titles(replaced('a', [], { away: { count: 1, of: 1 } }))).toEqual([
      'replace api on a: image v1 → v2; the only replica away for seconds',
    ]);
  });

  it('keeps the order in which things happen, and other reasons apart', () => {
    const other = {
      id: 'x',
      service: 'web',
      host: 'a',
      needs: [],
      impact: 'none',
      reason: 'not yet',
      kind: 'wipe',
      volumes: [],
      paths: ['/x'],
      markers: [],
    } as Step;
    const stopped = replaced('b', ['a healthy']).map((step) =>
      step.reason === 'image v1 → v2' ? { ...step, reason: 'missing' } : step,
    );
    expect(titles([...replaced('a', []), other, ...stopped])).toEqual([
      'replace api on a: image v1 → v2; 1 of 3 replicas away, none below 2',
      'remove 1 files on a: not yet',
      'replace api on b: missing; 1 of 3 replicas away, none below 2',
    ]);
  });

  it('names the hosts of a step that is not needed on all', () => {
    const [, ...without] = replaced('b', []);
    const steps = [...replaced('a', []), ...without];
    expect(blocksOf(steps)[0]?.steps[0]).toBe('create api__next from api:v2');
    const write: Step = {
      ...(replaced('b', [])[0] as Step),
      id: 'w',
      kind: 'write',
      container: 'api',
      files: [],
      remove: ['/etc/kolla/api/x'],
    } as Step;
    expect(blocksOf([...replaced('a', []), write, ...replaced('b', [])])[0]?.steps.slice(0, 2)).toEqual([
      'remove api/x (b)',
      'create api__next from api:v2',
    ]);
  });
});

describe('diffLines', () => {
  const diff = (more: Partial<FileDiff>): FileDiff => ({
    path: '/etc/kolla/api/api.conf',
    container: 'api',
    service: 'web',
    hosts: ['a'],
    kind: 'changed',
    added: 1,
    removed: 1,
    text: '@@ -1,2 +1,2 @@\n host = a\n-x = 1\n+x = 2',
    ...more,
  });

  it('shows a change once, though the lines around it differ from host to host', () => {
    const lines = diffLines(
      [diff({}), diff({ hosts: ['b'], text: '@@ -1,2 +1,2 @@\n host = b\n-x = 1\n+x = 2' })],
      true,
    );
    expect(lines).toEqual([
      '  api/api.conf on a, b: 1 line added, 1 line removed',
      '    @@ -1,2 +1,2 @@',
      '     host = a',
      '    -x = 1',
      '    +x = 2',
    ]);
    expect(diffLines([diff({})], false)).toEqual(['  api/api.conf on a: 1 line added, 1 line removed']);
  });

  it('shows copies of a file once', () => {
    const [title] = diffLines([diff({}), diff({ path: '/etc/kolla/worker/api.conf', container: 'worker' })], true);
    expect(title).toBe('  api/api.conf, worker/api.conf on a: 1 line added, 1 line removed');
  });

  it('shows the first of many that differ', () => {
    const all = ['a', 'b', 'c', 'd', 'e'].map((host) =>
      diff({ hosts: [host], text: `@@ -1,1 +1,1 @@\n-x = ${host}\n+y = ${host}` }),
    );
    expect(diffLines(all, true)).toEqual([
      '  api/api.conf on a: 1 line added, 1 line removed',
      '    @@ -1,1 +1,1 @@',
      '    -x = a',
      '    +y = a',
      '  api/api.conf on b, c, d, e: alike, with other values',
    ]);
  });

  it('lists new files with their length, and says why there is nothing to show', () => {
    expect(
      diffLines(
        [
          diff({ kind: 'added', added: 3, removed: 0, text: '' }),
          diff({ path: '/etc/kolla/api/b', kind: 'added', added: 1, removed: 0, text: '' }),
          diff({ path: '/etc/kolla/api/c', added: 0, removed: 0, text: '', note: 'mode 0600 → 0660' }),
          diff({ path: '/etc/kolla/api/d', kind: 'removed', added: 0, removed: 1, text: '@@ -1,1 +0,0 @@\n-x' }),
        ],
        true,
      ),
    ).toEqual([
      '  new on a: api/api.conf (3 lines), api/b (1 line)',
      '  api/c on a: mode 0600 → 0660',
      '  api/d on a: the file goes away, 1 line removed',
      '    @@ -1,1 +0,0 @@',
      '    -x',
    ]);
  });
});
