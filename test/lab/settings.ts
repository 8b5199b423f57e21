import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** `-b` for `DEPLOY_LAB=b`: a second lab beside the first one, for another clone. A clone works with one of them. */
const SUFFIX = labSuffix(process.env.DEPLOY_LAB ?? '');

/** Everything of the lab that outlives one command lies here, outside every clone. */
export const LAB_ROOT = `/var/lib/deploy-lab${SUFFIX}`;
/** Sockets, pid files and the lock; worthless after a reboot. */
export const LAB_RUN = `/run/deploy-lab${SUFFIX}`;
/** Where a node sees what the machine mounts into it; the node image knows this path. */
export const INSIDE_NODE = '/var/lib/deploy-lab';

/** The first lab has 77, `b` 78, and so on: also the last two digits of ports on the machine's own loopback. */
export const LAB_NUMBER = 77 + (SUFFIX === '' ? 0 : SUFFIX.charCodeAt(1) - 'a'.charCodeAt(0));
export const SUBNET_PREFIX = `172.31.${LAB_NUMBER}.`;
export const SUBNET = `${SUBNET_PREFIX}0/24`;
export const GATEWAY = `${SUBNET_PREFIX}1`;
export const VIP = `${SUBNET_PREFIX}250`;
export const REGISTRY = `${GATEWAY}:5000`;
export const NETWORK = `deploy-lab${SUFFIX}`;
/** Name of the bridge interface on the machine (at most 15 characters). */
export const BRIDGE = `deploy-lab0${SUFFIX}`;

function labSuffix(letter: string): string {
  if (letter === '') return '';
  if (/^[b-j]$/.test(letter)) return `-${letter}`;
  throw new Error(`DEPLOY_LAB=${letter}: must be one letter from b to j, or unset for the first lab`);
}

export type NodeName = 'node1' | 'node2' | 'node3';

export interface LabNode {
  readonly name: NodeName;
  readonly address: string;
}

export const NODES: readonly LabNode[] = [
  { name: 'node1', address: `${SUBNET_PREFIX}11` },
  { name: 'node2', address: `${SUBNET_PREFIX}12` },
  { name: 'node3', address: `${SUBNET_PREFIX}13` },
];

export type Suite = 'bookworm' | 'trixie';
export const SUITES: readonly Suite[] = ['bookworm', 'trixie'];

export const paths = {
  marker: join(LAB_ROOT, 'lab.json'),
  log: join(LAB_ROOT, 'log'),
  etc: join(LAB_ROOT, 'etc'),
  cache: join(LAB_ROOT, 'cache'),
  registry: join(LAB_ROOT, 'registry'),
  keys: join(LAB_ROOT, 'keys'),
  /** Mounted read-only in every node. */
  node: join(LAB_ROOT, 'node'),
  /** One folder per node (its sshd host key), mounted read-only in that node only. */
  hostKeys: join(LAB_ROOT, 'host-keys'),
  docker: join(LAB_ROOT, 'docker'),
  containerd: join(LAB_ROOT, 'containerd'),
  dockerSocket: join(LAB_RUN, 'docker.sock'),
  dockerPid: join(LAB_RUN, 'docker.pid'),
  containerdSocket: join(LAB_RUN, 'containerd.sock'),
  containerdPid: join(LAB_RUN, 'containerd.pid'),
  registryPid: join(LAB_RUN, 'registry.pid'),
  lock: join(LAB_RUN, 'lock'),
  clientKey: join(LAB_ROOT, 'keys', 'id_ed25519'),
} as const;

/** Root of the clone this file belongs to. */
export function cloneRoot(): string {
  return join(dirname(fileURLToPath(import.meta.url)), '..', '..');
}

/** Folder with the node image's Dockerfile and start script. */
export function nodeContext(): string {
  return join(dirname(fileURLToPath(import.meta.url)), 'node');
}

export function nodeByName(name: NodeName): LabNode {
  const node = NODES.find((candidate) => candidate.name === name);
  if (node === undefined) throw new Error(`no such lab node: ${name}`);
  return node;
}
