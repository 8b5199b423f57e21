import { expect, test } from 'vitest';
import { progressOf } from '../../../src/core/galera/progress.ts';
import { clean, lost, running, silent, stopped, unreachable } from '../../property/galera-states.ts';

const donor = running('ctl1', { seqno: 2000n, state: 2 });

test('what it missed is counted from where it was', () => {
  const first = [running('ctl1', { seqno: 1900n }), clean('ctl2', 1000)];
  const now = [donor, running('ctl2', { seqno: 1750n, state: 1, ready: false })];
  expect(progressOf('ctl2', first, now)).toEqual({ kind: 'applying', behind: 250n, share: 0.75, donor: 'ctl1' });
});

test('a whole copy shows as silence, with the donor', () => {
  expect(progressOf('ctl2', [donor, lost('ctl2')], [donor, silent('ctl2')])).toEqual({ kind: 'silent', donor: 'ctl1' });
});

test('an end, good or bad', () => {
  const first = [donor, clean('ctl2', 1)];
  expect(progressOf('ctl2', first, [donor, running('ctl2')]).kind).toBe('synced');
  expect(progressOf('ctl2', first, [donor, stopped('ctl2')]).kind).toBe('gone');
  expect(progressOf('ctl2', first, [donor, unreachable('ctl2')])).toEqual({ kind: 'gone', why: 'no route to host' });
});
