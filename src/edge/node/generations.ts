import { randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import { DeployError, error, exitCode } from '../../core/model/diagnostic.ts';
import {
  decodeGeneration,
  encodeGeneration,
  formOf,
  type Generation,
  type StoredGeneration,
} from '../../core/model/generation.ts';
import type { ContainerName, HostName } from '../../core/model/node.ts';
import type { SshExecResult } from '../ssh/connection.ts';
import { nodeError } from '../ssh/failures.ts';
import type { RunOnNode } from './files.ts';
import { unpackEntries } from './tar.ts';

/**
 * `$1` home of the container's generations, `$2` id of the new one, `$3` config directory, `$4` form; stdin is
 * container.json up to its last member. Everything is complete before the link is switched by one rename, so a run
 * that dies anywhere leaves either the old generation or the new one. Recording the same form again keeps what was
 * before it. All that is neither the new one nor the one before is removed at the end.
 */
const recordScript = `umask 0077
mkdir -p "$1" && cd "$1" || exit 10
new=.new-$2
trap 'rm -rf "$new"' EXIT
mkdir -p "$new/files" && cat >"$new/container.json" || exit 11
[ ! -d "$3" ] || cp -a -- "$3/." "$new/files/" || exit 11
chmod 0700 "$new/files" || exit 11
previous=$(readlink current)
if [ -n "$previous" ] && [ "$(cat "$previous/form")" = "$4" ]; then previous=$(cat "$previous/previous"); fi
[ -n "$previous" ] && [ -d "$previous" ] || previous=
if [ -n "$previous" ]; then printf '"%s"}\\n' "$previous"; else printf 'null}\\n'; fi >>"$new/container.json" || exit 11
printf '%s\\n' "$4" >"$new/form" && printf '%s\\n' "$previous" >"$new/previous" || exit 11
mv -T -- "$new" "$2" && ln -s -- "$2" ".link-$2" && mv -fT -- ".link-$2" current || exit 12
for old in * .new-* .link-*; do
  case $old in current | "$2" | "$previous") ;; *) rm -rf -- "$old" ;; esac
done`;

/**
 * `$1` home, `$2` config directory, `$3` staging. All files are copied before the first rename, so that a full disk
 * is met while what was there is still in place; each then takes its place by one rename.
 */
const restoreScript = `umask 0007
files=$1/current/files
[ -d "$files" ] || exit 3
trap 'rm -rf "$3"' EXIT
mkdir -p "$3" "$2" && cp -a -- "$files/." "$3/" && cd "$3" || exit 11
find . -mindepth 1 -type d -exec sh -c 'd=$1; shift; for f do mkdir -p -- "$d/$f" || exit 1; done' sh "$2" {} + || exit 12
find . -type f -exec sh -c 'd=$1; shift; for f do mv -fT -- "$f" "$d/$f" || exit 1; done' sh "$2" {} + || exit 12
cd "$2" || exit 12
find . -type f -exec sh -c 'd=$1; shift; for f do [ -f "$d/$f" ] || rm -f -- "$f" || exit 1; done' sh "$files" {} + || exit 12`;

/** `$1` home, `$2` current or previous: a NUL, then the generation as a tar stream. Exit 3: there is none. */
const readScript = `cd "$1" 2>/dev/null || exit 3
id=$(readlink current) || exit 3
[ "$2" = current ] || id=$(cat "$id/previous")
[ -n "$id" ] && cd "$id" || exit 3
printf '\\0'
tar -cf - container.json files`;

const containerName = /^[a-z][a-z0-9_.-]*$/i;

function homeOf(host: HostName, root: string, container: ContainerName): string {
  if (containerName.test(container)) return `${root}/.deploy/generations/${container}`;
  const message = `${JSON.stringify(container)} cannot be the name of a container`;
  throw new DeployError([error('bad-name', message, { host })], exitCode.badInput);
}

function failure(host: HostName, root: string, what: string, result: SshExecResult): DeployError {
  const words = result.stderr.trim().split('\n')[0];
  if (/no space left|disk quota/i.test(result.stderr)) {
    const hint = `make room on the filesystem of ${root}, then run the same command again`;
    return nodeError(host, 'no-space', `cannot ${what}: no space left on its disk (${root})`, hint);
  }
  const message = `cannot ${what}: ${words || `the command ended with status ${result.code}`}`;
  return new DeployError([error('generations', message, { host })], exitCode.failed);
}

/** Keeps what a container that serves was made of, files included, and drops all but the one before. */
export async function recordGeneration(
  host: HostName,
  root: string,
  run: RunOnNode,
  directory: string,
  generation: Generation,
): Promise<void> {
  const home = homeOf(host, root, generation.container);
  const json = encodeGeneration({ ...generation, previous: null }).replace(/null\}$/, '');
  const result = await run(['sh', '-c', recordScript, 'sh', home, randomUUID(), directory, formOf(generation)], json);
  if (result.code !== 0) throw failure(host, root, `record what ${generation.container} is made of`, result);
}

/** Makes a config directory hold exactly the files of the current generation; false when there is none. */
export async function restoreGeneration(
  host: HostName,
  root: string,
  run: RunOnNode,
  container: ContainerName,
  directory: string,
): Promise<boolean> {
  const staging = `${root}/.deploy/staging/${randomUUID()}`;
  const result = await run(['sh', '-c', restoreScript, 'sh', homeOf(host, root, container), directory, staging], '');
  if (result.code === 3) return false;
  if (result.code !== 0) throw failure(host, root, `put the recorded files of ${container} back`, result);
  return true;
}

/** A recorded generation and the files of its config directory; undefined when there is none, or it is damaged. */
export async function readGeneration(
  host: HostName,
  root: string,
  run: RunOnNode,
  container: ContainerName,
  directory: string,
  which: 'current' | 'previous',
): Promise<StoredGeneration | undefined> {
  const result = await run(['sh', '-c', readScript, 'sh', homeOf(host, root, container), which], '');
  if (result.code === 3) return undefined;
  if (result.code !== 0) throw failure(host, root, `read what is recorded of ${container}`, result);
  // What a login shell may print of its own comes before the NUL.
  const entries = await unpackEntries(Readable.from([result.stdout.subarray(result.stdout.indexOf(0) + 1)]));
  const generation = decodeGeneration(String(entries.get('container.json')?.content ?? ''));
  if (generation === undefined) return undefined;
  const files = [...entries].flatMap(([name, { content, mode }]) =>
    name.startsWith('files/')
      ? [
          {
            path: `${directory}${name.slice('files/'.length)}`,
            content: content.toString('utf8'),
            mode: `0${(mode & 0o777).toString(8).padStart(3, '0')}`,
          },
        ]
      : [],
  );
  return { generation, files: files.sort((a, b) => (a.path < b.path ? -1 : 1)) };
}

/** Forgets all that is recorded of these containers; missing ones are fine. */
export async function removeGenerations(
  host: HostName,
  root: string,
  run: RunOnNode,
  containers: readonly ContainerName[],
): Promise<void> {
  if (containers.length === 0) return;
  const result = await run(['rm', '-rf', '--', ...containers.map((name) => homeOf(host, root, name))], '');
  if (result.code !== 0) throw failure(host, root, 'remove what is recorded of containers', result);
}
