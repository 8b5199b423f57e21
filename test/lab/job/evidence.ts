import { Secret } from '../../../src/core/model/secret.ts';
import type { OpenStackSession } from '../../../src/edge/openstack/api.ts';
import { nodeExec } from '../nodes.ts';
import type { Lab } from '../raise.ts';
import { nodeByName } from '../settings.ts';
import { inContainer, password } from './deploy-command.ts';
import { type ClusterTemplate, ensureClusterTemplate, ensureImage, logIn } from './openstack-client.ts';

export function session(lab: Lab): Promise<OpenStackSession> {
  return logIn({
    authUrl: `http://${lab.vip}:5000`,
    user: 'admin',
    password: new Secret(password(lab, 'keystone_admin_password')),
    project: 'admin',
  });
}

/** A small image in Glance and a cluster template in Magnum made from it, both through the VIP. */
export async function makeTemplate(lab: Lab): Promise<ClusterTemplate> {
  const api = await session(lab);
  const image = await ensureImage(api, {
    name: 'lab-image',
    osDistro: 'fedora-coreos',
    content: Buffer.from('a small image of the lab\n'),
  });
  return ensureClusterTemplate(api, { name: 'lab-template', image: image.id });
}

/** Revision of Magnum's schema, read from the database itself. */
export async function magnumSchema(lab: Lab): Promise<string> {
  const query = 'select version_num from magnum.alembic_version';
  const result = await nodeExec(
    'node1',
    `docker exec -i mariadb sh -c 'MYSQL_PWD="$(cat)" mariadb -N -h ${nodeByName('node1').address} -u root -e "${query}"'`,
    { input: password(lab, 'database_password') },
  );
  if (result.code !== 0) throw new Error(`schema of magnum: ${result.stderr}`);
  return result.stdout.trim();
}

/** Version of the packaged service that a container runs, `15.0.1-1`. */
export async function packageVersion(container: string, debianPackage: string): Promise<string[]> {
  const query = `dpkg-query -W -f '\${Version}' ${debianPackage}`;
  return Promise.all((['node1', 'node2', 'node3'] as const).map((node) => inContainer(node, container, query)));
}

/** A configuration file as the service's process reads it, inside its container. */
export function configInside(node: 'node1' | 'node2' | 'node3', container: string, file: string): Promise<string> {
  return inContainer(node, container, `cat ${file}`);
}
