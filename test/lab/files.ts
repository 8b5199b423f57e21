import { chmodSync, copyFileSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { baseImageName } from './base-image.ts';
import { writeIfChanged } from './engine.ts';
import { copyClientKey, knownHostsFile } from './keys.ts';
import { cloneRoot, NODES, REGISTRY, SUITES, VIP } from './settings.ts';

/** What a clone has of the lab, in its git-ignored folder `.lab/`. */
export interface LabFiles {
  readonly folder: string;
  readonly inventory: string;
  /** Folder with globals.yml, passwords.yml and config/ (overrides). */
  readonly config: string;
  readonly privateKey: string;
  readonly knownHosts: string;
  /** Shell file that puts `deploy` on the PATH and points it at the lab. */
  readonly env: string;
}

export function labFiles(clone: string = cloneRoot()): LabFiles {
  const folder = join(clone, '.lab');
  return {
    folder,
    inventory: join(folder, 'inventory'),
    config: join(folder, 'config'),
    privateKey: join(folder, 'id_ed25519'),
    knownHosts: join(folder, 'known_hosts'),
    env: join(folder, 'env'),
  };
}

/**
 * Writes the clone's `.lab/`. Key, known_hosts, env and the command are always brought up to date; inventory,
 * globals.yml and passwords.yml are the operator's to edit and written only where missing or with `reset`
 * (passwords.yml not even then: the databases in the nodes know its passwords).
 */
export function writeLabFiles(clone: string, reset: boolean): LabFiles {
  const files = labFiles(clone);
  mkdirSync(join(files.config, 'config'), { recursive: true });
  mkdirSync(join(files.folder, 'bin'), { recursive: true });
  copyClientKey(files.privateKey);
  chmodSync(files.privateKey, 0o600);
  copyFileSync(knownHostsFile, files.knownHosts);
  writeIfChanged(files.env, environmentFile(clone, files));
  const command = join(files.folder, 'bin', 'deploy');
  writeIfChanged(command, commandFile(clone), 0o755);
  chmodSync(command, 0o755);
  writeOnce(files.inventory, inventoryFile(files), reset);
  writeOnce(join(files.config, 'globals.yml'), globalsFile(), reset);
  writeOnce(join(files.config, 'passwords.yml'), '---\n', false, 0o600);
  return files;
}

function writeOnce(file: string, content: string, reset: boolean, mode = 0o644): void {
  if (reset || !existsSync(file)) writeFileSync(file, content, { mode });
}

/** The variables of `.lab/env`, for tests that start `deploy` themselves. */
export function labVariables(files: LabFiles): Readonly<Record<string, string>> {
  return {
    KOLLA_CONFIG_PATH: files.config,
    DEPLOY_INVENTORY: files.inventory,
    DEPLOY_KNOWN_HOSTS: files.knownHosts,
  };
}

function environmentFile(clone: string, files: LabFiles): string {
  const bin = shellQuoted(join(clone, '.lab', 'bin'));
  const variables = Object.entries(labVariables(files)).map(
    ([name, value]) => `export ${name}=${shellQuoted(value)}\n`,
  );
  return [
    '# Read this with: . .lab/env\n',
    ...variables,
    `case ":$PATH:" in *:${bin}:*) ;; *) PATH=${bin}:$PATH; export PATH ;; esac\n`,
  ].join('');
}

function commandFile(clone: string): string {
  const main = shellQuoted(join(clone, 'dist', 'cli', 'main.js'));
  return [
    '#!/bin/sh\n',
    `[ -e ${main} ] || { echo "deploy is not built yet: run npm run build" >&2; exit 1; }\n`,
    `exec node ${main} "$@"\n`,
  ].join('');
}

function shellQuoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/** Groups of Kolla-Ansible's multinode inventory; the value names the group whose hosts it takes. */
const CHILD_GROUPS: readonly (readonly [group: string, parents: readonly string[]])[] = [
  ['common', ['control', 'network', 'compute', 'storage', 'monitoring']],
  ['cron', ['common']],
  ['loadbalancer', ['network']],
  ['mariadb', ['control']],
  ['rabbitmq', ['control']],
  ['memcached', ['control']],
  ['keystone', ['control']],
  ['glance', ['control']],
  ['glance-api', ['glance']],
  ['heat', ['control']],
  ['heat-api', ['heat']],
  ['heat-api-cfn', ['heat']],
  ['heat-engine', ['heat']],
  ['magnum', ['control']],
  ['magnum-api', ['magnum']],
  ['magnum-conductor', ['magnum']],
];

function inventoryFile(files: LabFiles): string {
  const hosts = NODES.map((node) => `${node.name} ansible_host=${node.address}\n`).join('');
  const names = NODES.map((node) => `${node.name}\n`).join('');
  const children = CHILD_GROUPS.map(([group, parents]) => `\n[${group}:children]\n${parents.join('\n')}\n`).join('');
  return [
    `# The lab's three nodes, in the groups of Kolla-Ansible's multinode inventory.\n${hosts}`,
    `\n[all:vars]\nansible_user=root\nansible_ssh_private_key_file=${files.privateKey}\n`,
    `\n[control]\n${names}\n[network]\n${names}`,
    '\n[compute]\n\n[storage]\n\n[monitoring]\n\n[deployment]\n',
    '\n[container-image-builders]\nnode1\n',
    children,
  ].join('');
}

function globalsFile(): string {
  const bases = SUITES.map((suite) => `  ${suite}: ${baseImageName(suite)}\n`).join('');
  return `---
# Site settings of the lab, with the names Kolla-Ansible's globals.yml uses.
kolla_internal_vip_address: ${VIP}
network_interface: eth0

kolla_base_distro: debian
kolla_base_distro_version: bookworm
openstack_release: zed
docker_registry: ${REGISTRY}
docker_registry_insecure: true
docker_namespace: deploy
kolla_base_images:
${bases}
enable_glance: "yes"
enable_heat: "yes"
enable_magnum: "yes"

# Three control nodes share one small machine.
openstack_service_workers: 1
openstack_service_rpc_workers: 1
mariadb_innodb_buffer_pool_size: 256M
# The machine's limit of open files may be as low as 20000, and HAProxy needs two for each connection.
haproxy_max_connections: 4000
default_container_dimensions: {}
`;
}
