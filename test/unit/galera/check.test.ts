import { describe, expect, it } from 'vitest';
import { clusterProblems, strangers } from '../../../src/core/galera/check.ts';
import { running } from '../../property/galera-states.ts';
import { members } from './members.ts';

const words = (line: string, without: readonly string[] = []) =>
  clusterProblems(members(line), without).map(({ host, message }) => `${host}: ${message}`);

describe('whether a cluster is whole', () => {
  it('is every member in one component of just these', () => {
    expect(words('primary 9 size3 | primary 9 size3 | primary 9 size3')).toEqual([]);
    expect(words('primary 9 size2 | primary 9 size2 | lost')).toEqual([
      'ctl1: its component has 2 of 3 members',
      'ctl2: its component has 2 of 3 members',
      'ctl3: it has no container',
    ]);
  });

  it('is without those that are done without, which count once they are there', () => {
    expect(words('primary 9 size2 | primary 9 size2 | lost', ['ctl3'])).toEqual([]);
    expect(words('primary 9 size3 | primary 9 size3 | primary 9 size3', ['ctl3'])).toEqual([]);
  });
});

describe('a member of no host of the group', () => {
  it('is named by the host that has its address, or by the address', () => {
    const live = { incomingAddresses: ['192.0.2.11:3306', '192.0.2.13:3306', 'AUTO', '192.0.2.99:3306'] };
    const hosts = new Map([
      ['192.0.2.11', 'ctl1'],
      ['192.0.2.13', 'ctl3'],
    ]);
    const found = strangers([running('ctl1', live)], new Set(['192.0.2.11']), hosts);
    expect(found.map(({ message }) => message)).toEqual([
      'ctl3 (192.0.2.13) is in the cluster, and not in the group mariadb',
      '192.0.2.99 is in the cluster, and not in the group mariadb',
    ]);
    expect(strangers([running('ctl1', live)], new Set(['192.0.2.11', '192.0.2.13', '192.0.2.99']), hosts)).toEqual([]);
  });
});
