import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type CommandOptions, type CommandResult, LabError, lastLines, must, run, waitFor } from './command.ts';
import { outerDocker, tryOuterDocker, writeIfChanged } from './engine.ts';
import { hostKeyFolder, knownHostsFile } from './keys.ts';
import { defaultMtu } from './network.ts';
import { lacksSysResource, RUNTIME_INSIDE, RUNTIME_NAME } from './runtime.ts';
import {
  BRIDGE,
  INSIDE_NODE,
  type LabNode,
  NETWORK,
  NODES,
  type NodeName,
  nodeByName,
  paths,
  REGISTRY,
} from './settings.ts';

const SPEC_LABEL = 'deploy-lab.spec';

/** Name of the volume that holds a node's images and containers. */
export function nodeVolume(node: NodeName): string {
  return `${node}-docker`;
}

/** Runs a shell command inside a node as root, by way of the outer engine (works without the node's sshd). */
export function nodeExec(node: NodeName, command: string, options: CommandOptions = {}): Promise<CommandResult> {
  const stdin = options.input === undefined ? [] : ['--interactive'];
  return tryOuterDocker(['exec', ...stdin, node, 'sh', '-c', command], options);
}

/** Runs a shell command on a node over SSH with the lab's key, as an operator would. */
export function nodeSsh(node: NodeName, command: string, options: CommandOptions = {}): Promise<CommandResult> {
  const settings = [
    'BatchMode=yes',
    'ConnectTimeout=3',
    'StrictHostKeyChecking=yes',
    `UserKnownHostsFile=${knownHostsFile}`,
    'IdentitiesOnly=yes',
  ].flatMap((setting) => ['-o', setting]);
  const target = `root@${nodeByName(node).address}`;
  return run('ssh', ['-F', 'none', '-i', paths.clientKey, ...settings, target, command], options);
}

/** Writes what all nodes read at their start: engine configuration, engine flags, name servers. */
export async function writeNodeFiles(): Promise<void> {
  mkdirSync(paths.node, { recursive: true, mode: 0o755 });
  const daemon = {
    'insecure-registries': [REGISTRY],
    'storage-driver': 'overlay2',
    'log-opts': { 'max-size': '10m', 'max-file': '3' },
    mtu: await defaultMtu(),
  };
  writeIfChanged(join(paths.node, 'daemon.json'), `${JSON.stringify(daemon, null, 2)}\n`);
  // As flags, so that a daemon.json written by somebody else inside the node does not lose them.
  const flags = lacksSysResource()
    ? `--add-runtime ${RUNTIME_NAME}=${RUNTIME_INSIDE} --default-runtime ${RUNTIME_NAME}`
    : '';
  writeIfChanged(join(paths.node, 'dockerd.flags'), `${flags}\n`);
  const resolver = readFileSync('/etc/resolv.conf', 'utf8');
  // A name server on the machine's loopback cannot be reached from a node; the outer engine's own one can.
  const reachable = /^nameserver\s+(?!127\.|::1)/m.test(resolver);
  writeIfChanged(join(paths.node, 'resolv.conf'), reachable ? resolver : '');
}

/** Makes sure that a node runs from this image, on the network, with nothing held back. Says what had to be done. */
export async function ensureNode(node: LabNode, image: string): Promise<string> {
  const args = runArguments(node, image);
  const spec = createHash('sha256').update(args.join('\0')).digest('hex').slice(0, 16);
  const state = await nodeState(node);
  if (state === undefined) return create(node, args, spec, 'created');
  if (state.spec !== spec) return create(node, args, spec, 'recreated');
  if (state.status === 'paused') await outerDocker(['unpause', node.name]);
  if (!state.connected) await reconnect(node);
  if (state.status !== 'running' && state.status !== 'paused') {
    const started = await tryOuterDocker(['start', node.name]);
    // For example the network's record was made again: what the node has is of no use, its volume is.
    return started.code === 0 ? 'started' : create(node, args, spec, 'recreated');
  }
  // A new interface gets the next free number; only in a restarted node is it eth0 again.
  if (!state.connected) await outerDocker(['restart', node.name]);
  await nodeExec(node.name, 'rm -f /run/lab-hold-*');
  const plugged = await setLink(node.name, 'up');
  return state.status === 'running' && state.connected && !plugged ? 'running' : 'repaired';
}

/**
 * Makes a node as new: containers, volumes and every file that was changed in it are gone. Images stay unless
 * `withImages`, because building them takes minutes. Waits until the node is ready again.
 */
export async function resetNode(name: NodeName, withImages = false): Promise<void> {
  const image = (await outerDocker(['container', 'inspect', '--format', '{{.Config.Image}}', name])).trim();
  await tryOuterDocker(['unpause', name]);
  if (!withImages) {
    await tryOuterDocker(['start', name]);
    await mustBeReady(name);
    const empty = 'docker ps -aq | xargs -r docker rm -fv && docker volume ls -q | xargs -r docker volume rm -f';
    const emptied = await nodeExec(name, empty);
    if (emptied.code !== 0) throw new LabError(`cannot empty ${name}: ${lastLines(emptied.stderr, 3)}`);
  }
  await outerDocker(['rm', '--force', name]);
  if (withImages) await outerDocker(['volume', 'rm', '--force', nodeVolume(name)]);
  await ensureNode(nodeByName(name), image);
  await mustBeReady(name);
}

/** Waits until a node answers by SSH and its engine answers too. */
export async function nodeReady(node: NodeName, timeoutMs: number): Promise<boolean> {
  const probe = async (): Promise<boolean> => (await nodeSsh(node, 'docker info', { timeoutMs: 10_000 })).code === 0;
  return waitFor(probe, timeoutMs, 300);
}

/** Waits for a node and restarts it once when it does not come. @throws LabError naming what it said. */
export async function mustBeReady(node: NodeName): Promise<void> {
  if (await nodeReady(node, 45_000)) return;
  await outerDocker(['restart', '--time', '5', node]);
  if (await nodeReady(node, 60_000)) return;
  const logs = await nodeExec(node, 'tail -n 5 /var/log/sshd.log /var/log/dockerd.log');
  throw new LabError(
    `${node} does not answer by SSH or its engine does not run:\n${lastLines(logs.stdout + logs.stderr, 14)}`,
    'remove the lab with "npm run lab:down" and raise it again',
  );
}

interface NodeState {
  readonly status: string;
  readonly spec: string;
  readonly connected: boolean;
}

async function nodeState(node: LabNode): Promise<NodeState | undefined> {
  const address = `{{with index .NetworkSettings.Networks "${NETWORK}"}}{{.IPAMConfig.IPv4Address}}{{end}}`;
  const format = `{{.State.Status}}|{{index .Config.Labels "${SPEC_LABEL}"}}|${address}`;
  const found = await tryOuterDocker(['container', 'inspect', '--format', format, node.name]);
  if (found.code !== 0) return undefined;
  const [status = '', spec = '', bound = ''] = found.stdout.trim().split('|');
  return { status, spec, connected: bound === node.address };
}

async function create(node: LabNode, args: readonly string[], spec: string, done: string): Promise<string> {
  await tryOuterDocker(['rm', '--force', node.name]);
  await outerDocker(['run', '--detach', '--label', `${SPEC_LABEL}=${spec}`, ...args]);
  return done;
}

/**
 * Switches the machine's end of a running node's cable. The node sees its eth0 lose or regain the carrier and keeps
 * its addresses. Says whether that changed anything.
 */
export async function setLink(node: NodeName, to: 'up' | 'down'): Promise<boolean> {
  const inside = await nodeExec(node, 'cat /sys/class/net/eth0/iflink');
  const index = inside.stdout.trim();
  const links = (await run('ip', ['-o', 'link', 'show', 'master', BRIDGE])).stdout.split('\n');
  const link = links.find((line) => line.startsWith(`${index}: `));
  const device = /^\d+: ([^:@]+)/.exec(link ?? '')?.[1];
  if (inside.code !== 0 || link === undefined || device === undefined) {
    throw new LabError(`the network cable of ${node} cannot be found`, 'restart the node, or raise the lab again');
  }
  if (/<[^>]*\bUP\b[^>]*>/.test(link) === (to === 'up')) return false;
  await must('ip', ['link', 'set', 'dev', device, to]);
  return true;
}

/** Puts a node back on the lab's network with its fixed address. */
async function reconnect(node: LabNode): Promise<void> {
  await tryOuterDocker(['network', 'disconnect', '--force', NETWORK, node.name]);
  await outerDocker(['network', 'connect', '--ip', node.address, NETWORK, node.name]);
}

function runArguments(node: LabNode, image: string): readonly string[] {
  const others = NODES.filter((other) => other.name !== node.name);
  const hosts = others.flatMap((other) => ['--add-host', `${other.name}:${other.address}`]);
  const runtime = lacksSysResource() ? ['--runtime', RUNTIME_NAME] : [];
  return [
    ...['--name', node.name, '--hostname', node.name, '--privileged', ...runtime],
    ...['--network', NETWORK, '--ip', node.address, ...hosts],
    ...['--restart', 'unless-stopped', '--stop-timeout', '20'],
    ...['--tmpfs', '/run:mode=755,exec', '--volume', `${nodeVolume(node.name)}:/var/lib/docker`],
    ...['--volume', `${paths.node}:${INSIDE_NODE}/node:ro`],
    ...['--volume', `${hostKeyFolder(node.name)}:${INSIDE_NODE}/host-key:ro`],
    image,
  ];
}
