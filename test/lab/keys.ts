import { copyFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { must } from './command.ts';
import { writeIfChanged } from './engine.ts';
import { NODES, type NodeName, paths } from './settings.ts';

/** Lists every node under its address and its name, as OpenSSH expects it. */
export const knownHostsFile = join(paths.keys, 'known_hosts');

/** Folder with the sshd host key of a node. */
export function hostKeyFolder(node: NodeName): string {
  return join(paths.hostKeys, node);
}

/**
 * Makes the key pair of the operator and the host keys of the nodes unless they exist. They outlive nodes and
 * clones, so known_hosts stays right when the lab is raised again or from another clone.
 */
export async function ensureKeys(): Promise<void> {
  mkdirSync(paths.keys, { recursive: true, mode: 0o700 });
  await ensureKeyPair(paths.clientKey, 'deploy-lab');
  for (const node of NODES) {
    mkdirSync(hostKeyFolder(node.name), { recursive: true, mode: 0o755 });
    await ensureKeyPair(hostKeyFile(node.name), node.name);
  }
  mkdirSync(paths.node, { recursive: true, mode: 0o755 });
  writeIfChanged(join(paths.node, 'authorized_keys'), readFileSync(`${paths.clientKey}.pub`, 'utf8'));
  writeIfChanged(knownHostsFile, knownHosts());
}

async function ensureKeyPair(file: string, comment: string): Promise<void> {
  if (existsSync(file) && existsSync(`${file}.pub`)) return;
  await must('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', comment, '-f', file], { input: 'y\n' });
}

function hostKeyFile(node: NodeName): string {
  return join(hostKeyFolder(node), 'ssh_host_ed25519_key');
}

function knownHosts(): string {
  return NODES.map((node) => {
    const [type = '', key = ''] = readFileSync(`${hostKeyFile(node.name)}.pub`, 'utf8').split(' ');
    return `${node.address},${node.name} ${type} ${key}\n`;
  }).join('');
}

/** Copies the operator's private key with the permissions that ssh insists on. */
export function copyClientKey(to: string): void {
  copyFileSync(paths.clientKey, to);
  copyFileSync(`${paths.clientKey}.pub`, `${to}.pub`);
}
