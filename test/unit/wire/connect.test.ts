import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { DeployError, error } from '../../../src/core/model/diagnostic.ts';
import { Secret } from '../../../src/core/model/secret.ts';
import { type Clock, dial, patiently } from '../../../src/edge/wire/connect.ts';
import { hostAndPort, WireError, withoutSecrets } from '../../../src/edge/wire/failure.ts';
import { httpClient } from '../../../src/edge/wire/http.ts';

function fakeClock(): Clock & { readonly slept: number[] } {
  let time = 0;
  const slept: number[] = [];
  return {
    slept,
    now: () => time,
    sleep: async (ms) => {
      slept.push(ms);
      time += ms;
    },
  };
}

const busy = () => new WireError('busy', 'the server is busy', { transient: true, hint: 'wait' });

test('repeats a transient failure while time is left and says how long', async () => {
  const clock = fakeClock();
  const failing = patiently({ forMs: 5000, everyMs: 2000 }, () => Promise.reject(busy()), clock);
  await expect(failing).rejects.toThrow('the server is busy (tried for 5 s)');
  expect(clock.slept).toEqual([2000, 2000]);
});

test('returns as soon as it works, and does not repeat what cannot get better', async () => {
  let left = 2;
  const attempt = async () => {
    if (left-- > 0) throw busy();
    return 'done';
  };
  expect(await patiently({ forMs: 5000 }, attempt, fakeClock())).toBe('done');
  const clock = fakeClock();
  const denied = new WireError('access-denied', 'no');
  await expect(patiently({ forMs: 5000 }, () => Promise.reject(denied), clock)).rejects.toBe(denied);
  expect(clock.slept).toEqual([]);
});

test('a connection that comes too late is closed', async () => {
  const late = new PassThrough();
  const connect = () => new Promise<PassThrough>((resolve) => setTimeout(() => resolve(late), 40));
  const server = { service: 'MariaDB', address: 'fd00::1', port: 3306, timeoutMs: 10 };
  await expect(dial(connect, server)).rejects.toThrow('MariaDB at [fd00::1]:3306: no connection within 0.01 s');
  await new Promise((resolve) => setTimeout(resolve, 60));
  expect(late.destroyed).toBe(true);
});

test('a way that is gone is not tried again, and says so in its own words', async () => {
  const lost = new DeployError([error('connection-lost', 'the SSH connection was lost', { host: 'node1' })], 4);
  const clock = fakeClock();
  const server = { service: 'MariaDB', address: '10.0.0.1', port: 3306, timeoutMs: 1000 };
  const attempt = () => dial(() => Promise.reject(lost), server);
  await expect(patiently({ forMs: 5000 }, attempt, clock)).rejects.toBe(lost);
  expect(clock.slept).toEqual([]);
  const http = httpClient(() => Promise.reject(lost), { service: 'Keystone', origin: 'http://10.0.0.1:5000' });
  await expect(http.request({ method: 'GET', path: '/v3' })).rejects.toBe(lost);
  http.close();
});

test('small things', () => {
  expect(hostAndPort('10.0.0.1', 80)).toBe('10.0.0.1:80');
  expect(withoutSecrets('x pw y pw', [new Secret('pw'), new Secret('')])).toBe('x ‹secret› y ‹secret›');
});
