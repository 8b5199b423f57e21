import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { longestGap, outcomes } from '../../load/outcome.ts';
import { LoadClient, type RequestKind, type Sample } from '../../load/request.ts';

function kind(url: string, expected: readonly number[] = [200]): RequestKind {
  return { name: 'a page', service: 'magnum', authenticated: false, method: 'GET', url, expect: expected };
}

describe('a client of the load', () => {
  let server: Server;
  let origin = '';
  let connections = 0;

  beforeAll(async () => {
    server = createServer((request, response) => {
      if (request.url === '/reset') return request.socket.destroy();
      if (request.url === '/half') {
        response.writeHead(200, { 'content-length': '100' });
        response.write('half', () => request.socket.destroy());
        return response;
      }
      return response.writeHead(Number(request.url?.slice(1))).end('said so');
    });
    server.on('connection', () => {
      connections += 1;
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });

  afterAll(() => server.close());

  it.each([
    ['/200', undefined],
    ['/500', 'HTTP 500: said so'],
    ['/503', 'HTTP 503: said so'],
    ['/401', 'HTTP 401: said so'],
    ['/reset', expect.stringContaining('ECONNRESET')],
    ['/half', expect.stringContaining('answer broke off')],
  ])('says why %s counts as failed', async (path, failure) => {
    const client = new LoadClient(false);
    const sample = await client.send(kind(origin + path));
    client.close();
    expect(sample.failure).toEqual(failure);
  });

  it('counts a refused connection', async () => {
    const client = new LoadClient(false);
    const sample = await client.send(kind('http://127.0.0.1:1/'));
    expect(sample).toMatchObject({ status: 0, failure: expect.stringContaining('ECONNREFUSED') });
  });

  it.each([
    [true, 1],
    [false, 3],
  ])('keeps its connection or does not (%s)', async (keepsAlive, expected) => {
    const client = new LoadClient(keepsAlive);
    const before = connections;
    for (let i = 0; i < 3; i++) await client.send(kind(`${origin}/200`));
    client.close();
    expect(connections - before).toBe(expected);
  });
});

function sample(startedAt: number, endedAt: number, failure?: string): Sample {
  const common = { kind: kind('http://x/'), keptAlive: false, startedAt, endedAt, status: 200 };
  return failure === undefined ? common : { ...common, failure };
}

describe('what a load came to', () => {
  it('has the longest time without a good answer', () => {
    expect(longestGap([])).toBe(0);
    expect(longestGap([sample(0, 10), sample(20, 30), sample(25, 90)])).toBe(60);
    expect(longestGap([sample(0, 10), sample(20, 30, 'no'), sample(40, 50)])).toBe(40);
    expect(longestGap([sample(0, 10), sample(500, 530, 'no')])).toBe(490);
  });

  it('counts no gap between two runs, and every failure', () => {
    const rows = outcomes([
      [sample(0, 10), sample(10, 20)],
      [sample(90_000, 90_010), sample(90_020, 90_500, 'no answer')],
    ]);
    expect(rows.find((row) => row.name === 'version pages')).toMatchObject({
      requests: 4,
      failed: 1,
      gap: 10,
      slowest: 480,
    });
  });
});
