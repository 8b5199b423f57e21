import { LabError, must, waitFor } from './command.ts';
import { outerDocker, tryOuterDocker } from './engine.ts';
import { mustBeReady, nodeExec, setLink } from './nodes.ts';
import { type NodeName, nodeByName } from './settings.ts';

/** The two programs that a node's first process keeps running. */
export type NodeProgram = 'sshd' | 'dockerd';

/** Power loss: every process of the node ends at once. Its file systems stay. */
export async function killNode(node: NodeName): Promise<void> {
  await outerDocker(['kill', node]);
}

/** Switches a node on again and waits until SSH and its engine answer. */
export async function startNode(node: NodeName): Promise<void> {
  await outerDocker(['start', node]);
  await mustBeReady(node);
}

/** Orderly reboot. */
export async function rebootNode(node: NodeName): Promise<void> {
  await outerDocker(['restart', node]);
  await mustBeReady(node);
}

/** A hang: connections stay open, nothing answers. */
export async function freezeNode(node: NodeName): Promise<void> {
  await outerDocker(['pause', node]);
}

export async function thawNode(node: NodeName): Promise<void> {
  await outerDocker(['unpause', node]);
}

/** Pulls the network cable: the node keeps its addresses (a virtual one too) but loses the carrier. */
export async function cutNetwork(node: NodeName): Promise<void> {
  await setLink(node, 'down');
}

export async function restoreNetwork(node: NodeName): Promise<void> {
  await setLink(node, 'up');
}

/**
 * Loses packets that arrive at `node` from `source` (an address or network), while the other direction still works.
 * Undone by `acceptTrafficFrom`, and by a restart of the node.
 */
export async function dropTrafficFrom(node: NodeName, source: string): Promise<void> {
  await mustRun(node, `iptables -w -I INPUT -s ${source} -j DROP`);
}

export async function acceptTrafficFrom(node: NodeName, source: string): Promise<void> {
  await mustRun(node, `iptables -w -D INPUT -s ${source} -j DROP`);
}

/**
 * Kills a node's sshd or dockerd with SIGKILL. It comes back by itself within about a second, unless `stayDead`:
 * then it stays away until `startProgram` or a restart of the node. Open SSH connections outlive a killed sshd.
 */
export async function killProgram(node: NodeName, program: NodeProgram, stayDead = false): Promise<void> {
  const hold = stayDead ? `touch /run/lab-hold-${program}; ` : '';
  // The listening sshd is the oldest one; the younger ones each serve a connection.
  const signal = program === 'sshd' ? 'pkill -KILL -o -x sshd' : 'pkill -KILL -x dockerd';
  await mustRun(node, `${hold}${signal}`);
}

/** Lets a program that was killed with `stayDead` run again and waits for it. */
export async function startProgram(node: NodeName, program: NodeProgram): Promise<void> {
  await mustRun(node, `rm -f /run/lab-hold-${program}`);
  await mustBeReady(node);
}

/** Whether a node's containers outlive the death of its engine (docker's live-restore; off in a new node). */
export async function setLiveRestore(node: NodeName, on: boolean): Promise<void> {
  const file = '/etc/docker/daemon.json';
  const present = JSON.parse((await nodeExec(node, `cat ${file}`)).stdout) as Record<string, unknown>;
  const input = `${JSON.stringify({ ...present, 'live-restore': on }, null, 2)}\n`;
  const written = await nodeExec(node, `cat > ${file} && pkill -HUP -x dockerd`, { input });
  if (written.code !== 0) throw new LabError(`cannot change the engine of ${node}: ${written.stderr.trim()}`);
  const wanted = async (): Promise<boolean> =>
    (await nodeExec(node, 'docker info --format "{{.LiveRestoreEnabled}}"')).stdout.trim() === String(on);
  if (!(await waitFor(wanted, 10_000))) throw new LabError(`the engine of ${node} did not take up live-restore`);
}

/** Kills every process of that name (at most 15 characters) in a node, containers included. Says whether there was one. */
export async function killEverywhere(node: NodeName, name: string): Promise<boolean> {
  return (await nodeExec(node, `pkill -KILL -x '${name}'`)).code === 0;
}

/** Puts a small file system over a folder of the node, so that it can be filled up. Its present content is hidden. */
export async function shrinkFolder(node: NodeName, folder: string, megabytes: number): Promise<void> {
  await mustRun(node, `mkdir -p '${folder}' && mount -t tmpfs -o size=${megabytes}m lab-small '${folder}'`);
}

export async function unshrinkFolder(node: NodeName, folder: string): Promise<void> {
  await mustRun(node, `umount '${folder}'`);
}

/** Whether the outer engine says that the node runs (neither killed nor paused). */
export async function nodeRuns(node: NodeName): Promise<boolean> {
  const found = await tryOuterDocker(['container', 'inspect', '--format', '{{.State.Status}}', node]);
  return found.stdout.trim() === 'running';
}

/** A node as its operator leaves it after a power loss: switched on, with all that ran there, but for those named. */
export async function bringNodeBack(node: NodeName, but: readonly string[] = []): Promise<void> {
  await startNode(node);
  // An engine that was killed (not stopped) leaves what it ran ended, whatever the restart policy.
  const others = ['__', '^bootstrap_', ...but.map((name) => `^${name}$`)].map((pattern) => `-e '${pattern}'`).join(' ');
  const ended = `docker ps -a --filter status=exited --format '{{.Names}}' | grep -v ${others}`;
  await nodeExec(node, `${ended} | xargs -r docker start`);
}

/** Waits until the node's engine answers inside the node, whatever its sshd does. */
export async function waitForEngine(node: NodeName, timeoutMs = 30_000): Promise<void> {
  const answers = async (): Promise<boolean> => (await nodeExec(node, 'docker info', { timeoutMs: 5_000 })).code === 0;
  if (!(await waitFor(answers, timeoutMs))) throw new LabError(`the engine of ${node} does not answer`);
}

async function mustRun(node: NodeName, command: string): Promise<void> {
  const result = await nodeExec(node, command);
  if (result.code !== 0) throw new LabError(`"${command}" failed on ${node}: ${result.stderr.trim()}`);
}

/**
 * Ends every SSH connection between this machine and a node with a reset, at both ends, as a firewall or a switched
 * over load balancer does. Only the kernel is asked: no process notices before its next read or write.
 */
export async function resetConnections(node: NodeName): Promise<void> {
  await must('ss', ['--kill', '--tcp', '--numeric', 'dst', `${nodeByName(node).address}:22`]);
}

/** Loses every packet of SSH from and to a node, silently. Undone by `acceptSsh`, and by a restart of the node. */
export async function dropSsh(node: NodeName): Promise<void> {
  await mustRun(node, `${sshRules('-I').join(' && ')}`);
}

export async function acceptSsh(node: NodeName): Promise<void> {
  await nodeExec(node, sshRules('-D').join('; '));
}

function sshRules(action: '-I' | '-D'): readonly string[] {
  return [
    `iptables -w ${action} INPUT -p tcp --dport 22 -j DROP`,
    `iptables -w ${action} OUTPUT -p tcp --sport 22 -j DROP`,
  ];
}

/** Ends the processes that serve SSH connections of a node: those of the sshd that listens, which lives on. */
export async function endSshSessions(node: NodeName): Promise<void> {
  await mustRun(node, 'pkill -KILL -x sshd --parent "$(pgrep -o -x sshd)"');
}

/** Stops a program of the node in an orderly way; the node starts it anew by itself. Returns at once. */
export async function restartProgram(node: NodeName, program: NodeProgram): Promise<void> {
  await mustRun(node, program === 'sshd' ? 'pkill -TERM -o -x sshd' : 'pkill -TERM -x dockerd');
}

/** Stops the engine in its tracks: it takes connections (the kernel does) and answers nothing. */
export async function freezeEngine(node: NodeName): Promise<void> {
  await mustRun(node, 'pkill -STOP -x dockerd');
}

export async function thawEngine(node: NodeName): Promise<void> {
  await mustRun(node, 'pkill -CONT -x dockerd');
}
