import { describe, expect, it } from 'vitest';
import { foldHosts } from '../../../src/report/hosts.ts';

function series(prefix: string, from: number, to: number, width = 0, suffix = ''): string[] {
  return Array.from({ length: to - from + 1 }, (_, i) => `${prefix}${String(from + i).padStart(width, '0')}${suffix}`);
}

describe('foldHosts', () => {
  it.each<[string, string[], string]>([
    ['names a few', ['node1', 'node2', 'node3'], 'node1, node2, node3'],
    ['names the same host once', ['a', 'a', 'b'], 'a, b'],
    ['folds many', series('cmp', 1, 300, 3), 'cmp[001-300]'],
    [
      'keeps kinds apart',
      [...series('cmp', 1, 300, 3), ...series('ctl', 1, 3), 'gateway'],
      'cmp[001-300], ctl[1-3], gateway',
    ],
    ['shows gaps', [...series('n', 1, 6), 'n8', ...series('n', 10, 12)], 'n[1-6,8,10-12]'],
    ['goes over a change of length', series('node', 8, 12), 'node[8-12]'],
    ['tells n1 from n01', ['n01', 'n02', 'n03', 'n1', 'n2'], 'n[01-03], n[1-2]'],
    ['keeps what follows the number', series('cmp', 1, 5, 2, '.rack-2.example.org'), 'cmp[01-05].rack-2.example.org'],
    ['takes the last number of the name', series('r1-n', 1, 5), 'r1-n[1-5]'],
    ['sorts what comes in any order', ['n3', 'n1', 'n5', 'n2', 'n4'], 'n[1-5]'],
  ])('%s', (_, hosts, text) => {
    expect(foldHosts(hosts)).toBe(text);
  });

  it('stays short whatever the names are', () => {
    const words = Array.from(
      { length: 300 },
      (_, i) => `${'abcdefghij'[i % 10]}${'klmnopqrst'[Math.floor(i / 10) % 10]}${'uvw'[Math.floor(i / 100)]}`,
    );
    expect(foldHosts(words)).toMatch(/^(\w{3}, ){8}and 292 more$/);
    const odd = series('n', 1, 600).filter((_, i) => i % 2 === 0);
    expect(foldHosts(odd)).toBe('n[1,3,5,7,9,11,13,15] and 292 more');
  });
});
