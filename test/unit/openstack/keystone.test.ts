import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { DeployError } from '../../../src/core/model/diagnostic.ts';
import { Secret } from '../../../src/core/model/secret.ts';
import { ensureIdentity, type KeystoneAdmin } from '../../../src/edge/openstack/keystone.ts';
import type { WantedIdentity } from '../../../src/edge/openstack/keystone-model.ts';
import { type FakeKeystone, startFakeKeystone } from './fake-keystone.ts';

let fake: FakeKeystone;
let admin: KeystoneAdmin;

beforeEach(async () => {
  fake = await startFakeKeystone();
  admin = {
    authUrl: fake.url,
    adminUser: 'admin',
    adminPassword: new Secret('root-pw'),
    adminProject: 'admin',
    region: 'RegionOne',
  };
});

afterEach(() => fake.close());

const heatUrl = 'http://10.0.0.250:8004/v1/%(tenant_id)s';

const heat: WantedIdentity = {
  services: [
    {
      name: 'heat',
      type: 'orchestration',
      description: 'Orchestration',
      endpoints: { internal: heatUrl, public: heatUrl },
    },
  ],
  roles: ['heat_stack_owner', 'heat_stack_user'],
  domains: [{ name: 'heat_user_domain', description: '' }],
  projects: [],
  users: [
    {
      name: 'heat',
      password: new Secret('h-pw'),
      domain: 'Default',
      project: 'service',
      roles: ['admin'],
      domain_roles: [],
    },
    {
      name: 'heat_domain_admin',
      password: new Secret('d-pw'),
      domain: 'heat_user_domain',
      roles: [],
      domain_roles: ['admin'],
    },
  ],
  grants: [{ user: 'admin', project: 'admin', role: 'heat_stack_owner' }],
};

async function failureOf(promise: Promise<unknown>): Promise<DeployError> {
  const failure = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(failure instanceof DeployError)) throw new Error(`not a DeployError: ${String(failure)}`);
  return failure;
}

const ensure = (wanted: WantedIdentity, forMs = 0) =>
  ensureIdentity(fake.connect, admin, wanted, { forMs, everyMs: 10 });

describe('ensureIdentity', () => {
  test('creates everything in an order that works', async () => {
    expect(await ensure(heat)).toEqual([
      'created region RegionOne',
      'created service heat (orchestration)',
      'created internal endpoint of heat',
      'created public endpoint of heat',
      'created domain heat_user_domain',
      'created role heat_stack_owner',
      'created role heat_stack_user',
      'created role admin',
      'created project service',
      'created user heat',
      'created user heat_domain_admin',
      'granted user heat role admin on project service',
      'granted user heat_domain_admin role admin on domain heat_user_domain',
      'granted user admin role heat_stack_owner on project admin',
    ]);
    const endpoint = fake.tables.endpoints?.[0];
    expect(endpoint).toMatchObject({
      url: heatUrl,
      interface: 'internal',
      region_id: 'RegionOne',
      service_id: 'service-1',
    });
  });

  test('a second time only reads: few requests, no writes, users tried with their passwords', async () => {
    await ensure(heat);
    fake.log.length = 0;
    expect(await ensure(heat)).toEqual([]);
    const writes = fake.log.filter((line) => !line.startsWith('GET') && line !== 'POST /v3/auth/tokens');
    expect(writes).toEqual([]);
    expect(fake.log.filter((line) => line === 'POST /v3/auth/tokens')).toHaveLength(3);
    expect(fake.log.length).toBeLessThanOrEqual(16);
  });

  test('connections are kept and few', async () => {
    await ensure(heat);
    expect(fake.connections()).toBeLessThanOrEqual(4);
  });

  test('changes an URL, a password and nothing else', async () => {
    await ensure(heat);
    const [service] = heat.services;
    const [user, ...others] = heat.users;
    if (!service || !user) throw new Error('fixture');
    const moved = 'http://10.0.0.250:8004/v1/%(project_id)s';
    const wanted = {
      ...heat,
      services: [{ ...service, endpoints: { internal: moved, public: heatUrl } }],
      users: [{ ...user, password: new Secret('new-pw') }, ...others],
    };
    expect(await ensure(wanted)).toEqual([
      `changed internal endpoint of heat to ${moved}`,
      'changed password of user heat',
    ]);
    expect(await ensure(wanted)).toEqual([]);
  });

  test('a disabled user is enabled, a service of another type is another service', async () => {
    await ensure(heat);
    const known = fake.tables.users?.find((u) => u.name === 'heat');
    if (known) known.enabled = false;
    const cfn = {
      name: 'heat',
      type: 'cloudformation',
      description: '',
      endpoints: { internal: 'http://a', public: 'http://b' },
    };
    expect(await ensure({ ...heat, services: [...heat.services, cfn] })).toEqual([
      'created service heat (cloudformation)',
      'created internal endpoint of heat',
      'created public endpoint of heat',
      'enabled and set password of user heat',
    ]);
  });

  test('an empty section costs a login and nothing else', async () => {
    expect(await ensure({ services: [], roles: [], domains: [], projects: [], users: [], grants: [] })).toEqual([]);
    expect(fake.log).toEqual(['POST /v3/auth/tokens']);
  });

  test('waits for a load balancer without servers and looks again after a conflict', async () => {
    fake.failNext.push({ status: 503 }, { status: 503 });
    expect(await ensure(heat, 5000)).toContain('created user heat');
    await ensure(heat);
    const role = { ...heat, roles: ['late'] };
    const failure = await failureOf(
      (async () => {
        fake.failNext.push({ status: 503 });
        await ensure(role);
      })(),
    );
    expect(failure.message).toContain('answered HTTP 503: busy');
  });

  test('two at once agree: a conflict is resolved by a second look', async () => {
    const both = await Promise.all([ensure(heat, 5000), ensure({ ...heat, services: [] }, 5000)]);
    expect(both.flat()).toContain('created project service');
    expect(fake.tables.projects?.filter((p) => p.name === 'service')).toHaveLength(1);
    expect(fake.tables.users).toHaveLength(3);
  });

  test('a refused administrator is named with the URL, without the password', async () => {
    const wrong = { ...admin, adminPassword: new Secret('bad-pw') };
    const failure = await failureOf(ensureIdentity(fake.connect, wrong, heat, { forMs: 5000 }));
    expect(failure.exit).toBe(1);
    expect(failure.message).toContain(`Keystone at ${fake.url}/v3 refused user admin in project admin (HTTP 401)`);
    expect(failure.message).not.toContain('bad-pw');
  });

  test('a server that quotes what it was sent does not give the password away', async () => {
    await ensure({ ...heat, users: [] });
    // login, seven lists, one project, then the users' lookups; the next POST is the user's.
    const original = fake.tables.users?.push.bind(fake.tables.users);
    if (fake.tables.users && original) {
      fake.tables.users.push = () => {
        throw new Error('Invalid input for password h-pw');
      };
    }
    const failure = await failureOf(ensure(heat));
    expect(failure.message).toContain('answered HTTP 500: Error: Invalid input for password ‹secret›');
  });

  test('a grant for what is not there says so', async () => {
    const unknown = { ...heat, grants: [{ user: 'admin', project: 'nowhere', role: 'admin' }] };
    expect((await failureOf(ensure(unknown))).message).toContain('Keystone has no project nowhere');
    const nobody = { ...heat, grants: [{ user: 'nobody', project: 'admin', role: 'admin' }] };
    expect((await failureOf(ensure(nobody))).message).toContain('Keystone has no user nobody');
  });
});
