import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, openSync, readFileSync, rmSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { stopProcess, until } from './sshd.ts';

/** A private Docker Engine without network, for tests. */
export interface TestDockerd {
  readonly socket: string;
  stop(): Promise<void>;
}

async function pings(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const request = http.get({ socketPath, path: '/_ping', timeout: 2_000 }, (answer) => {
      answer.resume();
      resolve(answer.statusCode === 200);
    });
    request.on('error', () => resolve(false));
  });
}

/** Starts dockerd with all of its state in `directory`. */
export async function startDockerd(directory: string): Promise<TestDockerd> {
  if (!existsSync('/usr/sbin/dockerd') && !existsSync('/usr/bin/dockerd')) {
    throw new Error('this test needs a Docker Engine: install the Debian package docker.io');
  }
  if (process.getuid?.() !== 0) throw new Error('this test starts its own Docker Engine and must run as root');
  mkdirSync(directory, { recursive: true });
  const socket = path.join(directory, 'docker.sock');
  const log = path.join(directory, 'dockerd.log');
  const options = {
    'data-root': path.join(directory, 'data'),
    'exec-root': path.join(directory, 'exec'),
    host: `unix://${socket}`,
    pidfile: path.join(directory, 'pid'),
    bridge: 'none',
    iptables: 'false',
  };
  const output = openSync(log, 'w');
  const argv = Object.entries(options).map(([name, value]) => `--${name}=${value}`);
  const child = spawn('dockerd', argv, { stdio: ['ignore', output, output] });
  await until(
    'dockerd',
    () => pings(socket),
    () => readFileSync(log, 'utf8').slice(-4_000),
  );
  const stop = async (): Promise<void> => {
    await stopProcess(child);
    // What the engine mounts and leaves behind would keep the directory from being removed.
    const left = readFileSync('/proc/mounts', 'utf8')
      .split('\n')
      .map((line) => line.split(' ')[1] ?? '');
    for (const mount of left.filter((one) => one.startsWith(`${directory}/`)).reverse())
      execFileSync('umount', [mount]);
  };
  return { socket, stop };
}

/** A root filesystem of one static busybox (with links for its commands), as a tar archive. */
export function busyboxTar(directory: string): Buffer {
  if (!existsSync('/bin/busybox'))
    execFileSync('apt-get', ['install', '-y', '-qq', 'busybox-static'], { stdio: 'pipe' });
  const root = path.join(directory, 'busybox');
  rmSync(root, { recursive: true, force: true });
  for (const name of ['bin', 'etc', 'tmp', 'proc', 'sys', 'dev']) mkdirSync(path.join(root, name), { recursive: true });
  execFileSync('cp', ['/bin/busybox', path.join(root, 'bin/busybox')]);
  execFileSync('/bin/busybox', ['--install', '-s', path.join(root, 'bin')]);
  // The links point at where busybox was found; in the image that is the same path.
  execFileSync('sh', ['-c', 'for f in "$1"/bin/*; do [ -L "$f" ] && ln -sf busybox "$f"; done', 'sh', root]);
  return execFileSync('tar', ['-C', root, '-cf', '-', '.'], { maxBuffer: 1 << 28 });
}
