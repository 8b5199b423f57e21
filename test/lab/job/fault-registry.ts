import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import { Transform } from 'node:stream';
import { startRegistry, startRegistryAside, stopRegistry } from '../registry.ts';
import { GATEWAY, REGISTRY } from '../settings.ts';

export interface Asked {
  readonly method: string;
  readonly path: string;
  /** Address of the asker. */
  readonly from: string;
}

/** What becomes of one request; it is passed on when there is nothing. */
export type Mischief =
  | { readonly status: number; readonly retryAfterSeconds?: number }
  | { readonly bytesPerSecond: number }
  /** The connection is reset without an answer. */
  | 'cut';

/** Stands where nodes and control host look for the registry, which itself goes on elsewhere. */
export interface FaultRegistry {
  /** All requests since the last call. */
  asked(): readonly Asked[];
  misbehave(how: (asked: Asked) => Mischief | undefined): void;
  behave(): void;
  /** Refuses connections, and ends those that are open. */
  goAway(): Promise<void>;
  comeBack(): Promise<void>;
  /** The registry itself again. */
  stop(): Promise<void>;
}

/** The registry API's own names of what it answers. */
const codes: Readonly<Record<number, string>> = { 404: 'MANIFEST_UNKNOWN', 429: 'TOOMANYREQUESTS' };
const port = Number(REGISTRY.slice(GATEWAY.length + 1));

export async function startFaultRegistry(): Promise<FaultRegistry> {
  await stopRegistry();
  const behind = await startRegistryAside();
  let mischief: (asked: Asked) => Mischief | undefined = () => undefined;
  const log: Asked[] = [];
  const server = createServer((incoming, outgoing) => {
    const from = incoming.socket.remoteAddress ?? '';
    const asked = { method: incoming.method ?? '', path: incoming.url ?? '', from };
    log.push(asked);
    answer(behind, mischief(asked), incoming, outgoing);
  });
  const listen = (): Promise<void> =>
    new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, GATEWAY, resolve);
    });
  const close = async (): Promise<void> => {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    server.closeAllConnections();
    await closed;
  };
  await listen();
  return {
    asked: () => log.splice(0),
    misbehave: (how) => {
      mischief = how;
    },
    behave: () => {
      mischief = () => undefined;
    },
    goAway: close,
    comeBack: async () => {
      if (!server.listening) await listen();
    },
    stop: async () => {
      if (server.listening) await close();
      await startRegistry();
    },
  };
}

function answer(behind: number, how: Mischief | undefined, incoming: IncomingMessage, outgoing: ServerResponse): void {
  if (how === 'cut') {
    incoming.socket.resetAndDestroy();
    return;
  }
  if (how !== undefined && 'status' in how) {
    const { status, retryAfterSeconds } = how;
    incoming.resume();
    outgoing.writeHead(status, {
      'content-type': 'application/json',
      ...(retryAfterSeconds === undefined ? {} : { 'retry-after': String(retryAfterSeconds) }),
    });
    outgoing.end(JSON.stringify({ errors: [{ code: codes[status] ?? 'UNKNOWN', message: 'on purpose' }] }));
    return;
  }
  const { method, url, rawHeaders } = incoming;
  // With its host header: the addresses in the registry's answers lead back here.
  const passed = request({ host: '127.0.0.1', port: behind, method, path: url, headers: rawHeaders }, (given) => {
    outgoing.writeHead(given.statusCode ?? 502, given.rawHeaders);
    if (how === undefined) given.pipe(outgoing);
    else given.pipe(throttling(how.bytesPerSecond)).pipe(outgoing);
  });
  passed.on('error', () => outgoing.destroy());
  outgoing.on('close', () => passed.destroy());
  incoming.pipe(passed);
}

function throttling(bytesPerSecond: number): Transform {
  return new Transform({
    transform(chunk: Buffer, _encoding, next) {
      setTimeout(() => next(null, chunk), (chunk.length / bytesPerSecond) * 1000);
    },
  });
}
