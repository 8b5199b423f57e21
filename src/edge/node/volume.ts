import type { HostName } from '../../core/model/node.ts';
import type { VolumeLook } from '../../run/ports.ts';
import type { Engine } from '../docker/client.ts';
import { nodeError } from '../ssh/failures.ts';
import type { RunOnNode } from './files.ts';
import { readTexts } from './read.ts';

/**
 * What lies directly in a volume, and texts of some of its files. It is read where it lies on the node, not through a
 * container: that works whether there is a container or not, and asking for a volume never makes one.
 */
export async function readVolume(
  host: HostName,
  engine: Engine,
  run: RunOnNode,
  name: string,
  files: readonly string[],
): Promise<VolumeLook | undefined> {
  const mountpoint = await mountpointOf(engine, name);
  if (mountpoint === undefined) return undefined;
  const [listed, texts] = await Promise.all([
    run(['ls', '-A', '--', mountpoint], ''),
    readTexts(
      host,
      run,
      files.map((file) => `${mountpoint}/${file}`),
    ),
  ]);
  return {
    mountpoint,
    entries:
      listed.code === 0
        ? listed.stdout
            .toString('utf8')
            .split('\n')
            .filter((entry) => entry !== '')
        : undefined,
    texts: new Map(
      files.flatMap((file) => {
        const text = texts.get(`${mountpoint}/${file}`);
        return text === undefined ? [] : [[file, text] as const];
      }),
    ),
  };
}

async function mountpointOf(engine: Engine, name: string): Promise<string | undefined> {
  const { Volumes } = (await engine.get('list the volumes', '/volumes')) as {
    readonly Volumes: readonly { readonly Name: string; readonly Mountpoint: string }[] | null;
  };
  return Volumes?.find((volume) => volume.Name === name)?.Mountpoint;
}

/** Whether anything in it was written after a time of the node's clock; changes of owner or mode do not count. */
export async function volumeWrittenSince(
  host: HostName,
  engine: Engine,
  run: RunOnNode,
  name: string,
  time: string,
): Promise<boolean> {
  const mountpoint = await mountpointOf(engine, name);
  if (mountpoint === undefined) return false;
  const found = await run(['find', mountpoint, '-newermt', time, '-print', '-quit'], '');
  if (found.code === 0) return found.stdout.length > 0;
  const words = found.stderr.trim().split('\n')[0];
  throw nodeError(host, 'volume', `cannot tell whether the volume ${name} was written to: ${words}`);
}
