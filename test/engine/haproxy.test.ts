import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { createServer, request, type Server, type ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  drain,
  maint,
  processInfo,
  ready,
  type Send,
  sayThrough,
  serverState,
  serverStates,
  sessions,
  setStates,
  socatCommand,
} from '../../src/edge/haproxy/stats-socket.ts';
import { accountOf, type Daemon, freePort, needProgram, ownDirectory, startDaemon } from './local-daemon.ts';

let daemon: Daemon | undefined;
let directory: ReturnType<typeof ownDirectory> | undefined;
let send: Send;
let sendAsUser: Send;
let front: number;
const backends: { readonly name: string; readonly server: Server; readonly waiting: ServerResponse[] }[] = [];

async function startBackend(name: string): Promise<number> {
  const waiting: ServerResponse[] = [];
  const server = createServer((incoming, response) => {
    if (incoming.url === '/slow') waiting.push(response);
    else response.end(name);
  });
  const port = await freePort();
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  backends.push({ name, server, waiting });
  return port;
}

async function ask(path: string): Promise<string> {
  return await new Promise((resolve, reject) => {
    request({ host: '127.0.0.1', port: front, path, agent: false }, (response) => {
      let text = '';
      response.on('data', (data: Buffer) => (text += data.toString()));
      response.on('end', () => resolve(text));
    })
      .on('error', reject)
      .end();
  });
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  for (let left = 100; !(await condition().catch(() => false)); left--) {
    if (left === 0) throw new Error(`never came true\n${daemon?.output()}`);
    await sleep(100);
  }
}

beforeAll(async () => {
  needProgram('/usr/sbin/haproxy', 'haproxy');
  needProgram('/usr/bin/socat', 'socat');
  const account = accountOf('haproxy');
  directory = ownDirectory(account);
  const at = (name: string) => join(directory?.path ?? '', name);
  front = await freePort();
  const [one, two] = [await startBackend('node1'), await startBackend('node2')];
  const config = `
global
  stats socket ${at('admin.sock')} level admin mode 660
  stats socket ${at('user.sock')} level user mode 660
defaults
  mode http
  timeout connect 1s
  timeout client 30s
  timeout server 30s
frontend a_front
  bind 127.0.0.1:${front}
  default_backend a_back
backend a_back
  option httpchk GET /
  server node1 127.0.0.1:${one} check inter 200 rise 1 fall 1
  server node2 127.0.0.1:${two} check inter 200 rise 1 fall 1
backend b_back
  mode tcp
  server node1 127.0.0.1:${one} backup
`;
  writeFileSync(at('haproxy.cfg'), config);
  daemon = startDaemon(['/usr/sbin/haproxy', '-db', '-f', at('haproxy.cfg')], { account, cwd: directory.path });
  const through = (socket: string) => async (command: string) => {
    const [program = '', ...rest] = socatCommand(at(socket), command);
    return (await promisify(execFile)(program, rest)).stdout;
  };
  send = through('admin.sock');
  sendAsUser = through('user.sock');
  await until(async () => (await serverState(send, 'a_back', 'node2')).check === 'L7OK');
}, 60_000);

afterAll(async () => {
  await daemon?.stop();
  for (const { server } of backends) {
    server.closeAllConnections();
    server.close();
  }
  directory?.remove();
});

test('tells version and all servers', async () => {
  expect((await processInfo(send)).get('Version')).toMatch(/^\d+\.\d+/);
  const states = await serverStates(send);
  expect(states.map((s) => [s.backend, s.server, s.admin, s.up, s.backup])).toEqual([
    ['a_back', 'node1', 'ready', true, false],
    ['a_back', 'node2', 'ready', true, false],
    ['b_back', 'node1', 'ready', true, true],
  ]);
  expect(await serverStates(send, 'b_back')).toHaveLength(1);
});

test('a drained server keeps its session, gets no new one, and comes back', async () => {
  await drain(send, 'a_back', 'node2');
  const slow = ask('/slow');
  await until(async () => (await sessions(send, 'a_back', 'node1')) === 1);
  expect(await ready(send, 'a_back', 'node2')).toEqual(['made ready a_back/node2']);
  expect(await drain(send, 'a_back', 'node1')).toEqual(['drained a_back/node1']);
  expect(await drain(send, 'a_back', 'node1')).toEqual([]);
  expect(await Promise.all([ask('/'), ask('/'), ask('/')])).toEqual(['node2', 'node2', 'node2']);
  expect(await serverState(send, 'a_back', 'node1')).toMatchObject({ admin: 'drain', up: true, sessions: 1 });
  for (const response of backends[0]?.waiting ?? []) response.end('late');
  expect(await slow).toBe('late');
  await until(async () => (await sessions(send, 'a_back', 'node1')) === 0);
  expect(await ready(send, 'a_back', 'node1')).toEqual(['made ready a_back/node1']);
  await until(async () => (await ask('/')) === 'node1');
});

test('a drained server that goes down and up is still drained', async () => {
  await drain(send, 'a_back', 'node2');
  const server = backends[1]?.server;
  const address = server?.address();
  server?.closeAllConnections();
  server?.close();
  await until(async () => !(await serverState(send, 'a_back', 'node2')).up);
  // A check that was under way just then is cut off, the next one refused.
  const check = expect.stringMatching(/^(L4CON|SOCKERR)$/);
  expect(await serverState(send, 'a_back', 'node2')).toMatchObject({ admin: 'drain', status: 'DOWN', check });
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  server?.listen(port, '127.0.0.1');
  await until(async () => (await serverState(send, 'a_back', 'node2')).up);
  expect((await serverState(send, 'a_back', 'node2')).admin).toBe('drain');
  await ready(send, 'a_back', 'node2');
});

test('several servers with one line; maintenance', async () => {
  const servers = [
    { backend: 'a_back', server: 'node1' },
    { backend: 'b_back', server: 'node1' },
  ];
  expect(await setStates(send, servers, 'maint')).toHaveLength(2);
  expect(await maint(send, 'a_back', 'node1')).toEqual([]);
  expect(await serverState(send, 'a_back', 'node1')).toMatchObject({ admin: 'maint', up: false });
  expect(await setStates(send, servers, 'ready')).toHaveLength(2);
});

test('unknown names and a socket without rights are said so', async () => {
  await expect(drain(send, 'a_back', 'node9')).rejects.toThrow('No such server. (a_back/node9)');
  await expect(drain(send, 'z_back', 'node1')).rejects.toThrow('No such backend. (z_back/node1)');
  await expect(serverStates(send, 'z_back')).rejects.toThrow("Can't find backend.");
  await expect(drain(sendAsUser, 'a_back', 'node1')).rejects.toThrow('level admin');
});

test('answers over a direct connection as through a program in the container', async () => {
  const direct = (command: string) => sayThrough(connect(join(directory?.path ?? '', 'admin.sock')), command);
  expect(await serverStates(direct)).toHaveLength(3);
  expect(await drain(direct, 'a_back', 'node1')).toEqual(['drained a_back/node1']);
  expect(await ready(direct, 'a_back', 'node1')).toEqual(['made ready a_back/node1']);
  await expect(drain(direct, 'a_back', 'node9')).rejects.toThrow('No such server.');
  await expect(sayThrough(connect('/nowhere/admin.sock'), 'show info')).rejects.toThrow('the stats socket of HAProxy');
});
