import { existsSync, renameSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { outerDocker } from './engine.ts';
import { NODES, type NodeName } from './settings.ts';

/** One call to a node's engine, as it came in. */
export interface EngineCall {
  readonly node: NodeName;
  readonly method: string;
  readonly path: string;
}

/** Name of the engine's own socket while a recorder stands in its place. */
const asideName = 'docker.sock.recorded';

/** The node's `/run`, seen from this machine: nodes are containers of the outer engine. */
async function runFolder(node: NodeName): Promise<string> {
  const pid = (await outerDocker(['container', 'inspect', '--format', '{{.State.Pid}}', node])).trim();
  return join('/proc', pid, 'root', 'run');
}

/**
 * Stands between each node's engine socket and its users while `work` runs, and returns all calls made meanwhile, by
 * whatever program. Puts the sockets back in any case.
 */
export async function recordEngineCalls(work: () => Promise<void>): Promise<readonly EngineCall[]> {
  const calls: EngineCall[] = [];
  await aroundEngines((call) => {
    calls.push(call);
  }, work);
  return calls;
}

/** Runs `work` while `before` is told of every call to a node's engine, which has to wait until it has returned. */
export async function aroundEngines(
  before: (call: EngineCall) => Promise<void> | void,
  work: () => Promise<void>,
): Promise<void> {
  await putSocketsBack();
  const recorders: Server[] = [];
  try {
    for (const { name } of NODES) recorders.push(await record(name, await runFolder(name), before));
    await work();
  } finally {
    for (const recorder of recorders) {
      recorder.close();
      recorder.closeAllConnections();
    }
    await putSocketsBack();
  }
}

/** Repairs what a recorder that was killed has left: the engine's socket gets its name back. */
export async function putSocketsBack(): Promise<void> {
  for (const { name } of NODES) {
    const folder = await runFolder(name);
    const [socket, aside] = [join(folder, 'docker.sock'), join(folder, asideName)];
    if (!existsSync(aside)) continue;
    // An engine that was restarted meanwhile has made a socket of its own; the one aside is of no use then.
    if (await accepts(socket)) rmSync(aside);
    else renameSync(aside, socket);
  }
}

function accepts(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(socket);
    probe.once('connect', () => {
      probe.destroy();
      resolve(true);
    });
    probe.once('error', () => resolve(false));
  });
}

async function record(
  node: NodeName,
  folder: string,
  before: (call: EngineCall) => Promise<void> | void,
): Promise<Server> {
  const [socket, aside] = [join(folder, 'docker.sock'), join(folder, asideName)];
  const tell = ({ method = '', url = '' }: IncomingMessage) => before({ node, method, path: url });
  const recorder = createServer(async (incoming, outgoing) => {
    await tell(incoming);
    passOn(aside, incoming, outgoing);
  });
  // What becomes a stream of its own (exec, attach) is passed on byte by byte.
  recorder.on('upgrade', async (incoming: IncomingMessage, client: Duplex, head: Buffer) => {
    await tell(incoming);
    const engine = connect(aside);
    engine.write(`${incoming.method} ${incoming.url} HTTP/1.1\r\n${headerLines(incoming)}\r\n`);
    engine.write(head);
    engine.pipe(client).pipe(engine);
    engine.on('error', () => client.destroy());
    client.on('error', () => engine.destroy());
  });
  renameSync(socket, aside);
  await new Promise<void>((resolve, reject) => {
    recorder.once('error', reject);
    recorder.listen(socket, resolve);
  });
  return recorder;
}

function headerLines({ rawHeaders }: IncomingMessage): string {
  return rawHeaders.map((text, i) => (i % 2 === 0 ? `${text}: ` : `${text}\r\n`)).join('');
}

function passOn(socketPath: string, incoming: IncomingMessage, outgoing: ServerResponse): void {
  const { method, url, rawHeaders } = incoming;
  const engine = request({ socketPath, method, path: url, headers: rawHeaders as string[] }, (answer) => {
    outgoing.writeHead(answer.statusCode ?? 502, answer.rawHeaders);
    outgoing.flushHeaders();
    answer.pipe(outgoing);
  });
  engine.on('error', () => outgoing.destroy());
  outgoing.on('close', () => engine.destroy());
  incoming.pipe(engine);
}
