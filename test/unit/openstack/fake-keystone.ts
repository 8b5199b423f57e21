import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { connect } from 'node:net';
import type { Duplex } from 'node:stream';

type Item = Record<string, unknown> & { id: string };

/** The part of Keystone's v3 API that registration uses, in memory. Behaves as documented, conflicts included. */
export interface FakeKeystone {
  readonly url: string;
  readonly tables: Record<string, Item[]>;
  /** `METHOD path` of every request so far. */
  readonly log: string[];
  /** Answers that go out instead of the next ones. */
  readonly failNext: { status: number; body?: unknown }[];
  connections(): number;
  connect(address: string, port: number): Promise<Duplex>;
  close(): Promise<void>;
}

const singular: Record<string, string> = {
  regions: 'region',
  services: 'service',
  endpoints: 'endpoint',
  domains: 'domain',
  projects: 'project',
  roles: 'role',
  users: 'user',
};

export async function startFakeKeystone(): Promise<FakeKeystone> {
  const tables: Record<string, Item[]> = Object.fromEntries(Object.keys(singular).map((name) => [name, []]));
  tables.role_assignments = [];
  tables.domains?.push({ id: 'default', name: 'Default', enabled: true });
  tables.projects?.push({ id: 'p-admin', name: 'admin', domain_id: 'default', enabled: true });
  tables.users?.push({ id: 'u-admin', name: 'admin', domain_id: 'default', password: 'root-pw', enabled: true });
  const log: string[] = [];
  const failNext: FakeKeystone['failNext'] = [];
  let opened = 0;
  const server = createServer((incoming, response) => {
    answer(incoming, response).catch((failure: unknown) =>
      reply(response, 500, { error: { message: String(failure) } }),
    );
  });
  server.on('connection', () => opened++);

  async function answer(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(incoming.url ?? '/', 'http://fake');
    log.push(`${incoming.method} ${url.pathname}${url.search}`);
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(Buffer.from(chunk as Uint8Array));
    const text = Buffer.concat(chunks).toString();
    const body = text === '' ? {} : (JSON.parse(text) as Record<string, Record<string, unknown>>);
    const failure = failNext.shift();
    if (failure) return reply(response, failure.status, failure.body ?? '<html>busy</html>');
    if (url.pathname === '/v3/auth/tokens') return logIn(response, body);
    if (incoming.headers['x-auth-token'] !== 'token-1') return reply(response, 401, { error: { message: 'no token' } });
    const [, , table = '', id = '', ...rest] = url.pathname.split('/').map(decodeURIComponent);
    if (rest.length > 0) return assign(response, table, id, rest);
    if (incoming.method === 'GET') return list(response, table, url.searchParams);
    return change(response, incoming.method ?? '', table, id, body);
  }

  function logIn(response: ServerResponse, body: Record<string, Record<string, unknown>>): void {
    const auth = body.auth as unknown as {
      identity: { password: { user: { id?: string; name?: string; password: string } } };
      scope: unknown;
    };
    const wanted = auth.identity.password.user;
    const user = tables.users?.find((u) => (wanted.id ? u.id === wanted.id : u.name === wanted.name));
    if (!user || user.password !== wanted.password || user.enabled === false) {
      reply(response, 401, { error: { message: 'The request you have made requires authentication.' } });
      return;
    }
    response.setHeader('x-subject-token', 'token-1');
    const endpoints = [{ interface: 'internal', region: 'RegionOne', url: 'http://10.0.0.9:9292/' }];
    const catalog = [{ type: 'image', endpoints }];
    reply(response, 201, { token: { user: { id: user.id }, project: { id: 'p-admin' }, catalog } });
  }

  function list(response: ServerResponse, table: string, query: URLSearchParams): void {
    const rows = (tables[table] ?? []).filter((row) =>
      [...query].every(([key, value]) => {
        const scope = /^scope\.(project|domain)\.id$/.exec(key)?.[1];
        return scope ? row[`scope_${scope}`] === value : row[key] === value;
      }),
    );
    reply(response, 200, { [table]: rows.map(({ password: _hidden, ...row }) => row) });
  }

  function change(
    response: ServerResponse,
    method: string,
    table: string,
    id: string,
    body: Record<string, Record<string, unknown>>,
  ): void {
    const rows = tables[table] ?? [];
    const envelope = singular[table] ?? '';
    const fields = body[envelope] ?? {};
    if (method === 'PATCH') {
      const row = rows.find((r) => r.id === id);
      if (!row) {
        reply(response, 404, { error: { message: `no ${id}` } });
        return;
      }
      reply(response, 200, { [envelope]: Object.assign(row, fields) });
      return;
    }
    const unique = ['users', 'projects', 'roles', 'domains'].includes(table);
    if (unique && rows.some((r) => r.name === fields.name && r.domain_id === fields.domain_id)) {
      reply(response, 409, { error: { message: 'Conflict occurred attempting to store it' } });
      return;
    }
    const row = { id: `${envelope}-${rows.length + 1}`, ...fields };
    rows.push(row);
    reply(response, 201, { [envelope]: row });
  }

  function assign(response: ServerResponse, table: string, target: string, rest: string[]): void {
    const [, user = '', , role = ''] = rest;
    const scope = table === 'projects' ? { scope_project: target } : { scope_domain: target };
    tables.role_assignments?.push({ id: '', user: { id: user }, role: { id: role }, ...scope });
    response.statusCode = 204;
    response.end();
  }

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return {
    url: `http://127.0.0.1:${port}`,
    tables,
    log,
    failNext,
    connections: () => opened,
    connect: async (host, at) => connect({ host, port: at }),
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

function reply(response: ServerResponse, status: number, body: unknown): void {
  response.statusCode = status;
  if (typeof body === 'string') {
    response.setHeader('content-type', 'text/html');
    response.end(body);
  } else {
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify(body));
  }
}
