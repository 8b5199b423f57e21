import { connect as netConnect } from 'node:net';
import type { Duplex } from 'node:stream';
import {
  type Fields,
  type KeystoneLogin,
  type OpenStackSession,
  openSession,
  record,
  records,
} from '../../../src/edge/openstack/api.ts';

/** Connections made from this machine itself: the lab's VIP is reachable from it. */
export async function connectDirectly(address: string, port: number): Promise<Duplex> {
  const socket = netConnect({ host: address, port, noDelay: true });
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('error', reject);
  });
  return socket;
}

/** Logs in at the Keystone behind the VIP as an operator would. */
export function logIn(login: KeystoneLogin): Promise<OpenStackSession> {
  return openSession(connectDirectly, login);
}

export interface Image {
  readonly id: string;
  readonly name: string;
  /** `queued`, `saving`, `active`, … */
  readonly status: string;
  readonly osDistro: string;
  readonly size: number;
}

export async function listImages(session: OpenStackSession, name?: string): Promise<readonly Image[]> {
  const query = name === undefined ? '' : `?name=${encodeURIComponent(name)}`;
  const { body } = await session.request('GET', session.endpoint('image'), `/v2/images${query}`);
  return records(record(body).images).map(readImage);
}

/** Registers an image with its content; one of that name that is active already is taken as it is. */
export async function ensureImage(
  session: OpenStackSession,
  wanted: { readonly name: string; readonly osDistro: string; readonly content: Uint8Array },
): Promise<Image> {
  const found = (await listImages(session, wanted.name)).find((image) => image.status === 'active');
  if (found) return found;
  const glance = session.endpoint('image');
  const { body } = await session.request('POST', glance, '/v2/images', {
    name: wanted.name,
    disk_format: 'raw',
    container_format: 'bare',
    visibility: 'public',
    os_distro: wanted.osDistro,
  });
  const { id } = readImage(record(body));
  await session.request('PUT', glance, `/v2/images/${id}/file`, wanted.content);
  return readImage(record((await session.request('GET', glance, `/v2/images/${id}`)).body));
}

/** What was put in, byte for byte; the answer's text form serves for small ASCII contents. */
export async function downloadImage(session: OpenStackSession, id: string): Promise<unknown> {
  return (await session.request('GET', session.endpoint('image'), `/v2/images/${id}/file`)).body;
}

function readImage(fields: Fields): Image {
  return {
    id: String(fields.id),
    name: String(fields.name ?? ''),
    status: String(fields.status ?? ''),
    osDistro: String(fields.os_distro ?? ''),
    size: Number(fields.size ?? 0),
  };
}

export interface ClusterTemplate {
  readonly uuid: string;
  readonly name: string;
  readonly imageId: string;
  readonly coe: string;
}

/** A request that goes from Magnum's API over RPC to its conductor and to the database. */
export async function listClusterTemplates(session: OpenStackSession): Promise<readonly ClusterTemplate[]> {
  const { body } = await session.request('GET', magnum(session), '/clustertemplates');
  return records(record(body).clustertemplates).map(readTemplate);
}

/**
 * A Kubernetes template with nothing in it but the image, so that neither Nova nor Neutron is asked.
 * One of that name is taken as it is.
 */
export async function ensureClusterTemplate(
  session: OpenStackSession,
  wanted: { readonly name: string; readonly image: string; readonly more?: Fields },
): Promise<ClusterTemplate> {
  const found = (await listClusterTemplates(session)).find((template) => template.name === wanted.name);
  if (found) return found;
  const { body } = await session.request('POST', magnum(session), '/clustertemplates', {
    name: wanted.name,
    image_id: wanted.image,
    coe: 'kubernetes',
    ...wanted.more,
  });
  return readTemplate(record(body));
}

function readTemplate(fields: Fields): ClusterTemplate {
  return {
    uuid: String(fields.uuid),
    name: String(fields.name ?? ''),
    imageId: String(fields.image_id ?? ''),
    coe: String(fields.coe ?? ''),
  };
}

export interface Quota {
  readonly projectId: string;
  readonly resource: string;
  readonly hardLimit: number;
}

export async function listQuotas(session: OpenStackSession): Promise<readonly Quota[]> {
  const { body } = await session.request('GET', magnum(session), '/quotas?all_tenants=True');
  return records(record(body).quotas).map(readQuota);
}

/** How many clusters a project may have; needs Keystone alone. */
export async function ensureQuota(session: OpenStackSession, projectId: string, hardLimit: number): Promise<Quota> {
  const found = (await listQuotas(session)).find((quota) => quota.projectId === projectId);
  if (found?.hardLimit === hardLimit) return found;
  const body = { project_id: projectId, resource: 'Cluster', hard_limit: hardLimit };
  const [method, path] = found ? (['PATCH', `/quotas/${projectId}/Cluster`] as const) : (['POST', '/quotas'] as const);
  return readQuota(record((await session.request(method, magnum(session), path, body)).body));
}

function readQuota(fields: Fields): Quota {
  return {
    projectId: String(fields.project_id),
    resource: String(fields.resource),
    hardLimit: Number(fields.hard_limit),
  };
}

/** The conductors Magnum's API knows: host and whether they have reported lately. */
export async function listMagnumServices(
  session: OpenStackSession,
): Promise<readonly { readonly host: string; readonly binary: string; readonly state: string }[]> {
  const { body } = await session.request('GET', magnum(session), '/mservices');
  return records(record(body).mservices).map((fields) => ({
    host: String(fields.host),
    binary: String(fields.binary),
    state: String(fields.state),
  }));
}

/** Highest API microversion Magnum offers, `1.11`: a release's mark that can be seen from outside. */
export async function magnumMicroversion(session: OpenStackSession): Promise<string> {
  const { origin } = new URL(magnum(session));
  const { body } = await session.request('GET', origin, '/');
  const [version] = records(record(body).versions);
  return String(version?.max_version ?? '');
}

/** The URL in the catalog ends in `/v1`. */
function magnum(session: OpenStackSession): string {
  const url = session.endpoint('container-infra');
  return url.endsWith('/v1') ? url : `${url}/v1`;
}

export interface Stack {
  readonly id: string;
  readonly name: string;
  readonly status: string;
}

/** A request that goes from Heat's API over RPC to its engine and to the database. */
export async function listStacks(session: OpenStackSession): Promise<readonly Stack[]> {
  const { body } = await session.request('GET', session.endpoint('orchestration'), '/stacks');
  return records(record(body).stacks).map((fields) => ({
    id: String(fields.id),
    name: String(fields.stack_name),
    status: String(fields.stack_status),
  }));
}
