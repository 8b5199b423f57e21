import type { Secret } from '../../core/model/secret.ts';
import { type Connect, type Patience, patiently } from '../wire/connect.ts';
import type { TlsTrust } from '../wire/http.ts';
import { type Fields, identityUrl, type OpenStackSession, openSession, record, records } from './api.ts';
import { ensureCatalog } from './keystone-catalog.ts';
import type { Keystone, Listed, WantedIdentity } from './keystone-model.ts';
import { ensurePeople } from './keystone-people.ts';

export interface KeystoneAdmin {
  /** `http://10.0.0.250:5000`, with or without `/v3`. */
  readonly authUrl: string;
  readonly adminUser: string;
  readonly adminPassword: Secret;
  readonly adminProject: string;
  readonly region: string;
  readonly tls?: TlsTrust | undefined;
  /** Milliseconds for one request; default 30000. */
  readonly timeoutMs?: number | undefined;
}

/**
 * Makes Keystone hold what is wanted: region, services, endpoints, domains, projects, roles, users, assignments.
 * Lists first, then writes only what differs; passwords are tried before they are set. Never deletes.
 * Returns what was changed, one short sentence each. Waits at most `patience` for a Keystone that is not ready.
 */
export async function ensureIdentity(
  connect: Connect,
  admin: KeystoneAdmin,
  wanted: WantedIdentity,
  patience: Patience = { forMs: 0 },
): Promise<readonly string[]> {
  const [inCatalog, ofPeople]: [string[], string[]] = [[], []];
  await patiently(patience, async () => {
    const session = await openSession(connect, {
      authUrl: admin.authUrl,
      user: admin.adminUser,
      password: admin.adminPassword,
      project: admin.adminProject,
      tls: admin.tls,
      timeoutMs: admin.timeoutMs,
    });
    try {
      const halves = await Promise.allSettled([
        ensureCatalog(keystoneOf(session, admin, inCatalog), wanted.services),
        ensurePeople(keystoneOf(session, admin, ofPeople), wanted),
      ]);
      const failed = halves.find((half) => half.status === 'rejected');
      if (failed) throw failed.reason;
    } finally {
      session.close();
    }
  });
  return [...inCatalog, ...ofPeople];
}

function keystoneOf(session: OpenStackSession, admin: KeystoneAdmin, changes: string[]): Keystone {
  const v3 = identityUrl(admin.authUrl);
  return {
    changes,
    region: admin.region,
    async list(path, key) {
      const { body } = await session.request('GET', v3, path);
      return records(record(body)[key]).map(listed);
    },
    async write(method, path, body, secrets = []) {
      const answer = await session.request(method, v3, path, body, { secrets });
      return listed(record(Object.values(record(answer.body))[0]));
    },
    passwordOf: (userId, password) => session.passwordOf(userId, password),
  };
}

function listed(fields: Fields): Listed {
  return { ...fields, id: String(fields.id ?? ''), name: String(fields.name ?? '') };
}
