import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { MemberEvidence } from '../../../src/core/galera/evidence.ts';
import { withCommonViews } from '../../../src/core/galera/views.ts';
import { members } from './members.ts';

/** `a0/2`: a member with id `a` that is in place 0 of a view of 2, outside of a Primary component. */
function views(...words: readonly string[]): string[] {
  const all = members(words.map(() => 'outside 7').join(' | '));
  const seated = words.map((word, i): MemberEvidence => {
    const seen = all[i];
    const [, id = '', index, size] = /^(.)(\d)\/(\d)$/.exec(word) ?? [];
    if (seen?.kind !== 'seen' || seen.live === undefined) throw new Error('no such member');
    return { ...seen, live: { ...seen.live, clusterSize: Number(size), seat: { id, index: Number(index) } } };
  });
  return withCommonViews(seated).map((one) => (one.kind === 'seen' ? (one.live?.viewId ?? '') : ''));
}

test('two that see each other are in one view, however little they know of each other', () => {
  expect(views('c1/2', 'b0/2')).toEqual(['b 2', 'b 2']);
});

test('each for itself', () => {
  expect(views('a0/1', 'b0/1', 'c0/1')).toEqual(['a 1', 'b 1', 'c 1']);
});

test('a pair, and one that is cut off from it', () => {
  expect(views('a0/2', 'b0/1', 'c1/2')).toEqual(['a 2', 'b 1', 'a 2']);
});

test('two pairs cannot be told apart, and count as apart', () => {
  expect(new Set(views('a0/2', 'b0/2', 'c1/2', 'd1/2')).size).toBe(4);
});

test('two, each of them with a third one that does not answer', () => {
  expect(views('a0/2', 'c0/2')).toEqual(['a 2', 'c 2']);
});

test('one view is always found, and separate single ones never joined', () => {
  const ids = fc.uniqueArray(fc.constantFrom(...'abcdefghi'), { minLength: 2, maxLength: 7 });
  fc.assert(
    fc.property(ids, (seats) => {
      const sorted = seats.toSorted();
      const together = views(...seats.map((id) => `${id}${sorted.indexOf(id)}/${seats.length}`));
      expect(new Set(together).size).toBe(1);
      expect(new Set(views(...seats.map((id) => `${id}0/1`))).size).toBe(seats.length);
    }),
  );
});

test('what is Primary, or says nothing, stays as it is', () => {
  const others = members('primary 7 | left | clean 7');
  expect(withCommonViews(others)).toEqual(others);
});
