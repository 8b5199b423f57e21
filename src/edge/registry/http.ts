import { setTimeout as delay } from 'node:timers/promises';
import { DeployError, error, exitCode } from '../../core/model/diagnostic.ts';
import type { Secret } from '../../core/model/secret.ts';
import { apiBase } from './reference.ts';

export interface RegistryOptions {
  /** Registries (host:port) that are spoken to by plain HTTP. */
  readonly insecure?: readonly string[];
  /** By registry (host:port). */
  readonly credentials?: ReadonlyMap<string, { readonly username: string; readonly password: Secret }>;
  /** Per request; default 15 s. */
  readonly timeoutMs?: number;
  /** Waits between the attempts of a request that failed for a passing reason; default 250, 500 and 1000 ms. */
  readonly retryDelaysMs?: readonly number[];
  readonly signal?: AbortSignal;
  /** Told of every wait before another attempt. */
  readonly onWait?: (text: string) => void;
}

export interface RegistryRequest {
  readonly registry: string;
  /** Below `/v2`, with a leading slash. */
  readonly path: string;
  readonly method?: 'GET' | 'HEAD';
  readonly accept?: string;
}

export type RegistryHttp = (request: RegistryRequest) => Promise<Response>;

const passing = new Set([429, 500, 502, 503, 504]);
const longestWaitMs = 10_000;

/**
 * HTTP with a registry: retries what may pass (429, 5xx, connection errors), answers Basic and Bearer challenges.
 * Gives back any other answer, 404 included; throws DeployError (exit 4) when the registry cannot be used. All
 * requests that fail because a registry is away throw the same error object, so that it can be reported once.
 */
export function registryHttp(options: RegistryOptions): RegistryHttp {
  const down = new Map<string, DeployError>();
  const authorizations = new Map<string, string>();

  async function once(request: RegistryRequest): Promise<Response> {
    const insecure = options.insecure?.includes(request.registry) ?? false;
    const authorization = authorizations.get(authorizationKey(request));
    return send(`${apiBase(request.registry, insecure)}${request.path}`, request, authorization, options);
  }

  async function authorized(request: RegistryRequest): Promise<Response> {
    const response = await once(request);
    const challenge = response.headers.get('www-authenticate');
    if (response.status !== 401 || !challenge) return response;
    const authorization = await answer(challenge, request.registry, options);
    if (!authorization) return response;
    authorizations.set(authorizationKey(request), authorization);
    await response.body?.cancel();
    return once(request);
  }

  return async (request) => {
    const known = down.get(request.registry);
    if (known) throw known;
    try {
      const response = await retrying(request.registry, () => authorized(request), options);
      if (response.status === 401 || response.status === 403) throw refused(request, response.status);
      if (!passing.has(response.status)) return response;
      throw new PassingAnswer(response.status);
    } catch (thrown) {
      if (options.signal?.aborted) throw thrown;
      if (thrown instanceof DeployError) throw thrown;
      const failure = down.get(request.registry) ?? connectionFailure(request.registry, thrown);
      down.set(request.registry, failure);
      throw failure;
    }
  };
}

/** An answer that may be another one in a moment. */
class PassingAnswer extends Error {
  readonly hint: string;

  constructor(status: number) {
    super(`it answers ${status}${status === 429 ? ' (too many requests)' : ''}`);
    this.hint = status === 429 ? 'run the same command again later' : 'look at the registry’s own log';
  }
}

/** Tokens are given for one repository; the path starts with its name. */
function authorizationKey(request: RegistryRequest): string {
  return `${request.registry}${request.path.replace(/\/(manifests|blobs|tags)\/.*$/, '')}`;
}

async function send(
  url: string,
  request: { readonly method?: string; readonly accept?: string },
  authorization: string | undefined,
  options: RegistryOptions,
): Promise<Response> {
  const timeout = AbortSignal.timeout(options.timeoutMs ?? 15_000);
  return fetch(url, {
    method: request.method ?? 'GET',
    headers: {
      ...(request.accept ? { accept: request.accept } : {}),
      ...(authorization ? { authorization } : {}),
    },
    signal: options.signal ? AbortSignal.any([options.signal, timeout]) : timeout,
  });
}

async function retrying(
  registry: string,
  attempt: () => Promise<Response>,
  options: RegistryOptions,
): Promise<Response> {
  const pause = async (why: string, ms: number): Promise<void> => {
    options.onWait?.(`the registry ${registry}: ${why}; asked again in ${ms / 1000} s`);
    await delay(ms, undefined, options.signal ? { signal: options.signal } : {});
  };
  for (const wait of options.retryDelaysMs ?? [250, 500, 1000]) {
    try {
      const response = await attempt();
      if (!passing.has(response.status)) return response;
      await response.body?.cancel();
      await pause(new PassingAnswer(response.status).message, retryAfterMs(response) ?? wait);
    } catch (thrown) {
      if (options.signal?.aborted || isPermanent(thrown)) throw thrown;
      await pause(connectionFault(thrown).reason, wait);
    }
  }
  return attempt();
}

function retryAfterMs(response: Response): number | undefined {
  const seconds = Number(response.headers.get('retry-after') ?? Number.NaN);
  return Number.isFinite(seconds) && seconds >= 0 ? Math.min(seconds * 1000, longestWaitMs) : undefined;
}

async function answer(challenge: string, registry: string, options: RegistryOptions): Promise<string | undefined> {
  const credentials = options.credentials?.get(registry);
  const basic =
    credentials &&
    `Basic ${Buffer.from(`${credentials.username}:${credentials.password.reveal()}`).toString('base64')}`;
  if (/^basic/i.test(challenge)) return basic;
  if (!/^bearer/i.test(challenge)) return undefined;
  const fields = new Map([...challenge.matchAll(/(\w+)="([^"]*)"/g)].map(([, name = '', value = '']) => [name, value]));
  const realm = fields.get('realm');
  if (!realm || !URL.canParse(realm)) return undefined;
  const url = new URL(realm);
  for (const name of ['service', 'scope']) {
    const value = fields.get(name);
    if (value) url.searchParams.set(name, value);
  }
  const response = await send(url.href, {}, basic, options);
  if (!response.ok) return undefined;
  const body = (await response.json()) as { token?: string; access_token?: string };
  const token = body.token ?? body.access_token;
  return token && `Bearer ${token}`;
}

function causeOf(thrown: unknown): { readonly code: string; readonly message: string } {
  const cause = thrown instanceof Error && thrown.cause instanceof Error ? thrown.cause : thrown;
  const code = (cause as { code?: unknown } | undefined)?.code;
  return {
    code: typeof code === 'string' ? code : '',
    message: cause instanceof Error ? cause.message : String(cause),
  };
}

function isPermanent(thrown: unknown): boolean {
  return thrown instanceof DeployError || /SSL|TLS|CERT|SELF_SIGNED|ENOTFOUND|EPROTO/.test(causeOf(thrown).code);
}

function connectionFailure(registry: string, thrown: unknown): DeployError {
  const { reason, hint } = connectionFault(thrown);
  return unusable(registry, reason, hint);
}

function connectionFault(thrown: unknown): { readonly reason: string; readonly hint?: string } {
  if (thrown instanceof PassingAnswer) return { reason: thrown.message, hint: thrown.hint };
  const { code, message } = causeOf(thrown);
  if (thrown instanceof Error && thrown.name === 'TimeoutError') return { reason: 'it does not answer in time' };
  if (code === 'ECONNREFUSED') return { reason: 'the connection was refused', hint: 'is the registry running?' };
  if (code === 'ENOTFOUND') return { reason: 'its name is not known', hint: 'check docker_registry' };
  if (/SSL|EPROTO/.test(code)) {
    const hint = 'set docker_registry_insecure: true for a plain HTTP registry';
    return { reason: 'it does not speak HTTPS', hint };
  }
  if (/CERT|SELF_SIGNED|TLS/.test(code)) {
    const hint = 'set NODE_EXTRA_CA_CERTS to its CA file';
    return { reason: `its certificate is not trusted (${message})`, hint };
  }
  return { reason: message };
}

export function unusable(registry: string, reason: string, hint?: string | undefined): DeployError {
  const said = error('registry-unusable', `the registry ${registry} cannot be used: ${reason}`, { hint });
  return new DeployError([said], exitCode.nodeNotUsable);
}

function refused(request: RegistryRequest, status: number): DeployError {
  const hint = 'check docker_registry_username and docker_registry_password';
  return unusable(request.registry, `it refuses access to ${request.path} (${status})`, hint);
}
