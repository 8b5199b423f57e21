import { describe, expect, it } from 'vitest';
import { error } from '../../../src/core/model/diagnostic.ts';
import type { Journal } from '../../../src/core/model/journal.ts';
import { failedSteps, failuresText, stoppedText } from '../../../src/report/failure-text.ts';
import { historyText, runText } from '../../../src/report/history-text.ts';
import { createProgress } from '../../../src/report/progress.ts';
import { step } from '../../sim/order.ts';
import { carryOut, change, emptyWorld, observe } from '../../sim/scenario.ts';
import { must, SimulatedSite } from '../../sim/site.ts';

const site = new SimulatedSite();
const deployed = emptyWorld(site);
const fresh = await change(site, deployed, 'deploy');

/** What is told at the end of a first deployment in which these calls fail. */
async function endOf(failing: readonly (readonly [host: string, call: string, subject: string])[], json = false) {
  const world = emptyWorld(site);
  world.before = ({ host, call, subject }) => {
    if (failing.some(([h, c, s]) => h === host && c === call && subject.includes(s))) throw new Error('disk full');
  };
  const [lines, data]: [string[], unknown[]] = [[], []];
  const sink = { json, line: (text: string) => void lines.push(text), data: (one: unknown) => void data.push(one) };
  const progress = createProgress(sink, () => 0);
  const result = await carryOut(fresh, world, { onEvent: (event) => progress.event(event) });
  progress.summary(result);
  return { told: lines.slice(-2), summary: data.at(-1), left: result.left.length };
}

describe('the end of a run', () => {
  it('tells all failures once more: by host, with what each kept from starting', async () => {
    const { told, left } = await endOf([
      ['node2', 'pull', 'heat-engine'],
      ['node2', 'pull', 'keystone'],
      ['node3', 'pull', 'heat-api-cfn'],
    ]);
    const lines = told[0]?.split('\n') ?? [];
    expect(lines[1]).toMatch(/^3 steps failed on node2, node3:$/);
    expect(lines).toContain('  node2');
    expect(lines).toContainEqual(expect.stringContaining('    heat: pull heat-engine'));
    expect(lines.filter((line) => line === '      disk full')).toHaveLength(3);
    const counted = [...(told[0] ?? '').matchAll(/ (\d+) steps? not started because of it/g)].map(([, n]) => Number(n));
    expect(counted.reduce((sum, n) => sum + n, 0)).toBe(left);
    expect(told[1]).toContain('3 failed');
  });

  it('tells programs the same', async () => {
    const { summary, left } = await endOf([['node2', 'start', 'heat_engine']], true);
    expect(summary).toMatchObject({
      event: 'summary',
      failed: 1,
      left,
      failures: [
        {
          id: 'heat/node2/start/heat_engine',
          host: 'node2',
          service: 'heat',
          text: 'start heat_engine',
          problems: [{ message: 'disk full' }],
          notStarted: left,
        },
      ],
    });
  });

  it('folds hosts where the same failed, and leaves out what containers logged', () => {
    const failed = fresh.steps
      .filter((one) => one.kind === 'start' && one.container === 'cron')
      .map((step) => ({
        step,
        diagnostics: [error('x', 'cron ended with 1; it logged last:\n  a\n  b', { host: step.host, hint: 'look' })],
      }));
    const counts = new Map(failed.map(({ step }) => [step.id, 2]));
    expect(failuresText(failedSteps(failed, counts))).toEqual([
      '3 steps failed on node1, node2, node3:',
      '  node1, node2, node3',
      '    common: start cron',
      '      cron ended with 1',
      '      look',
      '      6 steps not started because of it',
    ]);
  });

  it('says by name why too many failures ended it, and what is away until the next run', async () => {
    const newer = new SimulatedSite({ globals: 'openstack_tag: other\n' });
    const plan = must(newer.plan('upgrade', observe(deployed), { tags: ['heat'] }));
    const stop = step(plan, 'stop', 'heat_engine', 'node1');
    const failed = [{ step: step(plan, 'pull', 'heat-engine', 'node2') }];
    const left = plan.steps.filter((one) => one.kind === 'start' || (one.kind === 'stop' && one !== stop));
    const result = { left, failed, reverted: [], notReverted: [], tooManyFailed: ['node2'] };
    expect(stoppedText(plan, result, '--max-fail 0')).toEqual([
      `stopped: 1 host failed (node2), which is more than --max-fail 0 allows; ${left.length} steps were not started`,
      '  away until the next run, because their turn was cut short: heat_engine on node1',
    ]);
    const way = plan.waysBack.find(({ triggers }) => triggers.includes(stop.id));
    if (way === undefined) throw new Error('a way back was expected');
    expect(stoppedText(plan, { ...result, reverted: [{ way }] }, '--max-fail 0')).toHaveLength(1);
    expect(stoppedText(plan, { ...result, tooManyFailed: undefined }, '')).toEqual([]);
  });
});

describe('the history', () => {
  const named = { id: 's/node1/start/web', host: 'node1', service: 's', kind: 'start', text: 'start web' };
  const journal: Journal = {
    head: {
      event: 'run',
      format: 1,
      run: 'r1',
      verb: 'upgrade',
      argv: ['upgrade'],
      repeatable: true,
      user: 'op',
      from: 'control',
      pid: 1,
      site: 's',
      startedAt: '2026-01-01T00:00:00Z',
      hosts: ['node1'],
      steps: 2,
      skipped: [{ host: 'node2', why: 'cannot reach 192.0.2.12 port 22: no answer' }],
    },
    entries: [
      { event: 'started', ...named, at: 1, reason: 'why' },
      { event: 'failed', id: named.id, at: 2, problems: [{ message: 'it broke', hint: 'mend it' }] },
      { event: 'skipped', ...named, id: 'other', at: 2, because: named.id },
    ],
    end: { event: 'end', at: 3, exit: 1, done: 0, failed: 1, left: 1, tooManyFailed: ['node1'] },
  };

  it('names the hosts a run did without', () => {
    expect(historyText([journal])).toContain('failed, without node2');
    expect(runText(journal)).toContain('without node2: cannot reach 192.0.2.12 port 22: no answer\n');
  });

  it('ends with all failures and why the run was stopped', () => {
    const text = runText(journal);
    expect(text).toContain(
      '1 step failed on node1:\n  node1\n    s: start web\n      it broke\n      mend it\n      1 step not started because of it\n',
    );
    expect(text).toContain('stopped because too many hosts failed: node1');
  });
});
