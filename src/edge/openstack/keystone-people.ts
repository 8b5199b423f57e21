import { WireError } from '../wire/failure.ts';
import type { Keystone, Listed, WantedIdentity } from './keystone-model.ts';

const homeDomain = 'Default';

type Wanted = Pick<WantedIdentity, 'roles' | 'domains' | 'projects' | 'users' | 'grants'>;

/** A role of a user on a project or a domain, in names. */
interface Assignment {
  readonly user: string;
  readonly userDomain: string;
  readonly role: string;
  readonly scope: 'project' | 'domain';
  /** Name of the project (of domain Default) or of the domain. */
  readonly on: string;
}

/** Domains, projects, roles, users and their assignments, in this order: each needs those before it. */
export async function ensurePeople(keystone: Keystone, wanted: Wanted): Promise<void> {
  const assignments = assignmentsOf(wanted);
  if (wanted.domains.length + wanted.projects.length + wanted.roles.length + wanted.users.length === 0) {
    if (assignments.length === 0) return;
  }
  const [domains, roles] = await Promise.all([ensureDomains(keystone, wanted), ensureRoles(keystone, wanted)]);
  const projects = await ensureProjects(keystone, wanted, domains);
  const users = await ensureUsers(keystone, wanted, domains);
  await ensureAssignments(keystone, assignments, { domains, roles, projects, users });
}

type ByName = ReadonlyMap<string, Listed>;

function assignmentsOf(wanted: Wanted): readonly Assignment[] {
  const ofUsers = wanted.users.flatMap(({ name, domain, project, roles, domain_roles }) => {
    const who = { user: name, userDomain: domain };
    const onProject =
      project === undefined ? [] : roles.map((role) => ({ ...who, role, scope: 'project', on: project }) as const);
    return [...onProject, ...domain_roles.map((role) => ({ ...who, role, scope: 'domain', on: domain }) as const)];
  });
  const granted = wanted.grants.map(
    ({ user, project, role }) => ({ user, userDomain: homeDomain, role, scope: 'project', on: project }) as const,
  );
  return [...ofUsers, ...granted];
}

function need(found: ByName, what: string, name: string): Listed {
  const one = found.get(name);
  if (one) return one;
  throw new WireError('not-in-keystone', `Keystone has no ${what} ${name}`, {
    hint: `name it in the identity section of a service definition, or create the ${what}`,
  });
}

async function ensureDomains(keystone: Keystone, wanted: Wanted): Promise<ByName> {
  const found = new Map((await keystone.list('/domains', 'domains')).map((d) => [d.name, d]));
  for (const { name, description } of wanted.domains) {
    const present = found.get(name);
    if (!present) {
      found.set(name, await keystone.write('POST', '/domains', { domain: { name, description, enabled: true } }));
      keystone.changes.push(`created domain ${name}`);
    } else if (present.enabled === false) {
      await keystone.write('PATCH', `/domains/${present.id}`, { domain: { enabled: true } });
      keystone.changes.push(`enabled domain ${name}`);
    }
  }
  return found;
}

async function ensureRoles(keystone: Keystone, wanted: Wanted): Promise<ByName> {
  // Roles of a domain share names with the global ones; only the latter can be wanted here.
  const all = (await keystone.list('/roles', 'roles')).filter((r) => (r.domain_id ?? null) === null);
  const found = new Map(all.map((r) => [r.name, r]));
  const ofUsers = wanted.users.flatMap((u) => [...u.roles, ...u.domain_roles]);
  for (const name of new Set([...wanted.roles, ...ofUsers, ...wanted.grants.map((g) => g.role)])) {
    if (found.has(name)) continue;
    found.set(name, await keystone.write('POST', '/roles', { role: { name } }));
    keystone.changes.push(`created role ${name}`);
  }
  return found;
}

/** Those of domain Default by name; the projects of users are created, those of grants must exist. */
async function ensureProjects(keystone: Keystone, wanted: Wanted, domains: ByName): Promise<ByName> {
  const ofUsers = wanted.users.flatMap((u) => (u.project === undefined ? [] : [u.project]));
  const own = [...new Set(ofUsers)].map((name) => ({ name, domain: homeDomain }));
  const granted = wanted.grants.map((g) => ({ name: g.project, domain: homeDomain }));
  const found = new Map<string, Listed>();
  const look = async ({ name, domain }: { name: string; domain: string }, create: boolean) => {
    if (domain === homeDomain && found.has(name)) return;
    const domainId = need(domains, 'domain', domain).id;
    const query = `name=${encodeURIComponent(name)}&domain_id=${encodeURIComponent(domainId)}`;
    let [project] = await keystone.list(`/projects?${query}`, 'projects');
    if (!project && create) {
      project = await keystone.write('POST', '/projects', { project: { name, domain_id: domainId, enabled: true } });
      keystone.changes.push(`created project ${name}`);
    }
    if (project && domain === homeDomain) found.set(name, project);
  };
  for (const project of [...wanted.projects, ...own]) await look(project, true);
  for (const project of granted) await look(project, false);
  return found;
}

function userKey(domain: string, name: string): string {
  return JSON.stringify([domain, name]);
}

async function ensureUsers(keystone: Keystone, wanted: Wanted, domains: ByName): Promise<ByName> {
  const found = await listUsers(keystone, wanted, domains);
  const present = wanted.users.filter((u) => found.has(userKey(u.domain, u.name)));
  // Keystone hashes slowly on purpose: ask for all at once.
  const wrong = new Set<(typeof wanted.users)[number]>();
  const check = async (user: (typeof wanted.users)[number]) => {
    const known = need(found, 'user', userKey(user.domain, user.name));
    if (known.enabled === false || !(await keystone.passwordOf(known.id, user.password))) wrong.add(user);
  };
  await Promise.all(present.map(check));
  for (const user of wanted.users) {
    const { name, domain, password } = user;
    const known = found.get(userKey(domain, name));
    if (!known) {
      const domainId = need(domains, 'domain', domain).id;
      const fresh = { name, domain_id: domainId, password: password.reveal(), enabled: true };
      found.set(userKey(domain, name), await keystone.write('POST', '/users', { user: fresh }, [password]));
      keystone.changes.push(`created user ${name}`);
    } else if (wrong.has(user)) {
      const change = { password: password.reveal(), enabled: true };
      await keystone.write('PATCH', `/users/${known.id}`, { user: change }, [password]);
      const what = known.enabled === false ? 'enabled and set password of' : 'changed password of';
      keystone.changes.push(`${what} user ${name}`);
    }
  }
  return found;
}

/** By name where few are wanted: a domain may have thousands of users, and Keystone may cut long lists. */
async function listUsers(keystone: Keystone, wanted: Wanted, domains: ByName): Promise<Map<string, Listed>> {
  const pairs = [
    ...wanted.users.map((u) => [u.domain, u.name] as const),
    ...wanted.grants.map((g) => [homeDomain, g.user] as const),
  ];
  const distinct = new Map(pairs.map((pair) => [userKey(...pair), pair]));
  const found = new Map<string, Listed>();
  const look = async ([domain, name]: readonly [string, string]) => {
    const domainId = encodeURIComponent(need(domains, 'domain', domain).id);
    const path = `/users?domain_id=${domainId}&name=${encodeURIComponent(name)}`;
    const [user] = await keystone.list(path, 'users');
    if (user) found.set(userKey(domain, name), user);
  };
  await Promise.all([...distinct.values()].map(look));
  return found;
}

async function ensureAssignments(
  keystone: Keystone,
  assignments: readonly Assignment[],
  known: { readonly domains: ByName; readonly roles: ByName; readonly projects: ByName; readonly users: ByName },
): Promise<void> {
  const lists = new Map<string, Promise<ReadonlySet<string>>>();
  const target = ({ scope, on }: Assignment) =>
    need(scope === 'project' ? known.projects : known.domains, scope, on).id;
  const listOf = (a: Assignment) => {
    const query = `scope.${a.scope}.id=${encodeURIComponent(target(a))}`;
    const list = lists.get(query) ?? heldRoles(keystone, query);
    lists.set(query, list);
    return list;
  };
  const held = await Promise.all(assignments.map(async (a) => await listOf(a)));
  const done = new Set<string>();
  for (const [i, a] of assignments.entries()) {
    const user = known.users.get(userKey(a.userDomain, a.user)) ?? need(new Map(), 'user', a.user);
    const role = need(known.roles, 'role', a.role);
    const path = `/${a.scope}s/${target(a)}/users/${user.id}/roles/${role.id}`;
    if (held[i]?.has(`${user.id} ${role.id}`) || done.has(path)) continue;
    await keystone.write('PUT', path);
    done.add(path);
    keystone.changes.push(`granted user ${a.user} role ${a.role} on ${a.scope} ${a.on}`);
  }
}

async function heldRoles(keystone: Keystone, query: string): Promise<ReadonlySet<string>> {
  const list = await keystone.list(`/role_assignments?${query}`, 'role_assignments');
  return new Set(list.map((a) => `${idIn(a.user)} ${idIn(a.role)}`));
}

function idIn(value: unknown): string {
  return typeof value === 'object' && value !== null && 'id' in value ? String(value.id) : '';
}
