import { describe, expect, it } from 'vitest';
import { versionProblems } from '../../../src/core/galera/prechecks.ts';
import { checkDatabaseUpgrade } from '../../../src/core/galera/versions.ts';

describe('another version of MariaDB', () => {
  it.each([
    ['10.11.14-MariaDB', '1:10.11.19-0+deb12u1', 'allowed'],
    ['10.11.14-MariaDB-0+deb12u2-log', '1:11.8.6-0+deb13u1', 'allowed'],
    ['10.11.19', '10.11.19-MariaDB', 'same'],
    ['10.5.29', '10.11.14', 'allowed'],
    ['11.4.5', '11.8.6', 'allowed'],
    ['11.8.6', '10.11.19', 'downgrade'],
    ['10.11.19', '10.11.14', 'downgrade'],
    ['10.11.14', '11.0.2', 'unknown'],
    ['10.11.14', '12.0.1', 'unknown'],
    ['10.11.14', 'edge', 'unknown'],
  ])('from %s to %s is %s', (from, to, kind) => {
    expect(checkDatabaseUpgrade(from, to)).toEqual({ kind });
  });

  it('that is too far names the shortest way', () => {
    expect(checkDatabaseUpgrade('10.5.29', '11.8.6')).toEqual({ kind: 'too-far', via: ['10.11'] });
    expect(checkDatabaseUpgrade('10.6.20', '11.4.5')).toEqual({ kind: 'too-far', via: ['10.11'] });
  });

  it('is refused once for all members, naming those it is about', () => {
    const members = ['node1', 'node2', 'node3'].map((host) => ({ host, server: '11.8.6-MariaDB', data: '11.8.6' }));
    const [problem, ...more] = versionProblems(members, '1:10.11.19-0+deb12u1');
    expect(more).toEqual([]);
    expect(problem).toMatchObject({
      severity: 'error',
      message:
        'MariaDB 10.11.19 must not take over the data of 11.8.6: it is older, and there is no way back (node1, node2, node3)',
    });
  });

  it('is refused where only the data tells that a newer one has been there', () => {
    const problems = versionProblems([{ host: 'node1', data: '11.8.6-MariaDB' }], '10.11.19');
    expect(problems).toHaveLength(1);
    const halfWay = [
      { host: 'node1', server: '10.11.19', data: '10.11.19' },
      { host: 'node3', server: '11.8.6' },
    ];
    expect(versionProblems(halfWay, '11.8.6')).toEqual([]);
  });
});
