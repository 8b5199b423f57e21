import { createServer, type IncomingMessage, type Server } from 'node:http';
import { type AddressInfo, createConnection } from 'node:net';
import type { Duplex } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { EvaluatedGate, GateCheck } from '../../../src/core/desired/gate.ts';
import { Secret } from '../../../src/core/model/secret.ts';
import { checkGate } from '../../../src/edge/gates/check.ts';
import type { ExecResult } from '../../../src/run/ports.ts';

let server: Server;
let port = 0;
const seen: IncomingMessage[] = [];

beforeAll(async () => {
  server = createServer((request, response) => {
    seen.push(request);
    if (request.url === '/v3/auth/tokens') {
      response.writeHead(201, { 'x-subject-token': 'the-token', 'content-type': 'application/json' });
      response.end('{"token": {"user": {"id": "u"}, "project": {"id": "p"}}}');
      return;
    }
    if (request.url === '/guarded') {
      const known = request.headers['x-auth-token'] === 'the-token';
      response.writeHead(known ? 418 : 401);
      response.end(`no ${request.headers['x-secret']}`);
      return;
    }
    if (request.url === '/silent') return;
    response.writeHead(request.url === '/busy' ? 503 : 200, { 'content-type': 'application/json' });
    response.end('{"status":  "fine"}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  port = (server.address() as AddressInfo).port;
});

afterAll(() => {
  server.closeAllConnections();
  server.close();
});

function gate(check: GateCheck): EvaluatedGate {
  return { name: 'it', host: 'node1', within: 5, passes: 1, check };
}

function http(path: string, more: Partial<Extract<GateCheck, { kind: 'http' }>> = {}): EvaluatedGate {
  const url = `http://127.0.0.1:${port}${path}`;
  return gate({ kind: 'http', url, method: 'GET', statuses: [200], headers: {}, timeoutSeconds: 5, ...more });
}

async function ask(asked: EvaluatedGate, result?: ExecResult): Promise<string> {
  const connect = async (address: string, to: number): Promise<Duplex> => {
    const socket = createConnection(to, address);
    await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject));
    return socket;
  };
  const exec = async () => {
    if (result === undefined) throw new Error('no such container');
    return result;
  };
  const answer = await checkGate({ connect, exec }, asked);
  return answer.ok ? 'passed' : answer.said.replaceAll(String(port), 'PORT');
}

describe('an http gate', () => {
  it('passes on the status and the text wanted, as the server wrote it', async () => {
    expect(await ask(http('/'))).toBe('passed');
    expect(await ask(http('/', { contains: '"status":  "fine"' }))).toBe('passed');
    expect(await ask(http('/busy', { statuses: [200, 503] }))).toBe('passed');
  });

  it('says what it heard instead', async () => {
    expect(await ask(http('/busy'))).toBe('GET http://127.0.0.1:PORT/busy answered HTTP 503 instead of 200');
    expect(await ask(http('/', { contains: new Secret('hush') }))).toBe(
      'GET http://127.0.0.1:PORT/ answered HTTP 200, but without "‹secret›"',
    );
    expect(await ask(http('/silent', { timeoutSeconds: 0.2 }))).toContain('no answer within 0.2 s');
  });

  it('sends its method and headers, and never shows them', async () => {
    const headers = { 'X-Secret': new Secret('s3cret'), Accept: 'text/plain' };
    const said = await ask(http('/guarded', { method: 'HEAD', headers }));
    expect(seen.at(-1)).toMatchObject({ method: 'HEAD', headers: { 'x-secret': 's3cret', accept: 'text/plain' } });
    expect(said).toContain('HTTP 401 instead of 200');
    expect(await ask(http('/guarded', { headers }))).toMatch(/401 instead of 200: no ‹secret›$/);
  });

  it('carries a token of Keystone when it is to', async () => {
    const auth = {
      authUrl: `http://127.0.0.1:${port}`,
      user: 'admin',
      project: 'admin',
      password: new Secret('password'),
    };
    expect(await ask(http('/guarded', { statuses: [418], auth }))).toBe('passed');
    expect(await ask(http('/guarded', { auth, headers: { 'x-secret': new Secret('s3cret') } }))).toMatch(
      /418 instead of 200: no ‹secret›$/,
    );
  });
});

describe('a tcp gate', () => {
  it('passes when the port takes a connection', async () => {
    expect(await ask(gate({ kind: 'tcp', address: '127.0.0.1', port }))).toBe('passed');
    expect(await ask(gate({ kind: 'tcp', address: '127.0.0.1', port: 1 }))).toBe(
      'the server at 127.0.0.1:1: connection refused',
    );
  });
});

describe('a command gate', () => {
  const check = { kind: 'command', container: 'api', argv: ['test', '-f', '/x'], exit: 0 } as const;

  it('passes on its exit code', async () => {
    expect(await ask(gate(check), { code: 0, stdout: '', stderr: '' })).toBe('passed');
    expect(await ask(gate({ ...check, exit: 3 }), { code: 3, stdout: '', stderr: '' })).toBe('passed');
  });

  it('says how it ended and what it said last', async () => {
    expect(await ask(gate(check), { code: 2, stdout: 'a\n', stderr: 'b\nlast\n' })).toBe(
      'test in api ended with 2 instead of 0: last',
    );
    expect(await ask(gate(check))).toBe('no such container');
  });
});
