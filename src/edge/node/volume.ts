import type { VolumeSize } from '../../core/galera/kept-data.ts';
import { DeployError, error, exitCode } from '../../core/model/diagnostic.ts';
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

/** Data is moved by renaming; where volumes are on different file systems it is copied, which takes its time. */
const moveMs = 24 * 3600 * 1000;

/** A file system of its own has this directory. */
const everything = '-mindepth 1 -maxdepth 1 ! -name lost+found';

/**
 * `$1` mountpoint, `$2` empty, or the directory in the other volume, `$3` MiB that must be free. Older data that was kept
 * beside it makes room for it first, also that of an earlier restore of the same backup: what an interrupted one has
 * moved so far is told from it by its name.
 */
const emptyScript = `cd "$1" || exit 1
partial=$2.partial
if [ -z "$(find . ${everything} -print -quit)" ]; then
  [ -n "$2" ] && [ -e "$partial" ] || { echo was empty; exit 0; }
  rm -rf "$2" && mv -T "$partial" "$2" && sync && echo kept
  exit
fi
if [ -n "$2" ] && [ ! -e "$partial" ]; then
  find "$(dirname "$2")" -mindepth 1 -maxdepth 1 -name 'before-*' -exec rm -rf {} +
fi
if [ -n "$2" ] && [ "$(df -Pm . | awk 'NR == 2 { print $4 }')" -ge "$3" ]; then
  mkdir -p "$partial" && find . ${everything} -exec mv -f -t "$partial" {} + &&
    rm -rf "$2" && mv -T "$partial" "$2" && sync && echo kept
else
  find . ${everything} -exec rm -rf {} + && sync && echo given up
fi`;

/** What empties a member's volume before a restore, and tells what became of the data. */
export async function emptyVolume(
  engine: Engine,
  run: RunOnNode,
  name: string,
  keep?: { readonly volume: string; readonly directory: string; readonly roomMb: number },
): Promise<'was empty' | 'kept' | 'given up'> {
  const mountpoint = await mountpointOf(engine, name);
  if (mountpoint === undefined) return 'was empty';
  const target = keep === undefined ? '' : `${await madeVolume(engine, keep.volume)}/${keep.directory}`;
  const args = [mountpoint, target, String(keep?.roomMb ?? 0)];
  const said = await moved(engine, run, `empty the volume ${name}`, ['sh', '-c', emptyScript, 'sh', ...args]);
  return said === 'was empty' || said === 'kept' ? said : 'given up';
}

/** `$1` the directory, `$2` its name from now on, which says that it is not whole any more, `$3` mountpoint. */
const fillScript = `[ -z "$(find "$3" ${everything} -print -quit)" ] || { echo 'it is not empty' >&2; exit 1; }
rm -rf "$2" && mv -T "$1" "$2" && find "$2" -mindepth 1 -maxdepth 1 -exec mv -t "$3" {} + && rmdir "$2" && sync`;

/** Killed in the middle it leaves a directory `moving` in the other volume. */
export async function fillVolume(
  engine: Engine,
  run: RunOnNode,
  name: string,
  from: { readonly volume: string; readonly directory: string },
): Promise<void> {
  const [target, source] = [await madeVolume(engine, name), await madeVolume(engine, from.volume)];
  const args = [`${source}/${from.directory}`, `${source}/moving`, target];
  await moved(engine, run, `fill the volume ${name}`, ['sh', '-c', fillScript, 'sh', ...args]);
}

async function moved(engine: Engine, run: RunOnNode, what: string, argv: readonly string[]): Promise<string> {
  const result = await run(argv, '', moveMs);
  if (result.code === 0) return result.stdout.toString('utf8').trim().split('\n').pop() ?? '';
  const words = result.stderr.trim().split('\n').pop() || `the command ended with status ${result.code}`;
  throw new DeployError([error('volume', `cannot ${what}: ${words}`, { host: engine.host })], exitCode.failed);
}

/** Where a volume lies; it is made if there is none. */
export async function madeVolume(engine: Engine, name: string): Promise<string> {
  return engine.call(`make the volume ${name}`, async (docker) => {
    await docker.createVolume({ Name: name });
    return (await docker.getVolume(name).inspect()).Mountpoint;
  });
}
