import { readFile, stat } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import Docker from 'dockerode';
import { sayThrough } from '../../src/edge/haproxy/stats-socket.ts';
import { waitFor } from '../lab/command.ts';
import { outerDocker } from '../lab/engine.ts';
import { NODES, type NodeName } from '../lab/settings.ts';

/** A node of the lab as this machine sees it from outside: past SSH and past the program that is tested. */
export interface Inside {
  readonly name: NodeName;
  /** A file of the node, as a path of this machine. */
  path(file: string): string;
  readonly engine: Docker;
  /** Says a line to the node's HAProxy. */
  balancer(command: string): Promise<string>;
}

const balancerSocket = '/var/lib/docker/volumes/haproxy_socket/_data/haproxy.sock';

/** Nodes are containers of the outer engine: their files and sockets lie under their first process. */
export function insideNodes(): Promise<readonly Inside[]> {
  return Promise.all(
    NODES.map(async ({ name }) => {
      const pid = (await outerDocker(['container', 'inspect', '--format', '{{.State.Pid}}', name])).trim();
      const path = (file: string): string => join('/proc', pid, 'root', file);
      return {
        name,
        path,
        engine: new Docker({ socketPath: path('/run/docker.sock') }),
        balancer: (command: string) => sayThrough(connect(path(balancerSocket)), command, 5_000),
      };
    }),
  );
}

/**
 * Waits until nobody holds the nodes' locks. The kernel's own list is read: a command that tries to take them would be
 * held up by what holds up the release. Milliseconds since `from`, infinite when they are not free after ten seconds.
 */
export async function untilFree(nodes: readonly Inside[], from: number): Promise<number> {
  const files = await Promise.all(nodes.map((node) => stat(node.path('/run/deploy/lock'))));
  const locks = files.map(({ dev, ino }) => ` ${hex(major(dev))}:${hex(minor(dev))}:${ino} `);
  const free = async (): Promise<boolean> => {
    const held = await readFile('/proc/locks', 'utf8');
    return locks.every((lock) => !held.includes(lock));
  };
  return (await waitFor(free, 10_000, 5)) ? performance.now() - from : Number.POSITIVE_INFINITY;
}

function hex(number: number): string {
  return number.toString(16).padStart(2, '0');
}

/** Of a device's number, as Linux packs them. */
function major(dev: number): number {
  return (dev >> 8) & 0xfff;
}

function minor(dev: number): number {
  return (dev & 0xff) | ((dev >> 12) & 0xfff00);
}
