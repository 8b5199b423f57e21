import { homedir } from 'node:os';
import { join } from 'node:path';
import { DeployError, type Diagnostic, exitCode } from '../core/model/diagnostic.ts';
import type { HostName, ObservedNode } from '../core/model/node.ts';
import { Secret } from '../core/model/secret.ts';
import type { Scope } from '../core/site/variables.ts';
import type { OpenNode } from '../edge/node/node.ts';
import type { SshTarget } from '../edge/ssh/target.ts';
import type { SiteOptions } from './options.ts';
import type { LoadedSite } from './site.ts';

/** Connections to all hosts at once. One that fails closes the others: the problems of all are one error. */
export async function openNodes(
  loaded: LoadedSite,
  hosts: readonly HostName[],
  options: SiteOptions,
): Promise<ReadonlyMap<HostName, OpenNode>> {
  const { openNode } = await import('../edge/node/node.ts');
  const home = homedir();
  const knownHosts =
    options.knownHosts.length > 0
      ? options.knownHosts
      : [join(home, '.ssh', 'known_hosts'), '/etc/ssh/ssh_known_hosts'];
  const results = await Promise.allSettled(
    hosts.map(async (host) => {
      const scope = loaded.site.scope(host);
      return openNode(sshTarget(scope), {
        knownHosts,
        home,
        become: truthy(scope, 'ansible_become'),
        registryAuth: registryAuth(scope),
      });
    }),
  );
  const opened = results.flatMap((r) => (r.status === 'fulfilled' ? [r.value] : []));
  const failures = results.flatMap((r) => (r.status === 'rejected' ? [r.reason as unknown] : []));
  if (failures.length > 0) {
    await Promise.all(opened.map((node) => node.close()));
    throw mergedError(failures);
  }
  return new Map(opened.map((node) => [node.host, node]));
}

/** The problems of several hosts as one error; anything that is not an operator's problem is thrown as it is. */
export function mergedError(failures: readonly unknown[]): DeployError {
  const diagnostics: Diagnostic[] = [];
  for (const failure of failures) {
    if (!(failure instanceof DeployError)) throw failure;
    diagnostics.push(...failure.diagnostics);
  }
  return new DeployError(diagnostics, exitCode.nodeNotUsable);
}

function text(scope: Scope, name: string): string | undefined {
  if (!scope.has(name)) return undefined;
  const value = scope.get(name);
  return value === null || value === undefined || value === '' ? undefined : String(value);
}

function truthy(scope: Scope, name: string): boolean {
  return ['true', 'yes', '1'].includes((text(scope, name) ?? '').toLowerCase());
}

/** The variables Ansible knows a connection by. */
export function sshTarget(scope: Scope): SshTarget {
  return {
    host: scope.host,
    address: text(scope, 'ansible_host') ?? scope.host,
    port: Number(text(scope, 'ansible_port') ?? 22),
    user: text(scope, 'ansible_user') ?? text(scope, 'ansible_ssh_user') ?? 'root',
    identityFile: text(scope, 'ansible_ssh_private_key_file') ?? text(scope, 'ansible_private_key_file'),
    agent: process.env.SSH_AUTH_SOCK,
  };
}

function registryAuth(scope: Scope) {
  const username = text(scope, 'docker_registry_username');
  const password = text(scope, 'docker_registry_password');
  return username !== undefined && password !== undefined ? { username, password: new Secret(password) } : undefined;
}

/** One look at every node, all at once. */
export async function observeAll(
  nodes: ReadonlyMap<HostName, OpenNode>,
  want: { images?: boolean; listening?: boolean },
): Promise<ReadonlyMap<HostName, ObservedNode>> {
  const results = await Promise.allSettled([...nodes.values()].map((node) => node.observe(want)));
  const failures = results.flatMap((r) => (r.status === 'rejected' ? [r.reason as unknown] : []));
  if (failures.length > 0) throw mergedError(failures);
  return new Map(results.flatMap((r) => (r.status === 'fulfilled' ? [[r.value.host, r.value] as const] : [])));
}

export async function closeAll(nodes: ReadonlyMap<HostName, OpenNode>): Promise<void> {
  await Promise.all([...nodes.values()].map((node) => node.close()));
}
