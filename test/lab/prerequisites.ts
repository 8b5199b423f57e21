import { accessSync, constants, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { LabError, labEnvironment, lastLines, must, run } from './command.ts';

/** Programs the lab needs and the Debian 12 packages that bring them. */
type Need = readonly [program: string, pkg: string];

const NEEDED: readonly Need[] = [
  ['dockerd', 'docker.io'],
  ['docker', 'docker.io'],
  ['containerd', 'containerd'],
  ['runc', 'runc'],
  ['debootstrap', 'debootstrap'],
  ['docker-registry', 'docker-registry'],
  ['ssh', 'openssh-client'],
  ['ssh-keygen', 'openssh-client'],
  ['iptables', 'iptables'],
  ['ip', 'iproute2'],
  ['tar', 'tar'],
];

/** What the tests against real daemons need beyond that. */
export const ENGINE_TEST_NEEDS: readonly Need[] = [
  ['sshd', 'openssh-server'],
  ['busybox', 'busybox-static'],
  ['mariadbd', 'mariadb-server'],
  ['haproxy', 'haproxy'],
  ['socat', 'socat'],
  ['rabbitmqctl', 'rabbitmq-server'],
];

const POLICY = '/usr/sbin/policy-rc.d';

/** The lab changes network and mounts, so it needs root on a Debian machine. */
export function checkMachine(): void {
  if (process.getuid?.() !== 0) {
    throw new LabError('the lab must be raised and removed by root', 'run the command as root, for example with sudo');
  }
  const release = existsSync('/etc/os-release') ? readFileSync('/etc/os-release', 'utf8') : '';
  if (!/^ID="?debian"?$/m.test(release)) {
    const name = /^PRETTY_NAME="?([^"\n]*)"?$/m.exec(release)?.[1] ?? 'an unknown system';
    throw new LabError(
      `the lab needs Debian 12; this is ${name}`,
      'use a Debian 12 machine, virtual machine or privileged container',
    );
  }
}

/** Installs what is missing with apt-get and returns the names of the packages installed. */
export async function installMissing(more: readonly Need[] = []): Promise<readonly string[]> {
  const missing = [...new Set([...NEEDED, ...more].filter(([program]) => !onPath(program)).map(([, pkg]) => pkg))];
  if (missing.length === 0) return [];
  const env = { DEBIAN_FRONTEND: 'noninteractive' };
  const update = await run('apt-get', ['-q', 'update'], { env, timeoutMs: 300_000 });
  await withoutServiceStarts(async () => {
    const install = ['-q', '-y', '--no-install-recommends', 'install', ...missing];
    const result = await run('apt-get', install, { env, timeoutMs: 900_000 });
    if (result.code === 0) return;
    const why = update.code === 0 ? '' : '; the package lists could not be fetched either';
    throw new LabError(
      `cannot install ${missing.join(' ')}${why}:\n${lastLines(result.stderr, 5)}`,
      `check the network and /etc/apt, then try: apt-get update && apt-get install ${missing.join(' ')}`,
    );
  });
  const still = missing.filter((pkg) => NEEDED.some(([program, of]) => of === pkg && !onPath(program)));
  if (still.length > 0) await must('apt-get', ['-q', '-y', 'install', 'docker-cli'], { env, timeoutMs: 300_000 });
  return missing;
}

/**
 * The packages would start a system-wide engine and registry, which the lab does not use. The usual policy file
 * forbids that during the installation; one that is already there is left as it is.
 */
async function withoutServiceStarts(work: () => Promise<void>): Promise<void> {
  if (existsSync(POLICY)) return work();
  writeFileSync(POLICY, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  try {
    await work();
  } finally {
    rmSync(POLICY, { force: true });
  }
}

function onPath(program: string): boolean {
  return (labEnvironment().PATH ?? '').split(':').some((folder) => isExecutable(`${folder}/${program}`));
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
