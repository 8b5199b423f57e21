import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { FeatureFlag } from '../../../src/core/rabbitmq/evidence.ts';
import { checkUpgrade, type UpgradeVerdict } from '../../../src/core/rabbitmq/versions.ts';

function check(version: string, to: string, flags: readonly FeatureFlag[] = [], mirrored: readonly string[] = []) {
  return checkUpgrade({ version, flags, mirrored }, to);
}

function flag(name: string, state: FeatureFlag['state'], stability: FeatureFlag['stability'] = 'stable'): FeatureFlag {
  return { name, state, stability };
}

const allowed: UpgradeVerdict = { kind: 'allowed', enable: [] };

describe('checkUpgrade', () => {
  it.each<[string, string, UpgradeVerdict]>([
    ['3.10.8', '3.10.8', allowed],
    ['3.10.8', '3.10.25', allowed],
    ['3.10.25', '3.10.8', allowed],
    ['3.10.8', '3.11.28', allowed],
    ['3.11.18', '3.12.0', allowed],
    ['3.11.17', '3.12.0', { kind: 'too-far', via: ['3.11.18 or a later 3.11'] }],
    ['3.13.7', '4.0.5-6', allowed],
    ['3.13.7', '4.2.0', allowed],
    ['4.0.5', '4.2.1', allowed],
    ['4.1.0', '4.3.0', { kind: 'too-far', via: ['4.2'] }],
    // Debian 12 to Debian 13.
    ['3.10.8', '4.0.5-6', { kind: 'too-far', via: ['3.11 (3.11.18 or later)', '3.12', '3.13'] }],
    ['3.10.8', '1:4.0.5', { kind: 'too-far', via: ['3.11 (3.11.18 or later)', '3.12', '3.13'] }],
    ['3.12.14', '4.0.5', { kind: 'too-far', via: ['3.13'] }],
    ['4.0.5', '3.13.7', { kind: 'downgrade' }],
    ['3.13.7', '3.12.14', { kind: 'downgrade' }],
    ['3.13.7', '9.0.0', { kind: 'unknown' }],
    ['', '4.0.5', { kind: 'unknown' }],
    ['3.13.7', 'latest', { kind: 'unknown' }],
  ])('%s to %s', (from, to, verdict) => {
    expect(check(from, to)).toEqual(verdict);
  });

  it('names stable flags that are not enabled, and leaves experimental ones alone', () => {
    const flags = [
      flag('quorum_queue', 'enabled'),
      flag('stream_queue', 'disabled'),
      flag('khepri_db', 'disabled', 'experimental'),
      flag('later', 'unavailable'),
    ];
    expect(check('3.10.8', '3.11.20', flags)).toEqual({ kind: 'allowed', enable: ['stream_queue'] });
  });

  it('refuses to leave 3.13 with Khepri, or 3.x with mirrored queues', () => {
    const khepri = [flag('khepri_db', 'enabled', 'experimental')];
    expect(check('3.13.7', '4.0.5', khepri)).toEqual({ kind: 'blocked', by: 'khepri' });
    expect(check('4.0.5', '4.1.0', khepri)).toEqual(allowed);
    expect(check('3.13.7', '4.0.5', [], ['q'])).toEqual({ kind: 'blocked', by: 'mirrors' });
    expect(check('3.12.7', '3.13.1', [], ['q'])).toEqual(allowed);
  });

  it('leads anywhere it names in jumps that are allowed themselves', () => {
    const known = ['3.8.9', '3.9.1', '3.10.8', '3.11.18', '3.12.1', '3.13.1', '4.0.5', '4.1.1', '4.2.1', '4.3.0'];
    const release = (stop: string) => known.find((one) => one.startsWith(`${/\d+\.\d+/.exec(stop)?.[0]}.`)) ?? '';
    fc.assert(
      fc.property(fc.constantFrom(...known), fc.constantFrom(...known), (from, to) => {
        const verdict = check(from, to);
        const steps = verdict.kind === 'too-far' ? verdict.via.map(release) : [];
        const path = [from, ...steps, to];
        const expected = known.indexOf(from) > known.indexOf(to) ? 'downgrade' : 'allowed';
        for (const [i, next] of path.slice(1).entries()) expect(check(path[i] ?? '', next).kind).toBe(expected);
      }),
    );
  });
});
