import { Agent, type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { connect as tlsConnect } from 'node:tls';
import { type Connect, dial } from './connect.ts';
import { isWayGone, reasonOf, WireError } from './failure.ts';

export interface TlsTrust {
  /** PEM of the authorities to trust; default: those of Node. */
  readonly ca?: string | undefined;
  /** Take any certificate. */
  readonly insecure?: boolean | undefined;
}

export interface HttpOptions {
  /** For messages: `Keystone`, `RabbitMQ management`. */
  readonly service: string;
  /** `http://10.0.0.250:5000`; a path is ignored. */
  readonly origin: string;
  readonly tls?: TlsTrust | undefined;
  /** Milliseconds for one request including its connection; default 30000. */
  readonly timeoutMs?: number | undefined;
  /** Connections kept at most; default 4. */
  readonly maxConnections?: number | undefined;
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Parsed when the answer is JSON, else the text. */
  readonly body: unknown;
  /** The body as it came. */
  readonly text: string;
}

export interface HttpRequest {
  readonly method: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Bytes are sent as they are, anything else as JSON. */
  readonly body?: unknown;
}

export interface HttpClient {
  /** Any status is an answer; only a conversation that fails throws. */
  request(request: HttpRequest): Promise<HttpAnswer>;
  close(): void;
}

/** Node's agent with connections from elsewhere. */
class DuplexAgent extends Agent {
  readonly #open: () => Promise<Duplex>;

  constructor(open: () => Promise<Duplex>, maxSockets: number) {
    super({ keepAlive: true, maxSockets });
    this.#open = open;
  }

  override createConnection(_options: unknown, done?: (failure: Error | null, stream: Duplex) => void): Duplex {
    this.#open().then(
      (stream) => done?.(null, withSocketMethods(stream)),
      (failure: Error) => done?.(failure, undefined as unknown as Duplex),
    );
    // The agent takes a missing return value as: the callback will tell.
    return undefined as unknown as Duplex;
  }
}

/** Node's agent calls these on every connection it keeps; a channel forwarded over SSH has none of them. */
function withSocketMethods(stream: Duplex): Duplex {
  for (const name of ['setKeepAlive', 'setNoDelay', 'setTimeout', 'ref', 'unref']) {
    if (!(name in stream)) Object.defineProperty(stream, name, { value: () => stream });
  }
  return stream;
}

/** HTTP/1.1 over connections made by `connect`: kept alive, with a deadline for each request. */
export function httpClient(connect: Connect, options: HttpOptions): HttpClient {
  const timeoutMs = options.timeoutMs ?? 30_000;
  const url = new URL(options.origin);
  const maxConnections = options.maxConnections ?? 4;
  const agent = new DuplexAgent(() => openStream(connect, url, options, timeoutMs), maxConnections);
  const inTurn = atMost(maxConnections);
  const send = (request: HttpRequest) => inTurn(() => exchange(agent, url, options.service, request, timeoutMs));
  return {
    async request(request) {
      try {
        return await send(request);
      } catch (failure) {
        // A server may close an idle connection at the very moment it is used again.
        if (failure instanceof StaleConnection) return await send(request);
        throw failure;
      }
    },
    close: () => agent.destroy(),
  };
}

/** The agent counts a connection only once it is open, so its own limit would let any number be opened at once. */
function atMost(limit: number): <T>(work: () => Promise<T>) => Promise<T> {
  let free = limit;
  const waiting: (() => void)[] = [];
  return async (work) => {
    if (free > 0) free--;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else free++;
    }
  };
}

class StaleConnection extends WireError {}

function portOf(url: URL): number {
  return Number(url.port || (url.protocol === 'https:' ? 443 : 80));
}

function hostOf(url: URL): string {
  return url.hostname.replace(/^\[|\]$/g, '');
}

async function openStream(connect: Connect, url: URL, options: HttpOptions, timeoutMs: number): Promise<Duplex> {
  const { service, tls } = options;
  const raw = await dial(connect, { service, address: hostOf(url), port: portOf(url), timeoutMs });
  if (url.protocol !== 'https:') return raw;
  return await new Promise<Duplex>((resolve, reject) => {
    const secure = tlsConnect({
      socket: raw as Socket,
      servername: /^[\d.]+$|:/.test(hostOf(url)) ? undefined : hostOf(url),
      host: hostOf(url),
      rejectUnauthorized: tls?.insecure !== true,
      ca: tls?.ca,
    });
    secure.once('secureConnect', () => resolve(secure));
    secure.on('error', (failure) => {
      raw.destroy();
      reject(
        new WireError('tls-failed', `${service} at ${url.host}: TLS failed: ${reasonOf(failure)}`, {
          hint: 'see whether the certificate is valid for that name and its authority is trusted',
        }),
      );
    });
  });
}

function exchange(
  agent: Agent,
  url: URL,
  service: string,
  request: HttpRequest,
  timeoutMs: number,
): Promise<HttpAnswer> {
  const payload = encode(request.body);
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest({
      agent,
      host: hostOf(url),
      port: portOf(url),
      method: request.method,
      path: request.path,
      headers: { host: url.host, accept: 'application/json', ...payload?.headers, ...request.headers },
    });
    const timer = setTimeout(() => outgoing.destroy(new Error(`no answer within ${timeoutMs / 1000} s`)), timeoutMs);
    const fail = (failure: unknown) => {
      clearTimeout(timer);
      const known = failure instanceof WireError || isWayGone(failure);
      reject(known ? failure : lost(failure, outgoing, url, service, request));
    };
    outgoing.on('error', fail);
    outgoing.on('response', (incoming) => {
      collect(incoming).then((answer) => {
        clearTimeout(timer);
        resolve(answer);
      }, fail);
    });
    outgoing.end(payload?.bytes);
  });
}

function lost(failure: unknown, outgoing: ClientRequest, url: URL, service: string, request: HttpRequest): WireError {
  const path = request.path.split('?')[0];
  const text = `${service} at ${url.host}: ${request.method} ${path}: ${reasonOf(failure)}`;
  const code = failure instanceof Error && 'code' in failure ? failure.code : undefined;
  const stale = outgoing.reusedSocket && (code === 'ECONNRESET' || code === 'EPIPE');
  const Kind = stale && request.method !== 'POST' ? StaleConnection : WireError;
  return new Kind('connection-lost', text, {
    transient: true,
    hint: 'run the command again; if it stays, see its log',
  });
}

function encode(body: unknown): { bytes: string | Uint8Array; headers: Record<string, string> } | undefined {
  if (body === undefined) return undefined;
  if (body instanceof Uint8Array) {
    return {
      bytes: body,
      headers: { 'content-type': 'application/octet-stream', 'content-length': String(body.byteLength) },
    };
  }
  const bytes = JSON.stringify(body);
  return {
    bytes,
    headers: { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(bytes)) },
  };
}

async function collect(incoming: IncomingMessage): Promise<HttpAnswer> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(Buffer.from(chunk as Uint8Array));
  const text = Buffer.concat(chunks).toString('utf8');
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(incoming.headers)) {
    if (value !== undefined) headers[name] = Array.isArray(value) ? value.join(', ') : value;
  }
  return { status: incoming.statusCode ?? 0, headers, body: parse(text, headers['content-type'] ?? ''), text };
}

function parse(text: string, contentType: string): unknown {
  if (!/[/+]json/.test(contentType)) return text;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}
