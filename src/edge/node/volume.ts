import type { VolumeSize } from '../../core/galera/kept-data.ts';
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

/** Where a new volume would lie is what counts: a volume may have a filesystem of its own. */
const measureScript = `du -sk -- "$1" | cut -f 1 && df -Pk -- "$1/../.." | awk 'NR == 2 { print $4 }'`;

/** KiB in a volume, and KiB that are free where volumes are kept. Takes as long as `du` does. */
export async function measureVolume(
  host: HostName,
  engine: Engine,
  run: RunOnNode,
  name: string,
): Promise<VolumeSize | undefined> {
  const mountpoint = await mountpointOf(engine, name);
  if (mountpoint === undefined) return undefined;
  const result = await run(['sh', '-c', measureScript, 'sh', mountpoint], '');
  const [used, free] = result.stdout.toString('utf8').trim().split('\n').slice(-2).map(Number);
  if (Number.isInteger(used) && Number.isInteger(free)) return { usedKib: used ?? 0, freeKib: free ?? 0 };
  throw nodeError(host, 'volume', `how large the volume ${name} is cannot be found out: ${result.stderr.trim()}`);
}

async function mountpointOf(engine: Engine, name: string): Promise<string | undefined> {
  const { Volumes } = (await engine.get('list the volumes', '/volumes')) as {
    readonly Volumes: readonly { readonly Name: string; readonly Mountpoint: string }[] | null;
  };
  return Volumes?.find((volume) => volume.Name === name)?.Mountpoint;
}
