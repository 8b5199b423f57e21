import { describe, expect, it } from 'vitest';
import { courses, matches, partOf, pointsOf, pointText, sampleOf } from '../../faults/points.ts';

const replica = ['create', 'stop', 'start', 'remove'];
const kinds = ['pull', ...replica, ...replica, ...replica];
const points = pointsOf(kinds.map((kind, i) => ({ id: `s/node${i}/${kind}`, kind })));

describe('points of a run', () => {
  it('are before and after every step, counted by kind', () => {
    expect(points).toHaveLength(2 * kinds.length);
    expect(points.map(pointText).slice(0, 4)).toEqual([
      'pull:before:1',
      'pull:after:1',
      'create:before:1',
      'create:after:1',
    ]);
    expect(points.map(pointText)).toContain('remove:after:3');
  });

  it('are chosen by kind, by side or by number', () => {
    const named = (text: string) => points.filter((point) => matches(point, text)).map(pointText);
    expect(named('stop')).toHaveLength(6);
    expect(named('stop:after')).toEqual(['stop:after:1', 'stop:after:2', 'stop:after:3']);
    expect(named('st')).toEqual([]);
  });

  it('make a sample that has every kind and both sides, is always the same and never has one twice', () => {
    const sample = sampleOf(points, 7);
    expect(sample).toEqual(sampleOf(points, 7));
    expect(new Set(sample.map(pointText)).size).toBe(7);
    expect(new Set(sample.map(({ kind }) => kind))).toEqual(new Set(kinds));
    expect(new Set(sample.map(({ when }) => when)).size).toBe(2);
    expect(new Set(sample.map(({ n }) => n)).size).toBeGreaterThan(1);
    expect(sampleOf(points, Number.POSITIVE_INFINITY)).toEqual(points);
  });

  it('make parts that together are all', () => {
    const parts = [1, 2, 3].map((index) => partOf(points, index, 3));
    expect(parts.flat().map(pointText).sort()).toEqual(points.map(pointText).sort());
  });

  it('make courses with points from all over the run, in its order, every point in one of them', () => {
    const all = courses(points, 4);
    expect(all.flat().map(pointText).sort()).toEqual(points.map(pointText).sort());
    expect(all).toHaveLength(Math.ceil(points.length / 4));
    for (const course of all) {
      const places = course.map((point) => points.indexOf(point));
      expect(places).toEqual([...places].sort((a, b) => a - b));
    }
  });
});
