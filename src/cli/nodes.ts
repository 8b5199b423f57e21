import { writeFile } from 'node:fs/promises';
import { homedir, userInfo } from 'node:os';
import { join } from 'node:path';
import { DeployError, type Diagnostic, error, exitCode } from '../core/model/diagnostic.ts';
import type { HostName, ObservedNode } from '../core/model/node.ts';
import { Secret } from '../core/model/secret.ts';
import { VariableError } from '../core/site/variable-error.ts';
import type { Scope } from '../core/site/variables.ts';
import type { OpenNode } from '../edge/node/node.ts';
import type { SshHints } from '../edge/ssh/ssh-config.ts';
import type { SshTarget } from '../edge/ssh/target.ts';
import type { SiteOptions } from './options.ts';
import type { LoadedSite } from './site.ts';

/** What came of the same thing on several hosts: results, and what was thrown instead. */
export interface Tried<T> {
  readonly done: ReadonlyMap<HostName, T>;
  readonly failures: ReadonlyMap<HostName, unknown>;
}

async function tryAll<T>(hosts: readonly HostName[], work: (host: HostName) => Promise<T>): Promise<Tried<T>> {
  const results = await Promise.allSettled(hosts.map(work));
  const done = new Map<HostName, T>();
  const failures = new Map<HostName, unknown>();
  for (const [i, host] of hosts.entries()) {
    const result = results[i];
    if (result?.status === 'fulfilled') done.set(host, result.value);
    else failures.set(host, result?.reason);
  }
  return { done, failures };
}

/** Connections to all hosts at once, those that can be had. Mistakes in how hosts are reached are thrown. */
export async function tryNodes(
  loaded: LoadedSite,
  hosts: readonly HostName[],
  options: Pick<SiteOptions, 'knownHosts'>,
): Promise<Tried<OpenNode>> {
  const { openNode } = await import('../edge/node/node.ts');
  const home = homedir();
  const targets = await sshTargets(loaded, hosts, options);
  const knownHosts =
    options.knownHosts.length > 0
      ? options.knownHosts
      : [join(home, '.ssh', 'known_hosts'), '/etc/ssh/ssh_known_hosts'];
  return tryAll(hosts, async (host) => {
    const scope = loaded.site.scope(host);
    const target = targets.get(host);
    if (target === undefined) throw new Error(`${host} has no target`);
    const become = truthy(scope, 'ansible_become');
    return openNode(target, { knownHosts, home, become, registryAuth: registryAuth(scope) });
  });
}

/** As `tryNodes`, but one that fails closes the others: the problems of all are one error. */
export async function openNodes(
  loaded: LoadedSite,
  hosts: readonly HostName[],
  options: Pick<SiteOptions, 'knownHosts'>,
): Promise<ReadonlyMap<HostName, OpenNode>> {
  const { done, failures } = await tryNodes(loaded, hosts, options);
  if (failures.size === 0) return done;
  await Promise.all([...done.values()].map((node) => node.close()));
  throw mergedError([...failures.values()]);
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

/** How each host is reached: its variables first, then the operator's ssh configuration. All mistakes at once. */
async function sshTargets(
  loaded: LoadedSite,
  hosts: readonly HostName[],
  options: Pick<SiteOptions, 'knownHosts'>,
): Promise<ReadonlyMap<HostName, SshTarget>> {
  const { readSshConfig, resolveTarget } = await import('../edge/ssh/ssh-config.ts');
  const home = homedir();
  const config = await readSshConfig(join(home, '.ssh', 'config'));
  const me = { name: userName(), home, agent: process.env.SSH_AUTH_SOCK };
  const problems: Diagnostic[] = [];
  const targets = new Map<HostName, SshTarget>();
  for (const host of hosts) {
    try {
      const target = resolveTarget(sshHints(loaded.site.scope(host)), config, me);
      // Files named on the command line are the ones that count.
      targets.set(host, options.knownHosts.length > 0 ? withoutKnownHosts(target) : target);
    } catch (cause) {
      if (!(cause instanceof VariableError)) throw cause;
      problems.push(cause.diagnostic);
    }
  }
  if (problems.length > 0) throw new DeployError(problems, exitCode.badInput);
  return targets;
}

function withoutKnownHosts({ proxyJump, ...target }: SshTarget): SshTarget {
  return { ...target, knownHosts: undefined, proxyJump: proxyJump?.map(withoutKnownHosts) };
}

function userName(): string {
  try {
    return userInfo().username;
  } catch {
    // A user without an entry in passwd, as in some containers.
    return 'root';
  }
}

/** A jump host among the arguments Ansible would hand to ssh. A ProxyCommand cannot be followed, so it is refused. */
function proxyJumpOf(scope: Scope): string | undefined {
  for (const name of ['ansible_ssh_common_args', 'ansible_ssh_extra_args']) {
    const args = text(scope, name) ?? '';
    if (/ProxyCommand/i.test(args)) {
      const where = { at: scope.origin(name)?.at, host: scope.host };
      const hint = 'name the jump host with -o ProxyJump=HOST, or in ~/.ssh/config';
      throw new VariableError(error('invalid-value', `${name}: ProxyCommand is not supported`, { ...where, hint }));
    }
    const jump = /(?:^|\s)(?:-J\s*|-o\s*["']?ProxyJump[=\s]\s*)([^\s"']+)/i.exec(args)?.[1];
    if (jump !== undefined) return jump;
  }
  return undefined;
}

/** The variables Ansible knows a connection by. */
function sshHints(scope: Scope): SshHints {
  return {
    host: scope.host,
    address: text(scope, 'ansible_host'),
    port: portOf(scope),
    user: text(scope, 'ansible_user') ?? text(scope, 'ansible_ssh_user'),
    identityFile: text(scope, 'ansible_ssh_private_key_file') ?? text(scope, 'ansible_private_key_file'),
    proxyJump: proxyJumpOf(scope),
  };
}

function portOf(scope: Scope): number | undefined {
  const written = text(scope, 'ansible_port');
  if (written === undefined) return undefined;
  const port = Number(written);
  if (Number.isInteger(port) && port > 0 && port < 65_536) return port;
  const at = scope.origin('ansible_port')?.at;
  const message = `ansible_port must be a port from 1 to 65535, not ${written}`;
  throw new VariableError(error('invalid-value', message, { at, host: scope.host }));
}

function registryAuth(scope: Scope) {
  const username = text(scope, 'docker_registry_username');
  const password = text(scope, 'docker_registry_password');
  return username !== undefined && password !== undefined ? { username, password: new Secret(password) } : undefined;
}

/** What to see of a node beyond containers and files. */
export interface Want {
  readonly images?: boolean;
  readonly listening?: boolean;
}

/** One look at every node, all at once. */
export async function tryLooks(nodes: ReadonlyMap<HostName, OpenNode>, want: Want): Promise<Tried<ObservedNode>> {
  return tryAll([...nodes.keys()], async (host) => {
    const node = nodes.get(host);
    if (node === undefined) throw new Error(`${host} is not connected`);
    return node.observe(want);
  });
}

/** As `tryLooks`; the problems of all nodes are one error. */
export async function observeAll(
  nodes: ReadonlyMap<HostName, OpenNode>,
  want: Want,
): Promise<ReadonlyMap<HostName, ObservedNode>> {
  const { done, failures } = await tryLooks(nodes, want);
  if (failures.size > 0) throw mergedError([...failures.values()]);
  return done;
}

/** Ends the connections; what they cost goes as JSON, by host, to the file that DEPLOY_COUNTERS names. */
export async function closeAll(nodes: ReadonlyMap<HostName, OpenNode>): Promise<void> {
  const file = process.env.DEPLOY_COUNTERS;
  if (file) {
    const counters = Object.fromEntries([...nodes].map(([host, node]) => [host, node.counters]));
    await writeFile(file, `${JSON.stringify(counters)}\n`);
  }
  await Promise.all([...nodes.values()].map((node) => node.close()));
}
