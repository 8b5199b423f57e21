import type { HostName } from '../../core/model/node.ts';
import type { VolumeLook } from '../../run/ports.ts';
import type { Engine } from '../docker/client.ts';
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
  const { Volumes } = (await engine.get('list the volumes', '/volumes')) as {
    readonly Volumes: readonly { readonly Name: string; readonly Mountpoint: string }[] | null;
  };
  const mountpoint = Volumes?.find((volume) => volume.Name === name)?.Mountpoint;
  if (mountpoint === undefined) return undefined;
  const [listed, texts] = await Promise.all([
    run(['sh', '-c', 'date +%s && ls -A -- "$1"', 'sh', mountpoint], ''),
    readTexts(
      host,
      run,
      files.map((file) => `${mountpoint}/${file}`),
    ),
  ]);
  const [now = '', ...entries] = listed.stdout
    .toString('utf8')
    .split('\n')
    .filter((line) => line !== '');
  return {
    mountpoint,
    entries: listed.code === 0 ? entries : undefined,
    now: listed.code === 0 && /^\d+$/.test(now) ? Number(now) : undefined,
    texts: new Map(
      files.flatMap((file) => {
        const text = texts.get(`${mountpoint}/${file}`);
        return text === undefined ? [] : [[file, text] as const];
      }),
    ),
  };
}
