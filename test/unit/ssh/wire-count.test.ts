import { once } from 'node:events';
import net from 'node:net';
import { expect, it } from 'vitest';
import { countWire } from '../../../src/edge/ssh/wire-count.ts';

/** Answers each line with itself in two parts, so that one answer arrives as more than one piece of data. */
async function echo(): Promise<net.Server> {
  const server = net.createServer((socket) => {
    socket.on('data', (chunk: Buffer) => {
      socket.write(chunk.subarray(0, 1));
      setTimeout(() => socket.write(chunk.subarray(1)), 20);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

async function ask(socket: net.Socket, line: string): Promise<void> {
  let seen = '';
  const answered = new Promise<void>((resolve) => {
    socket.on('data', (chunk: Buffer) => {
      seen += chunk.toString();
      if (seen === line) resolve();
    });
  });
  socket.write(line);
  await answered;
  socket.removeAllListeners('data');
}

it('counts what was waited for, not the pieces it came in, and all bytes', async () => {
  const server = await echo();
  const { port } = server.address() as net.AddressInfo;
  const socket = net.connect({ host: '127.0.0.1', port });
  await once(socket, 'connect');
  // The connection itself is the first.
  const first = countWire(socket);
  expect(first()).toEqual({ bytes: 0, roundTrips: 1 });
  await ask(socket, 'one\n');
  const counted = first();
  expect(counted).toEqual({ bytes: 8, roundTrips: 2 });
  socket.destroy();
  server.close();
});
