import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { chownSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer, connect as netConnect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';

/** Real daemons on loopback for tests: own data directory, own port, own user; stopped by their process id. */
export interface Daemon {
  readonly pid: number;
  output(): string;
  stop(): Promise<void>;
}

export interface Account {
  readonly uid: number;
  readonly gid: number;
}

/** Makes sure of a program, installing its package when we may; otherwise says what is missing. */
export function needProgram(path: string, packageName: string): void {
  if (existsSync(path)) return;
  if (process.getuid?.() !== 0) {
    throw new Error(`${path} is missing: install the package ${packageName} (as root: apt-get install ${packageName})`);
  }
  const options = ['-o', 'DPkg::Lock::Timeout=600', 'install', '-y', '--no-install-recommends'];
  execFileSync('apt-get', [...options, packageName], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' },
  });
  if (!existsSync(path)) throw new Error(`${path} is missing although the package ${packageName} is installed`);
}

export function accountOf(user: string): Account {
  const id = (flag: string) => Number(execFileSync('id', [flag, user], { encoding: 'utf8' }).trim());
  return { uid: id('-u'), gid: id('-g') };
}

/** An empty directory that belongs to the account; `remove` deletes it with everything in it. */
export function ownDirectory(account: Account): { readonly path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), 'daemon-'));
  if (process.getuid?.() === 0) chownSync(path, account.uid, account.gid);
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

export function startDaemon(
  argv: readonly string[],
  options: { readonly account: Account; readonly cwd: string; readonly env?: NodeJS.ProcessEnv },
): Daemon {
  const [program, ...rest] = argv;
  if (program === undefined) throw new Error('no program');
  const asRoot = process.getuid?.() === 0 ? options.account : {};
  const child = spawn(program, rest, {
    ...asRoot,
    cwd: options.cwd,
    env: { ...process.env, HOME: options.cwd, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  child.on('error', (failure) => {
    text += failure.message;
  });
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data: Buffer) => (text += data.toString()));
  return { pid: child.pid ?? 0, output: () => text, stop: () => end(child) };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  child.kill('SIGTERM');
  const stopped = await Promise.race([gone.then(() => true), sleep(15_000, false)]);
  if (stopped) return;
  child.kill('SIGKILL');
  await gone;
}

/**
 * A TCP connection that shows only what every Duplex has, like a channel forwarded over SSH:
 * no setKeepAlive, setNoDelay, ref or unref.
 */
export async function plainConnect(address: string, port: number): Promise<Duplex> {
  const socket = netConnect({ host: address, port, noDelay: true });
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('error', reject);
  });
  const duplex = new Duplex({
    read: () => socket.resume(),
    write: (chunk: Uint8Array, _encoding, done) => {
      socket.write(chunk, done);
    },
    final: (done) => {
      socket.end(done);
    },
    destroy: (failure, done) => {
      socket.destroy();
      done(failure);
    },
  });
  socket.on('data', (data) => {
    if (!duplex.push(data)) socket.pause();
  });
  socket.on('end', () => duplex.push(null));
  socket.on('error', (failure) => duplex.destroy(failure));
  socket.on('close', () => duplex.destroy());
  return duplex;
}
