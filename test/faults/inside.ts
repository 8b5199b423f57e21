import { connect } from 'node:net';
import { join } from 'node:path';
import Docker from 'dockerode';
import { sayThrough } from '../../src/edge/haproxy/stats-socket.ts';
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
