import { readFile } from 'node:fs/promises';
import path from 'node:path';
import SSHConfig from 'ssh-config';
import type { HostName } from '../../core/model/node.ts';
import type { Secret } from '../../core/model/secret.ts';
import type { SshTarget } from './target.ts';

/** What the inventory says about a host; everything given here wins over the ssh configuration. */
export interface SshHints {
  readonly host: HostName;
  readonly address?: string | undefined;
  readonly port?: number | undefined;
  readonly user?: string | undefined;
  readonly identityFile?: string | undefined;
  readonly passphrase?: Secret | undefined;
  readonly agent?: string | undefined;
  /** `user@hop:port,hop2`, as in ssh's ProxyJump; `none` for a direct connection. */
  readonly proxyJump?: string | undefined;
}

export interface SshUser {
  /** Login name when nothing else names one. */
  readonly name: string;
  readonly home: string;
  /** Default agent, usually SSH_AUTH_SOCK. */
  readonly agent?: string | undefined;
}

/** Text of an ssh configuration file, empty when there is none. */
export async function readSshConfig(file: string): Promise<string> {
  return readFile(file, 'utf8').catch((problem: NodeJS.ErrnoException) => {
    if (problem.code === 'ENOENT' || problem.code === 'ENOTDIR') return '';
    throw problem;
  });
}

interface Settings {
  readonly one: (key: string) => string | undefined;
  readonly all: (key: string) => string[];
}

function settingsFor(config: string, name: string, user: string | undefined): Settings {
  // `Match exec` would run a command per host while only reading settings; such blocks do not apply here.
  const query = { Host: name, ...(user === undefined ? {} : { User: user }) };
  const values = SSHConfig.parse(config).compute(query, { ignoreCase: true, matchExec: false });
  const all = (key: string): string[] => {
    const value = values[key.toLowerCase()];
    return value === undefined ? [] : Array.isArray(value) ? value : [value];
  };
  return { all, one: (key) => all(key)[0] };
}

function expand(text: string, tokens: Readonly<Record<string, string>>, home: string): string {
  const expanded = text.replace(/%([%a-zA-Z])/g, (whole, token: string) =>
    token === '%' ? '%' : (tokens[token] ?? whole),
  );
  return expanded === '~' || expanded.startsWith('~/') ? path.join(home, expanded.slice(1)) : expanded;
}

function parseHop(hop: string): { address: string; user: string | undefined; port: number | undefined } {
  const parts = /^(?:ssh:\/\/)?(?:([^@]+)@)?(\[[^\]]+\]|[^:]+)(?::(\d+))?$/.exec(hop.trim());
  const address = parts?.[2] ?? hop.trim();
  return {
    address: address.replace(/^\[|\]$/g, ''),
    user: parts?.[1],
    port: parts?.[3] === undefined ? undefined : Number(parts[3]),
  };
}

function hops(list: string | undefined, config: string, me: SshUser, depth: number): SshTarget[] {
  if (list === undefined || list.toLowerCase() === 'none' || depth > 8) return [];
  return list.split(',').map((hop, index) => {
    const { address, user, port } = parseHop(hop);
    // Only the first hop is dialled from here; the others are reached through it.
    const jump = index === 0 ? undefined : 'none';
    return resolveAt({ host: address, address, user, port, proxyJump: jump }, config, me, depth + 1);
  });
}

function resolveAt(hints: SshHints, config: string, me: SshUser, depth: number): SshTarget {
  const name = hints.address ?? hints.host;
  const { one, all } = settingsFor(config, name, hints.user);
  const port = hints.port ?? Number(one('Port') ?? 22);
  const user = hints.user ?? one('User') ?? me.name;
  const address = expand(one('HostName') ?? name, { h: name }, me.home);
  const tokens = { h: address, n: name, p: String(port), r: user, u: me.name, d: me.home };
  const path_ = (text: string): string => expand(text, tokens, me.home);
  const files = hints.identityFile === undefined ? all('IdentityFile') : [hints.identityFile];
  const agent = hints.agent ?? one('IdentityAgent') ?? me.agent;
  const knownHosts = all('UserKnownHostsFile').flatMap((value) => value.split(/\s+/));
  const jumps = hops(hints.proxyJump ?? one('ProxyJump'), config, me, depth);
  // The first hop may itself be reached through others, which then come before it.
  const before = jumps[0]?.proxyJump ?? [];
  const chain = [...before, ...jumps.map(({ proxyJump: _before, ...jump }) => jump)];
  return {
    host: hints.host,
    address,
    port,
    user,
    ...(files.length > 0 ? { identityFile: files.map(path_) } : {}),
    ...(hints.passphrase ? { passphrase: hints.passphrase } : {}),
    ...(agent !== undefined && agent !== 'none' && agent !== 'SSH_AUTH_SOCK' ? { agent: path_(agent) } : {}),
    ...(agent === 'SSH_AUTH_SOCK' && me.agent !== undefined ? { agent: me.agent } : {}),
    ...(chain.length > 0 ? { proxyJump: chain } : {}),
    ...(knownHosts.length > 0 ? { knownHosts: knownHosts.map(path_) } : {}),
  };
}

/**
 * A host of the inventory as ssh would reach it. `config` is the text of the operator's ssh configuration; it is
 * asked for the address the inventory gives (as `ssh ADDRESS` would), HostName, User, Port, IdentityFile,
 * IdentityAgent, ProxyJump and UserKnownHostsFile are used.
 */
export function resolveTarget(hints: SshHints, config: string, me: SshUser): SshTarget {
  return resolveAt(hints, config, me, 0);
}
