import type { Secret } from '../../core/model/secret.ts';
import { type Connect, type Patience, patiently } from '../wire/connect.ts';
import { type Management, type RabbitmqServer, withManagement } from './management.ts';
import { matchesHash } from './password.ts';

export interface WantedRabbitmqUser {
  readonly name: string;
  readonly password: Secret;
  /** Comma-separated: `administrator`, `monitoring`, or empty. */
  readonly tags: string;
  readonly vhost: string;
}

interface Permissions {
  readonly configure: string;
  readonly write: string;
  readonly read: string;
}

const everything: Permissions = { configure: '.*', write: '.*', read: '.*' };
const readOnly: Permissions = { configure: '^$', write: '^$', read: '.*' };

/**
 * Users with password and tags, their virtual hosts and their permissions there: everything, or for the tag
 * `monitoring` reading alone. Lists first, changes only what differs; never deletes. Returns what was changed.
 * Waits at most `patience` until the management API answers.
 */
export async function ensureUsers(
  connect: Connect,
  server: RabbitmqServer,
  users: readonly WantedRabbitmqUser[],
  patience: Patience = { forMs: 0 },
): Promise<readonly string[]> {
  if (users.length === 0) return [];
  const changes: string[] = [];
  await patiently(patience, () =>
    withManagement(connect, server, async (api) => {
      // The first request alone, so that a refused login is one failure and not three.
      const vhosts = await rows(api, '/vhosts?columns=name');
      const [present, permissions] = await Promise.all([rows(api, '/users'), rows(api, '/permissions')]);
      for (const vhost of new Set(users.map((u) => u.vhost))) {
        if (vhosts.some((row) => row.name === vhost)) continue;
        await api.put(`/vhosts/${encodeURIComponent(vhost)}`, {});
        changes.push(`created virtual host ${vhost}`);
      }
      for (const user of users) {
        await ensureUser(api, user, present, changes);
        await ensurePermissions(api, user, permissions, changes);
      }
    }),
  );
  return changes;
}

type Row = Readonly<Record<string, unknown>>;

async function rows(api: Management, path: string): Promise<readonly Row[]> {
  const body = await api.get(path);
  return Array.isArray(body) ? (body as Row[]) : [];
}

async function ensureUser(
  api: Management,
  user: WantedRabbitmqUser,
  present: readonly Row[],
  changes: string[],
): Promise<void> {
  const found = present.find((row) => row.name === user.name);
  const differences = found ? differing(user, found) : ['created'];
  if (differences.length === 0) return;
  const body = { password: user.password.reveal(), tags: tagList(user.tags).join(',') };
  await api.put(`/users/${encodeURIComponent(user.name)}`, body, [user.password]);
  for (const what of differences) changes.push(`${what} RabbitMQ user ${user.name}`);
}

function differing(user: WantedRabbitmqUser, found: Row): string[] {
  const sameTags = tagList(user.tags).join() === tagList(found.tags).join();
  const samePassword = matchesHash(user.password, String(found.password_hash ?? ''), String(found.hashing_algorithm));
  return [...(samePassword ? [] : ['changed password of']), ...(sameTags ? [] : ['changed tags of'])];
}

/** Older servers give the tags as one text, newer ones as a list. */
function tagList(tags: unknown): string[] {
  const list = Array.isArray(tags) ? tags.map(String) : String(tags ?? '').split(',');
  return list
    .map((tag) => tag.trim())
    .filter((tag) => tag !== '' && tag !== 'none')
    .sort();
}

async function ensurePermissions(
  api: Management,
  user: WantedRabbitmqUser,
  present: readonly Row[],
  changes: string[],
): Promise<void> {
  const tags = tagList(user.tags);
  const wanted = tags.includes('monitoring') && !tags.includes('administrator') ? readOnly : everything;
  const found = present.find((row) => row.user === user.name && row.vhost === user.vhost);
  if (found && found.configure === wanted.configure && found.write === wanted.write && found.read === wanted.read) {
    return;
  }
  await api.put(`/permissions/${encodeURIComponent(user.vhost)}/${encodeURIComponent(user.name)}`, wanted);
  changes.push(`set permissions of RabbitMQ user ${user.name} on ${user.vhost}`);
}
