import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import type { SshTarget } from '../../src/edge/ssh/target.ts';

/** A real sshd on a loopback port with keys of its own, as root, for tests. */
export interface TestSshd {
  readonly port: number;
  /** known_hosts file that knows it. */
  readonly knownHosts: string;
  /** Private key that may log in as root. */
  readonly identityFile: string;
  readonly pid: number;
  stop(): Promise<void>;
}

/** A new ed25519 key at `file` and `file.pub`; no passphrase unless given. */
export function makeKey(file: string, passphrase = ''): string {
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', passphrase, '-C', 'test', '-f', file]);
  return file;
}

export async function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = net.createServer();
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });
}

/** Polls until `ready` holds; what is waited for and what the program said go into the error. */
export async function until(what: string, ready: () => Promise<boolean>, said: () => string): Promise<void> {
  for (let attempt = 0; attempt < 300; attempt++) {
    if (await ready()) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`${what} did not come up; it said:\n${said()}`);
}

export async function stopProcess(child: ChildProcess, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  await new Promise<void>((resolve) => {
    child.once('exit', () => resolve());
    child.kill(signal);
  });
}

async function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}

/** Starts sshd in `directory` (created); `settings` are further lines of sshd_config and win over the defaults. */
export async function startSshd(directory: string, settings: readonly string[] = []): Promise<TestSshd> {
  mkdirSync(directory, { recursive: true });
  mkdirSync('/run/sshd', { recursive: true });
  const hostKey = makeKey(path.join(directory, 'host_key'));
  const identityFile = makeKey(path.join(directory, 'id'));
  const port = await freePort();
  const config = path.join(directory, 'sshd_config');
  const lines = [
    ...settings,
    `ListenAddress 127.0.0.1:${port}`,
    `HostKey ${hostKey}`,
    `AuthorizedKeysFile ${identityFile}.pub`,
    'PermitRootLogin prohibit-password',
    'PasswordAuthentication no',
    'StrictModes no',
    'UsePAM no',
    'PidFile none',
  ];
  writeFileSync(config, `${lines.join('\n')}\n`);
  const child = spawn('/usr/sbin/sshd', ['-D', '-e', '-f', config], { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.on('error', (problem) => {
    said += `sshd cannot be started (Debian package openssh-server): ${problem.message}`;
  });
  child.stderr.on('data', (chunk: Buffer) => {
    said += chunk.toString();
  });
  await until(
    'sshd',
    () => listens(port),
    () => said,
  );
  const knownHosts = path.join(directory, 'known_hosts');
  writeFileSync(knownHosts, `[127.0.0.1]:${port} ${readFileSync(`${hostKey}.pub`, 'utf8')}`);
  return { port, knownHosts, identityFile, pid: child.pid ?? 0, stop: () => stopProcess(child) };
}

/** How to log in there as root. */
export function targetOf({ port, identityFile }: TestSshd, change: Partial<SshTarget> = {}): SshTarget {
  return { host: 'node1', address: '127.0.0.1', port, user: 'root', identityFile, ...change };
}
