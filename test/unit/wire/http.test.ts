import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { connect as netConnect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import type { Connect } from '../../../src/edge/wire/connect.ts';
import { type HttpOptions, httpClient } from '../../../src/edge/wire/http.ts';

const open: Server[] = [];
let connections = 0;

afterEach(async () => {
  connections = 0;
  for (const server of open.splice(0)) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

async function listen(server: Server): Promise<number> {
  open.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

const connect: Connect = async (host, port) => {
  connections++;
  return netConnect({ host, port });
};

async function clientOf(listener: RequestListener, options: Partial<HttpOptions> = {}) {
  const port = await listen(createServer(listener));
  return httpClient(connect, { service: 'Thing', origin: `http://127.0.0.1:${port}`, ...options });
}

test('sends JSON, reads JSON and keeps its connection', async () => {
  const client = await clientOf((incoming, response) => {
    response.setHeader('content-type', 'application/json');
    let text = '';
    incoming.on('data', (data: Buffer) => (text += data.toString()));
    incoming.on('end', () => response.end(JSON.stringify({ got: text, type: incoming.headers['content-type'] })));
  });
  for (let i = 0; i < 12; i++) {
    const answer = await client.request({ method: 'POST', path: '/x', body: { ä: i } });
    expect(answer.body).toEqual({ got: `{"ä":${i}}`, type: 'application/json' });
  }
  expect(connections).toBe(1);
  client.close();
});

test('sends bytes as they are; other content is text', async () => {
  const client = await clientOf((incoming, response) => {
    response.statusCode = 404;
    incoming.pipe(response);
  });
  const answer = await client.request({ method: 'PUT', path: '/', body: new TextEncoder().encode('raw') });
  expect(answer).toMatchObject({ status: 404, body: 'raw' });
  client.close();
});

test('never more connections than allowed', async () => {
  const client = await clientOf((_incoming, response) => void setTimeout(() => response.end(), 20), {
    maxConnections: 2,
  });
  await Promise.all(Array.from({ length: 6 }, () => client.request({ method: 'GET', path: '/' })));
  expect(connections).toBe(2);
  client.close();
});

test('an answer that does not come ends at the deadline', async () => {
  const client = await clientOf(() => undefined, { timeoutMs: 80 });
  const asking = client.request({ method: 'GET', path: '/slow?secret=1' });
  await expect(asking).rejects.toThrow(/Thing at 127\.0\.0\.1:\d+: GET \/slow: no answer within 0\.08 s/);
  client.close();
});

test('a connection closed while idle is replaced without a word', async () => {
  const client = await clientOf((incoming, response) => {
    response.end('ok');
    if (incoming.url === '/last') setTimeout(() => incoming.socket.destroy(), 5);
  });
  await client.request({ method: 'GET', path: '/last' });
  await new Promise((resolve) => setTimeout(resolve, 30));
  expect((await client.request({ method: 'GET', path: '/' })).body).toBe('ok');
  expect(connections).toBe(2);
  client.close();
});

test('a refused connection is said in plain words', async () => {
  const refusing: Connect = async () => {
    throw Object.assign(new Error('(SSH) Channel open failure: Connection refused'), { reason: 2 });
  };
  const client = httpClient(refusing, { service: 'Keystone', origin: 'http://10.0.0.1:5000' });
  await expect(client.request({ method: 'GET', path: '/' })).rejects.toThrow(
    'Keystone at 10.0.0.1:5000: connection refused',
  );
  client.close();
});

test('HTTPS: an unknown authority is refused, a given one or none at all is taken', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'tls-'));
  const [key, cert] = [join(directory, 'key.pem'), join(directory, 'cert.pem')];
  const names = ['-subj', '/CN=test', '-addext', 'subjectAltName=IP:127.0.0.1'];
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'];
  execFileSync('openssl', ['req', '-x509', ...kind, '-nodes', '-days', '1', '-keyout', key, '-out', cert, ...names], {
    stdio: 'pipe',
  });
  const pem = { key: readFileSync(key), cert: readFileSync(cert) };
  rmSync(directory, { recursive: true });
  const port = await listen(createTlsServer(pem, (_incoming, response) => void response.end('secret')));
  const ask = async (tls?: HttpOptions['tls']) => {
    const client = httpClient(connect, { service: 'Keystone', origin: `https://127.0.0.1:${port}`, tls });
    try {
      return (await client.request({ method: 'GET', path: '/' })).body;
    } finally {
      client.close();
    }
  };
  await expect(ask()).rejects.toThrow(/Keystone at 127\.0\.0\.1:\d+: TLS failed: self-signed certificate/);
  expect(await ask({ insecure: true })).toBe('secret');
  expect(await ask({ ca: pem.cert.toString() })).toBe('secret');
});
