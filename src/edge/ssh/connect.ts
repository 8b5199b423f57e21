import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { DeployError } from '../../core/model/diagnostic.ts';
import { SshConnection } from './connection.ts';
import { nodeError } from './failures.ts';
import { dial, handshake } from './handshake.ts';
import type { SshOptions, SshTarget } from './target.ts';
import { countWire, type WireCount } from './wire-count.ts';

/** A hop's own problem, told as what it means for the host behind it. */
function behind(target: SshTarget, hop: SshTarget, problem: DeployError): DeployError {
  const first = problem.diagnostics[0];
  const message = `cannot be reached through ${hop.host}: ${first?.message ?? problem.message}`;
  return nodeError(target.host, first?.code ?? 'unreachable', message, first?.hint);
}

/**
 * Opens one connection: hops in order, each dialled through the one before and checked against its own host key.
 * Every failure is a DeployError (exit 4) with one diagnostic for `target.host`.
 */
export async function connectSsh(target: SshTarget, options: SshOptions): Promise<SshConnection> {
  const hops = target.proxyJump ?? [];
  const opened: SshConnection[] = [];
  const first = hops[0] ?? target;
  let socket: Socket | undefined;
  let wire = (): WireCount => ({ bytes: 0, roundTrips: 0 });
  const begun = (): void => {
    if (socket && opened.length === 0) wire = countWire(socket);
  };
  try {
    for (const hop of [...hops, target]) {
      const through = opened.at(-1);
      let sock: Duplex;
      try {
        if (through === undefined) {
          socket = await dial(first, options.connectTimeoutMs ?? 15_000);
          sock = socket;
        } else {
          sock = await through.forwardTcp(hop.address, hop.port).catch((problem: unknown) => {
            const [first] = problem instanceof DeployError ? problem.diagnostics : [];
            throw first ? nodeError(hop.host, 'unreachable', first.message, first.hint) : problem;
          });
        }
        const client = await handshake(hop, options, sock, begun);
        opened.push(new SshConnection(hop.host, client, opened.length + 1, wire));
      } catch (problem) {
        throw hop === target ? problem : behind(target, hop, problem as DeployError);
      }
    }
  } catch (problem) {
    // A handshake that never began leaves the socket to its caller; open, it would keep the process alive.
    socket?.destroy();
    await closeAll(opened);
    throw problem;
  }
  const connection = opened.pop();
  if (connection === undefined) throw nodeError(target.host, 'unreachable', 'no hop was dialled');
  connection.onClose(() => void closeAll(opened));
  return connection;
}

async function closeAll(connections: readonly SshConnection[]): Promise<void> {
  for (const connection of [...connections].reverse()) await connection.close();
}
