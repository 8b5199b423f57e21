import type { Duplex } from 'node:stream';
import type { ContainerName } from '../../core/model/node.ts';
import type { Engine } from '../docker/client.ts';
import { ChannelError, type SshConnection } from '../ssh/connection.ts';

interface Mount {
  readonly Source: string;
  readonly Destination: string;
}

/** Where a path inside a container lies on its node, if it lies in one of its volumes. */
export function hostPath(mounts: readonly Mount[], path: string): string | undefined {
  const slashed = (folder: string) => (folder.endsWith('/') ? folder : `${folder}/`);
  const holding = mounts
    .filter(({ Destination }) => path.startsWith(slashed(Destination)))
    .sort((a, b) => b.Destination.length - a.Destination.length)[0];
  return holding && slashed(holding.Source) + path.slice(slashed(holding.Destination).length);
}

/**
 * A connection to a unix socket in a volume of a container, made by sshd: one round trip, where a command in the
 * container takes the engine three calls and a process. Undefined when the socket is in no volume or sshd may not
 * reach it (another user than root); then a command in the container still can.
 */
export async function openSocket(
  engine: Engine,
  connection: SshConnection,
  container: ContainerName,
  path: string,
): Promise<Duplex | undefined> {
  const found = await engine.get(`look at the container ${container}`, `/containers/${container}/json`);
  const { Mounts = [] } = found as { readonly Mounts?: readonly Mount[] };
  const socket = hostPath(Mounts, path);
  if (socket === undefined) return undefined;
  try {
    return await connection.forwardSocket(socket);
  } catch (problem) {
    if (problem instanceof ChannelError) return undefined;
    throw problem;
  }
}
