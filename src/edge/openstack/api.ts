import { Secret } from '../../core/model/secret.ts';
import type { Connect } from '../wire/connect.ts';
import { WireError, withoutSecrets } from '../wire/failure.ts';
import { type HttpAnswer, type HttpClient, httpClient, type TlsTrust } from '../wire/http.ts';

export interface KeystoneLogin {
  /** `http://10.0.0.250:5000`, with or without `/v3`. */
  readonly authUrl: string;
  readonly user: string;
  readonly password: Secret;
  /** Default `Default`. */
  readonly userDomain?: string | undefined;
  /** Scope of the token; without one it is unscoped and has no catalog. */
  readonly project?: string | undefined;
  /** Default `Default`. */
  readonly projectDomain?: string | undefined;
  readonly tls?: TlsTrust | undefined;
  /** Milliseconds for one request; default 30000. */
  readonly timeoutMs?: number | undefined;
}

export interface CatalogEndpoint {
  readonly type: string;
  readonly interface: string;
  readonly region: string;
  readonly url: string;
}

export interface RequestOptions {
  readonly headers?: Readonly<Record<string, string>>;
  /** Removed from the message when the server quotes them. */
  readonly secrets?: readonly Secret[];
  /** Hand back answers of 400 and above too. */
  readonly anyStatus?: boolean;
}

export interface OpenStackSession {
  readonly catalog: readonly CatalogEndpoint[];
  readonly userId: string;
  readonly projectId: string;
  /** The URL of a service in the catalog; an error when it has none of that type. */
  endpoint(type: string, face?: 'internal' | 'public', region?: string): string;
  /** An authenticated request; answers of 400 and above are errors. `url` is a service's URL, `path` goes behind it. */
  request(method: string, url: string, path: string, body?: unknown, options?: RequestOptions): Promise<HttpAnswer>;
  /** Whether Keystone takes this password of a user; without effect on this session. */
  passwordOf(userId: string, password: Secret): Promise<boolean>;
  close(): void;
}

/** `http://h:5000/`, `http://h:5000/v3/` and the like to `http://h:5000/v3`. */
export function identityUrl(authUrl: string): string {
  const bare = authUrl.replace(/\/+$/, '');
  return /\/v3$/.test(bare) ? bare : `${bare}/v3`;
}

/** Logs in at Keystone with a password and keeps the token for the requests that follow. */
export async function openSession(connect: Connect, login: KeystoneLogin): Promise<OpenStackSession> {
  const clients = new Map<string, HttpClient>();
  const client = (url: URL, service: string) => {
    const found = clients.get(url.origin);
    if (found) return found;
    const { tls, timeoutMs } = login;
    const fresh = httpClient(connect, { service, origin: url.origin, tls, timeoutMs });
    clients.set(url.origin, fresh);
    return fresh;
  };
  const v3 = new URL(identityUrl(login.authUrl));
  const keystone = client(v3, 'Keystone');
  const close = () => {
    for (const open of clients.values()) open.close();
  };
  try {
    const token = await logIn(keystone, v3, login);
    const session = sessionOf(token, (url) => client(url, 'OpenStack API'));
    const passwordOf = (id: string, password: Secret) => checkPassword(keystone, v3, id, password);
    return { ...session, passwordOf, close };
  } catch (failure) {
    close();
    throw failure;
  }
}

interface Token {
  readonly value: Secret;
  readonly userId: string;
  readonly projectId: string;
  readonly catalog: readonly CatalogEndpoint[];
}

function sessionOf(token: Token, client: (url: URL) => HttpClient): Omit<OpenStackSession, 'passwordOf' | 'close'> {
  const { catalog, userId, projectId } = token;
  return {
    catalog,
    userId,
    projectId,
    endpoint(type, face = 'internal', region) {
      const found = catalog.find(
        (e) => e.type === type && e.interface === face && (region === undefined || e.region === region),
      );
      if (found) return found.url.replace(/\/+$/, '');
      const hint = 'deploy that service first, or look at its endpoints in Keystone';
      throw new WireError('no-endpoint', `the catalog of Keystone has no ${face} endpoint of type ${type}`, { hint });
    },
    async request(method, url, path, body, options = {}) {
      const whole = new URL(`${url.replace(/\/+$/, '')}${path}`);
      const headers = { 'x-auth-token': token.value.reveal(), ...options.headers };
      const answer = await client(whole).request({ method, path: whole.pathname + whole.search, headers, body });
      if (answer.status < 400 || options.anyStatus === true) return answer;
      throw refused(answer, `${method} ${whole.origin}${whole.pathname}`, [token.value, ...(options.secrets ?? [])]);
    },
  };
}

async function logIn(keystone: HttpClient, v3: URL, login: KeystoneLogin): Promise<Token> {
  const user = {
    name: login.user,
    domain: { name: login.userDomain ?? 'Default' },
    password: login.password.reveal(),
  };
  const scope =
    login.project === undefined
      ? 'unscoped'
      : { project: { name: login.project, domain: { name: login.projectDomain ?? 'Default' } } };
  const answer = await authenticate(keystone, v3, user, scope);
  if (answer.status === 401) {
    const where = login.project === undefined ? '' : ` in project ${login.project}`;
    throw new WireError('access-denied', `Keystone at ${v3.href} refused user ${login.user}${where} (HTTP 401)`, {
      status: 401,
      hint: 'compare the password in passwords.yml with the one Keystone was bootstrapped with, and the project',
    });
  }
  const value = answer.headers['x-subject-token'];
  if (answer.status >= 300 || value === undefined) {
    throw refused(answer, `POST ${v3.href}/auth/tokens`, [login.password]);
  }
  return readToken(new Secret(value), answer.body);
}

async function checkPassword(keystone: HttpClient, v3: URL, id: string, password: Secret): Promise<boolean> {
  const answer = await authenticate(keystone, v3, { id, password: password.reveal() }, 'unscoped');
  if (answer.status < 300) return true;
  if (answer.status === 401) return false;
  throw refused(answer, `POST ${v3.href}/auth/tokens`, [password]);
}

function authenticate(keystone: HttpClient, v3: URL, user: object, scope: unknown): Promise<HttpAnswer> {
  const body = { auth: { identity: { methods: ['password'], password: { user } }, scope } };
  return keystone.request({ method: 'POST', path: `${v3.pathname}/auth/tokens`, body });
}

/** Busy, restarting, behind a load balancer without servers; and conflicts, which a second look resolves. */
const passing = new Set([408, 409, 429, 502, 503, 504]);

function refused(answer: HttpAnswer, what: string, secrets: readonly Secret[]): WireError {
  const said = withoutSecrets(messageOf(answer.body), secrets);
  const text = `${what} answered HTTP ${answer.status}${said === '' ? '' : `: ${said}`}`;
  return new WireError(`http-${answer.status}`, text, {
    status: answer.status,
    transient: passing.has(answer.status),
    ...hintFor(answer.status),
  });
}

function hintFor(status: number): { readonly hint?: string } {
  if (status === 401 || status === 403) return { hint: 'the user lacks a role for this, or the token has expired' };
  return status >= 500 ? { hint: 'see the log of that service on the host that answered' } : {};
}

/** The sentence in `{"error": {"message": …}}`, `{"errors": [{"detail": …}]}` or the start of a page. */
export function messageOf(body: unknown): string {
  if (typeof body === 'string') {
    return body
      .replace(/<[^>]*>/g, ' ')
      .replace(/\s+/g, ' ')
      .trim()
      .slice(0, 200);
  }
  const first =
    record(body).error ?? (Array.isArray(record(body).errors) ? (record(body).errors as unknown[])[0] : body);
  if (typeof first === 'string') return first;
  const { message, detail, title } = record(first);
  const text = [message, detail, title].find((t): t is string => typeof t === 'string' && t !== '') ?? '';
  // Keystone adds the schema that was violated as further paragraphs.
  return text.split('\n\n')[0] ?? text;
}

function readToken(value: Secret, body: unknown): Token {
  const token = record(record(body).token);
  const catalog = records(token.catalog).flatMap((service) =>
    records(service.endpoints).map((e) => ({
      type: String(service.type),
      interface: String(e.interface),
      region: String(e.region ?? e.region_id),
      url: String(e.url),
    })),
  );
  return {
    value,
    userId: String(record(token.user).id ?? ''),
    projectId: String(record(token.project).id ?? ''),
    catalog,
  };
}

export type Fields = Readonly<Record<string, unknown>>;

export function record(value: unknown): Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : {};
}

export function records(value: unknown): readonly Fields[] {
  return Array.isArray(value) ? value.map(record) : [];
}
