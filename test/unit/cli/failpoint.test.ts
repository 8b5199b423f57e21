import { expect, it } from 'vitest';
import { failpointOf } from '../../../src/cli/failpoint.ts';
import type { Step } from '../../../src/core/plan/steps.ts';

const step = (kind: 'start' | 'remove'): Step => ({
  id: kind,
  service: 's',
  host: 'node1',
  needs: [],
  reason: '',
  impact: 'none',
  kind,
  container: 'c',
});

it('is not there without the variable, and refused outside of tests', () => {
  expect(failpointOf({})).toBeUndefined();
  expect(() => failpointOf({ DEPLOY_FAILPOINT: 'stop:after:1=kill' })).toThrow(/for tests only/);
});

it.each(['stop', 'stop:after=kill', 'stop:during:1=kill', 'stop:after:x=kill', 'stop:after:1=explode'])(
  'refuses %s',
  (text) => {
    expect(() => failpointOf({ DEPLOY_FAILPOINT: text, DEPLOY_TEST: '1' })).toThrow(/not understood/);
  },
);

it('fails at the step, the moment and the occurrence it names, and nowhere else', async () => {
  const failpoint = failpointOf({ DEPLOY_FAILPOINT: 'start:after:2=throw', DEPLOY_TEST: '1' });
  await failpoint?.(step('start'), 'before');
  await failpoint?.(step('remove'), 'after');
  await failpoint?.(step('start'), 'after');
  await expect(failpoint?.(step('start'), 'after')).rejects.toThrow('failpoint start:after:2');
  await failpoint?.(step('start'), 'after');
});

it('takes the id of a step for that one alone', async () => {
  const failpoint = failpointOf({ DEPLOY_FAILPOINT: 's/node1/start/c@2:before:1=throw', DEPLOY_TEST: '1' });
  await failpoint?.({ ...step('start'), id: 's/node2/start/c@2' }, 'before');
  await expect(failpoint?.({ ...step('start'), id: 's/node1/start/c@2' }, 'before')).rejects.toThrow();
});

it('takes any kind for a star', async () => {
  const failpoint = failpointOf({ DEPLOY_FAILPOINT: '*:before:2=throw', DEPLOY_TEST: '1' });
  await failpoint?.(step('start'), 'before');
  await expect(failpoint?.(step('remove'), 'before')).rejects.toThrow();
});

it('stands still until it is told to go on', async () => {
  const failpoint = failpointOf({ DEPLOY_FAILPOINT: 'start:before:1=hang', DEPLOY_TEST: '1' });
  let over = false;
  const hanging = failpoint?.(step('start'), 'before').then(() => {
    over = true;
  });
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(over).toBe(false);
  process.kill(process.pid, 'SIGCONT');
  await hanging;
});
