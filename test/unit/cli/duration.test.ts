import { expect, it } from 'vitest';
import { parseDuration } from '../../../src/cli/duration.ts';

it.each([
  ['90', 90_000],
  ['90s', 90_000],
  ['10m', 600_000],
  ['2h', 7_200_000],
  ['0', 0],
])('%s is a time', (text, ms) => {
  expect(parseDuration(text)).toBe(ms);
});

it.each(['', 'soon', '-1', '1d', '1.5m', '10 m'])('%j is none', (text) => {
  expect(parseDuration(text)).toBeUndefined();
});
