import { password } from '../lab/job/deploy-command.ts';
import { loadCluster } from '../lab/job/load-cluster.ts';
import type { Lab } from '../lab/raise.ts';
import type { RequestKind } from './request.ts';

const okay = [200];

export interface Kinds {
  readonly authenticated: readonly RequestKind[];
  readonly versions: readonly RequestKind[];
}

/** Long before it expires, and often enough that the services have to ask Keystone about a new one during a change. */
const tokenAgeMs = 20_000;

/**
 * What the load asks for, all of it through the VIP. The token it uses is replaced every 20 seconds by the newest one
 * issued.
 * @throws when Keystone does not log the administrator in
 */
export async function loadKinds(lab: Lab): Promise<Kinds> {
  const certificateUrl = await loadCluster(lab);
  const keystone = `http://${lab.vip}:5000`;
  const credentials = loginBody(password(lab, 'keystone_admin_password'));
  const first = await logIn(keystone, credentials);
  let token = first.token;
  let since = performance.now();
  const withToken = (): Record<string, string> => ({ 'x-auth-token': token });
  const list = (service: 'heat' | 'magnum', name: string, url: string): RequestKind => ({
    name,
    service,
    authenticated: true,
    method: 'GET',
    url,
    headers: withToken,
    expect: okay,
  });
  const issue: RequestKind = {
    name: 'keystone: issue a token',
    service: 'keystone',
    authenticated: true,
    method: 'POST',
    url: `${keystone}/v3/auth/tokens`,
    body: credentials,
    expect: [201],
    answered: (headers) => {
      if (performance.now() - since < tokenAgeMs) return;
      token = String(headers['x-subject-token']);
      since = performance.now();
    },
  };
  const validate: RequestKind = {
    name: 'keystone: validate a token',
    service: 'keystone',
    authenticated: true,
    method: 'GET',
    url: `${keystone}/v3/auth/tokens`,
    headers: () => ({ ...withToken(), 'x-subject-token': token }),
    expect: okay,
  };
  const stacks = list('heat', 'heat: list stacks', `http://${lab.vip}:8004/v1/${first.project}/stacks`);
  const templates = list('magnum', 'magnum: list templates', `http://${lab.vip}:9511/v1/clustertemplates`);
  const certificate = list('magnum', "magnum: a cluster's CA", certificateUrl);
  const page = (service: RequestKind['service'], url: string): RequestKind => ({
    name: `${service}: versions`,
    service,
    authenticated: false,
    method: 'GET',
    url,
    // Keystone and Heat offer several versions and say so with 300.
    expect: [200, 300],
  });
  return {
    // Logging in costs a whole password hash, and asking a conductor several processes: nobody does it as often as the rest.
    authenticated: [
      [issue, validate, stacks, validate, stacks],
      [templates, validate, stacks, validate, stacks],
      [certificate, validate, stacks, validate, stacks],
      [templates, validate, stacks, validate, stacks],
    ].flat(),
    versions: [
      page('keystone', `${keystone}/v3`),
      page('heat', `http://${lab.vip}:8004/`),
      page('magnum', `http://${lab.vip}:9511/`),
    ],
  };
}

function loginBody(secret: string): string {
  const domain = { id: 'default' };
  const user = { name: 'admin', domain, password: secret };
  const scope = { project: { name: 'admin', domain } };
  return JSON.stringify({ auth: { identity: { methods: ['password'], password: { user } }, scope } });
}

async function logIn(keystone: string, body: string): Promise<{ readonly token: string; readonly project: string }> {
  const answer = await fetch(`${keystone}/v3/auth/tokens`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body,
  });
  if (answer.status !== 201) throw new Error(`Keystone answers ${answer.status} to a login`);
  const { token } = (await answer.json()) as { readonly token: { readonly project: { readonly id: string } } };
  return { token: answer.headers.get('x-subject-token') ?? '', project: token.project.id };
}
