import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { vi } from 'vitest';
import { main } from '../../../src/cli/program.ts';

/** A configuration directory that is in order, for tests to break one file of. */
export interface BadSite {
  readonly directory: string;
  /** How often a node was connected to. */
  connections(): number;
  /** Puts every file back, then writes these, by their path below the directory; undefined removes. */
  write(files: Readonly<Record<string, string | undefined>>): void;
  run(args: readonly string[]): Promise<{ readonly code: number; readonly out: string; readonly err: string }>;
  close(): Promise<void>;
}

const globals = `---
kolla_internal_vip_address: 192.0.2.250
network_interface: eth0
docker_registry: 127.0.0.1:9
docker_namespace: test
openstack_release: zed
kolla_base_distro_version: bookworm
`;

const groups = ['cron', 'loadbalancer', 'mariadb', 'rabbitmq', 'memcached', 'keystone', 'glance-api', 'heat-api'];
const moreGroups = ['heat-api-cfn', 'heat-engine', 'magnum-api', 'magnum-conductor'];

function inventory(port: number): string {
  const hosts = ['alpha', 'beta'].map((name) => `${name} ansible_host=127.0.0.1 ansible_port=${port}`).join('\n');
  const children = [...groups, ...moreGroups].map((group) => `[${group}:children]\ncontrol\n`).join('\n');
  return `[control]\n${hosts}\n\n${children}`;
}

/** A site whose nodes are a listener that counts: bad input must be told without asking any node. */
export async function openBadSite(): Promise<BadSite> {
  const directory = mkdtempSync(join(tmpdir(), 'bad-input-'));
  let connections = 0;
  const server = createServer((socket) => {
    connections += 1;
    socket.destroy();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const good = {
    'globals.yml': globals,
    'passwords.yml': '---\n',
    inventory: inventory(port),
  };
  await sandbox(['genpwd', '--configdir', prepared(directory, good)]);
  const filled = readFileSync(join(directory, 'passwords.yml'), 'utf8');
  return {
    directory,
    connections: () => connections,
    write: (files) => {
      rmSync(directory, { recursive: true, force: true });
      prepared(directory, { ...good, 'passwords.yml': filled, ...files });
    },
    run: (args) => sandbox(args, { KOLLA_CONFIG_PATH: directory }),
    close: async () => {
      rmSync(directory, { recursive: true, force: true });
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function prepared(directory: string, files: Readonly<Record<string, string | undefined>>): string {
  for (const [path, text] of Object.entries(files)) {
    if (text === undefined) continue;
    mkdirSync(dirname(join(directory, path)), { recursive: true });
    writeFileSync(join(directory, path), text, { mode: 0o600 });
  }
  return directory;
}

/** One command line in this process, with what it prints. */
async function sandbox(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const [out, err]: [string[], string[]] = [[], []];
  const into = (list: string[]) => (text: unknown) => list.push(String(text)) > 0;
  const spies = [
    vi.spyOn(process.stdout, 'write').mockImplementation(into(out)),
    vi.spyOn(process.stderr, 'write').mockImplementation(into(err)),
  ];
  for (const name of ['DEPLOY_INVENTORY', 'DEPLOY_KNOWN_HOSTS', 'KOLLA_CONFIG_PATH']) vi.stubEnv(name, env[name]);
  try {
    return { code: await main(args), out: out.join(''), err: err.join('') };
  } finally {
    for (const spy of spies) spy.mockRestore();
    vi.unstubAllEnvs();
  }
}
