import { describe, expect, it } from 'vitest';
import { error } from '../../../src/core/model/diagnostic.ts';
import type { Plan, Step, StepAction } from '../../../src/core/plan/steps.ts';
import { planJson, planText } from '../../../src/report/plan-text.ts';
import { createProgress } from '../../../src/report/progress.ts';
import { makeRedactor } from '../../../src/report/redact.ts';
import { statusText } from '../../../src/report/status-text.ts';
import { stepText } from '../../../src/report/step-text.ts';

function stepOf(action: StepAction, more: Partial<Step> = {}): Step {
  return { id: 'id', service: 'web', host: 'a', needs: [], reason: 'why', impact: 'none', ...more, ...action } as Step;
}

function planOf(...steps: Step[]): Plan {
  return { verb: 'deploy', site: 's', steps, notices: [], causes: [], drift: [], diffs: [], waysBack: [] };
}

const file = (name: string) => ({ path: `/etc/kolla/web/${name}`, content: 'top-secret', mode: '0660' });
const stop: StepAction = { kind: 'stop', container: 'web', graceSeconds: 5 };

describe('stepText', () => {
  it.each<[StepAction, string]>([
    [stop, 'stop web'],
    [{ ...stop, aside: 'web__previous' }, 'stop web and set it aside'],
    [{ kind: 'pull', image: { repository: 'r:5000/n/web', tag: 'v1', digest: 'd' } }, 'pull web:v1'],
    [{ kind: 'write', container: 'web', files: [file('a'), file('b')], remove: [] }, 'write web/a, web/b'],
    [
      { kind: 'write', container: 'web', files: ['a', 'b', 'c', 'd', 'e'].map(file), remove: [] },
      'write web/a, web/b, web/c and 2 more',
    ],
    [{ kind: 'write', container: 'web', files: [], remove: [file('a').path] }, 'remove web/a'],
    [
      { kind: 'wipe', volumes: ['data'], paths: ['/x'], markers: [] },
      'remove volumes data and ALL DATA in them, remove 1 files',
    ],
    [{ kind: 'wipe', volumes: [], paths: [], markers: ['m'] }, 'forget what was done'],
    [
      { kind: 'galera-check', container: 'mariadb', members: 3, servers: [], patienceSeconds: 1 },
      'check that 3 Galera members are Synced',
    ],
    [{ ...stop, maintenance: true }, 'hand over and stop web'],
    [
      { kind: 'rabbitmq-check', container: 'rabbitmq', members: 3, leaves: true, patienceSeconds: 1 },
      'wait until the RabbitMQ cluster is whole and can do without this member',
    ],
    [
      { kind: 'rabbitmq-check', container: 'rabbitmq', members: 3, leaves: false, patienceSeconds: 1 },
      'wait until rabbitmq is part of the RabbitMQ cluster',
    ],
    [
      { kind: 'rabbitmq', container: 'rabbitmq', order: 'forget', member: 'rabbit@b' },
      'forget the member rabbit@b, if it is one and does not run',
    ],
    [
      { kind: 'rabbitmq', container: 'rabbitmq', order: 'reset' },
      'reset rabbitmq: ALL MESSAGES, QUEUES AND USERS in it are removed',
    ],
  ])('%#: %s', (action, text) => {
    expect(stepText(stepOf(action))).toBe(text);
  });
});

describe('planText', () => {
  it('folds the same step on several hosts into one line and shows what it costs', () => {
    const text = planText(
      planOf(
        stepOf(stop, { impact: 'replica' }),
        stepOf(stop, { host: 'b', impact: 'replica' }),
        stepOf(stop, { host: 'c', reason: 'another reason', impact: 'service' }),
      ),
    );
    expect(text.split('\n')).toEqual([
      'deploy deploy: 3 steps on 3 hosts',
      '',
      'web',
      '  stop web on a, b: why; one replica away',
      '  stop web on c: another reason; service away',
    ]);
  });

  it('says so when there is nothing to do, after the notes', () => {
    expect(planText({ ...planOf(), notices: ['mind this'] })).toBe('note: mind this\ndeploy deploy: nothing to do');
  });
});

describe('planJson', () => {
  it('gives digests in place of contents', () => {
    const json = JSON.stringify(
      planJson(planOf(stepOf({ kind: 'write', container: 'web', files: [file('a')], remove: [] }))),
    );
    expect(json).not.toContain('top-secret');
    expect(JSON.parse(json).steps[0]).toMatchObject({
      text: 'write web/a',
      files: [{ path: '/etc/kolla/web/a', mode: '0660', sha256: expect.stringMatching(/^[0-9a-f]{64}$/) }],
    });
  });
});

describe('progress', () => {
  function progress(json: boolean) {
    const lines: unknown[] = [];
    let now = 1000;
    const sink = {
      json,
      line: (text: string) => void lines.push(text),
      data: (value: unknown) => void lines.push(value),
    };
    return {
      lines,
      pass: (ms: number) => {
        now += ms;
      },
      ...createProgress(sink, () => now),
    };
  }

  it('prints one line for a finished step and the diagnostics of a failed one', () => {
    const { lines, pass, event, summary } = progress(false);
    event({ event: 'started', step: stepOf(stop) });
    pass(2500);
    event({ event: 'done', step: stepOf(stop), note: 'was there', ms: 2500 });
    event({
      event: 'failed',
      step: stepOf(stop),
      diagnostics: [error('x', 'it broke', { host: 'a', hint: 'mend it' })],
    });
    summary({ done: 1, failed: [{ step: stepOf(stop), diagnostics: [] }], left: [] });
    expect(lines).toEqual([
      '   2.5s  a  stop web: done (was there) in 2.5 s',
      '   2.5s  a  stop web: FAILED\nerror: a: it broke\n    mend it',
      '\n1 step failed on a:\n  a\n    web: stop web\n',
      '1 steps done, 1 failed, 0 not started, in 2.5 s',
    ]);
  });

  it('gives one object for each event, without the contents of the step', () => {
    const { lines, event } = progress(true);
    event({ event: 'started', step: stepOf({ kind: 'write', container: 'web', files: [file('a')], remove: [] }) });
    expect(lines).toEqual([
      { event: 'started', id: 'id', host: 'a', service: 'web', kind: 'write', text: 'write web/a' },
    ]);
  });
});

describe('makeRedactor', () => {
  it('masks the longest of overlapping secrets and leaves short words alone', () => {
    const redact = makeRedactor(['password', 'password-long', 'yes']);
    expect(redact('password-long, password, yes')).toBe('‹secret›, ‹secret›, yes');
  });

  it('takes secrets literally, whatever characters they have', () => {
    expect(makeRedactor(['a.b*c$d'])('axbxcxd a.b*c$d')).toBe('axbxcxd ‹secret›');
    expect(makeRedactor([])('text')).toBe('text');
  });
});

describe('statusText', () => {
  it('aligns its columns and sums up', () => {
    const row = {
      container: 'web',
      host: 'a',
      state: 'running',
      health: 'healthy',
      image: 'r/n/web:v1',
      status: 'Up 3 minutes',
      good: true,
    };
    const text = statusText([row, { ...row, host: 'longer', state: 'missing', good: false }]);
    const [header = '', first = '', second = '', last] = text.split('\n');
    expect(header.indexOf('host')).toBe(second.indexOf('longer'));
    expect(first).toContain('web:v1');
    expect(last).toBe('1 of 2 containers are not healthy');
    expect(statusText([row])).toContain('all 1 containers are healthy');
  });
});
