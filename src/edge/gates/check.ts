import type { EvaluatedGate, GateCheck } from '../../core/desired/gate.ts';
import { DeployError } from '../../core/model/diagnostic.ts';
import { isSecret, type Secret } from '../../core/model/secret.ts';
import type { GateAnswer, NodePort } from '../../run/ports.ts';
import { withMariadb } from '../mariadb/connection.ts';
import { identifier } from '../mariadb/sql.ts';
import { messageOf, openSession } from '../openstack/api.ts';
import { type Connect, dial } from '../wire/connect.ts';
import { hostAndPort, reasonOf, withoutSecrets } from '../wire/failure.ts';
import { type HttpAnswer, httpClient } from '../wire/http.ts';

type Check<K extends GateCheck['kind']> = Extract<GateCheck, { kind: K }>;

/** What a gate is asked through: connections made from a node, and its containers. */
export type GateNode = Pick<NodePort, 'connect' | 'exec'>;

const attemptMs = 10_000;
const shown = 200;

/** Asks once. A server that cannot be reached is an answer like any other. */
export async function checkGate(node: GateNode, gate: EvaluatedGate): Promise<GateAnswer> {
  const { check } = gate;
  const connect: Connect = (address, port) => node.connect(address, port);
  try {
    if (check.kind === 'http') return await checkHttp(connect, check);
    if (check.kind === 'tcp') return await checkTcp(connect, check);
    if (check.kind === 'sql') return await checkSql(connect, check);
    return await checkCommand(node, check, gate.within * 1000);
  } catch (failure) {
    // An engine, a server or a connection that fails may be well in a second.
    if (failure instanceof DeployError || failure instanceof Error) return { ok: false, said: reasonOf(failure) };
    throw failure;
  }
}

async function checkHttp(connect: Connect, check: Check<'http'>): Promise<GateAnswer> {
  const answer = check.auth ? await askWithToken(connect, check, check.auth) : await ask(connect, check);
  const what = `${check.method} ${check.url} answered HTTP ${answer.status}`;
  if (!check.statuses.includes(answer.status)) {
    const text = withoutSecrets(messageOf(answer.body), Object.values(check.headers).filter(isSecret));
    const said = text === '' ? '' : `: ${text.slice(0, shown)}`;
    return { ok: false, said: `${what} instead of ${check.statuses.join(' or ')}${said}` };
  }
  if (check.contains === undefined || answer.text.includes(plain(check.contains))) return { ok: true };
  return { ok: false, said: `${what}, but without ${quoted(check.contains)}` };
}

async function ask(connect: Connect, check: Check<'http'>): Promise<HttpAnswer> {
  const url = new URL(check.url);
  const timeoutMs = check.timeoutSeconds * 1000;
  const client = httpClient(connect, { service: 'the server', origin: url.origin, timeoutMs, maxConnections: 1 });
  try {
    return await client.request({
      method: check.method,
      path: `${url.pathname}${url.search}`,
      headers: headersOf(check),
    });
  } finally {
    client.close();
  }
}

async function askWithToken(
  connect: Connect,
  check: Check<'http'>,
  { authUrl, user, password, project }: NonNullable<Check<'http'>['auth']>,
): Promise<HttpAnswer> {
  const url = new URL(check.url);
  const timeoutMs = check.timeoutSeconds * 1000;
  const session = await openSession(connect, { authUrl, user, password, project, timeoutMs });
  try {
    const options = { headers: headersOf(check), anyStatus: true };
    return await session.request(check.method, url.origin, `${url.pathname}${url.search}`, undefined, options);
  } finally {
    session.close();
  }
}

function headersOf(check: Check<'http'>): Record<string, string> {
  return Object.fromEntries(Object.entries(check.headers).map(([name, value]) => [name.toLowerCase(), plain(value)]));
}

async function checkTcp(connect: Connect, { address, port }: Check<'tcp'>): Promise<GateAnswer> {
  const stream = await dial(connect, { service: 'the server', address, port, timeoutMs: attemptMs });
  stream.destroy();
  return { ok: true };
}

async function checkSql(connect: Connect, check: Check<'sql'>): Promise<GateAnswer> {
  const rows = await withMariadb(connect, { ...check.server, timeoutMs: attemptMs }, async (query) => {
    if (check.database !== undefined) await query(`USE ${identifier(check.database)}`);
    return await query(plain(check.query));
  });
  if (check.expect === undefined) return { ok: true };
  const [first] = rows;
  const where = `the query at ${hostAndPort(check.server.address, check.server.port)}`;
  if (first === undefined) return { ok: false, said: `${where} gave no row instead of ${quoted(check.expect)}` };
  const value = cell(Object.values(first)[0]);
  if (value === plain(check.expect)) return { ok: true };
  return { ok: false, said: `${where} gave ${quoted(value.slice(0, shown))} instead of ${quoted(check.expect)}` };
}

function cell(value: unknown): string {
  if (value === null || value === undefined) return 'NULL';
  return value instanceof Uint8Array ? Buffer.from(value).toString('utf8') : String(value);
}

async function checkCommand(node: GateNode, check: Check<'command'>, timeoutMs: number): Promise<GateAnswer> {
  const { container, argv, exit } = check;
  const result = await node.exec(container, argv, { timeoutMs });
  if (result.code === exit) return { ok: true };
  const last = `${result.stdout}\n${result.stderr}`.trim().split('\n').pop() ?? '';
  const said = last === '' ? '' : `: ${last.slice(0, shown)}`;
  return { ok: false, said: `${argv[0]} in ${container} ended with ${result.code} instead of ${exit}${said}` };
}

function plain(value: string | Secret): string {
  return isSecret(value) ? value.reveal() : value;
}

/** A secret shows its mask. */
function quoted(value: string | Secret): string {
  return `"${value}"`;
}
