import type { Secret } from '../../core/model/secret.ts';
import type { Connect } from '../wire/connect.ts';
import { hostAndPort, WireError, withoutSecrets } from '../wire/failure.ts';
import { httpClient, type TlsTrust } from '../wire/http.ts';

export interface RabbitmqServer {
  readonly address: string;
  /** Of the management API, normally 15672. */
  readonly port: number;
  /** Needs the tag administrator. */
  readonly user: string;
  readonly password: Secret;
  /** The API speaks HTTPS. */
  readonly tls?: TlsTrust | undefined;
  /** Milliseconds for one request; default 15000. */
  readonly timeoutMs?: number | undefined;
}

export interface Management {
  get(path: string): Promise<unknown>;
  put(path: string, body: unknown, secrets?: readonly Secret[]): Promise<void>;
}

/** `/api` requests with the administrator's password, one connection for all; closed afterwards. */
export async function withManagement<T>(
  connect: Connect,
  server: RabbitmqServer,
  work: (api: Management) => Promise<T>,
): Promise<T> {
  const origin = `${server.tls ? 'https' : 'http'}://${hostAndPort(server.address, server.port)}`;
  const { tls, timeoutMs = 15_000 } = server;
  const http = httpClient(connect, { service: 'RabbitMQ management', origin, tls, timeoutMs, maxConnections: 2 });
  const login = Buffer.from(`${server.user}:${server.password.reveal()}`).toString('base64');
  const call = async (method: string, path: string, body?: unknown, secrets: readonly Secret[] = []) => {
    const headers = { authorization: `Basic ${login}` };
    const answer = await http.request({ method, path: `/api${path}`, headers, body });
    if (answer.status >= 300) throw refused(origin, `${method} /api${path}`, server, answer, secrets);
    return answer.body;
  };
  try {
    return await work({
      get: (path) => call('GET', path),
      put: async (path, body, secrets) => {
        await call('PUT', path, body, secrets);
      },
    });
  } finally {
    http.close();
  }
}

function refused(
  origin: string,
  what: string,
  server: RabbitmqServer,
  answer: { readonly status: number; readonly body: unknown },
  secrets: readonly Secret[],
): WireError {
  const { status } = answer;
  if (status === 401) {
    return new WireError('access-denied', `RabbitMQ at ${origin} refused user ${server.user} (HTTP 401)`, {
      status,
      hint: 'compare the password in passwords.yml with the one RabbitMQ was started with; the user needs the tag administrator',
    });
  }
  const said = withoutSecrets(reason(answer.body), [server.password, ...secrets]);
  const text = `RabbitMQ at ${origin}: ${what} answered HTTP ${status}${said === '' ? '' : `: ${said}`}`;
  return new WireError(`http-${status}`, text, {
    status,
    transient: status >= 500,
    hint: 'see the log of RabbitMQ on that host',
  });
}

function reason(body: unknown): string {
  if (typeof body !== 'object' || body === null) return '';
  if ('reason' in body && typeof body.reason === 'string') return body.reason;
  return 'error' in body && typeof body.error === 'string' ? body.error : '';
}
