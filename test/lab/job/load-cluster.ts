import { type OpenStackSession, record, records } from '../../../src/edge/openstack/api.ts';
import { LabError, waitFor } from '../command.ts';
import type { Lab } from '../raise.ts';
import { makeTemplate, session } from './evidence.ts';

const name = 'load';

/**
 * A cluster in Magnum's database, whose certificate can be asked for: one of the few requests that Magnum's API, run
 * under uwsgi, hands to a conductor and waits for (lists it reads from the database itself). Without Nova the cluster
 * never comes up; its certificates are made before that. Returns the certificate's URL.
 */
export async function loadCluster(lab: Lab): Promise<string> {
  const template = await makeTemplate(lab);
  const api = await session(lab);
  const url = api.endpoint('container-infra').replace(/(\/v1)?$/, '/v1');
  const known = await find(api, url);
  const id = known ?? (await create(api, url, template.uuid));
  const certificate = async (): Promise<boolean> => {
    try {
      return (await api.request('GET', url, `/certificates/${id}`)).status === 200;
    } catch {
      return false;
    }
  };
  if (!(await waitFor(certificate, 60_000, 1_000))) throw new LabError('Magnum has no certificate for the load');
  return `${url}/certificates/${id}`;
}

async function find(api: OpenStackSession, url: string): Promise<string | undefined> {
  const { body } = await api.request('GET', url, '/clusters');
  const found = records(record(body).clusters).find((cluster) => cluster.name === name);
  return found === undefined ? undefined : String(found.uuid);
}

async function create(api: OpenStackSession, url: string, template: string): Promise<string> {
  const wish = { name, cluster_template_id: template, node_count: 1, master_count: 1 };
  return String(record((await api.request('POST', url, '/clusters', wish)).body).uuid);
}
