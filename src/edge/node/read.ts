import { Readable } from 'node:stream';
import { DeployError, error, exitCode } from '../../core/model/diagnostic.ts';
import type { HostName } from '../../core/model/node.ts';
import type { RunOnNode } from './files.ts';
import { unpackFiles } from './tar.ts';

/** Larger files are skipped: they are no configuration, and nobody reads their difference. */
export const largestText = 512 * 1024;

/**
 * Paths come over stdin, each ended by NUL; what is there goes back as one tar archive, which keeps contents apart
 * whatever is in them. The archive stands between two NUL-framed words: a login shell may print before it, and only
 * the last word says that nothing was cut off. The number of processes does not depend on the number of paths.
 */
const readScript = `LC_ALL=C; export LC_ALL
printf '\\0@files\\0'
xargs -0 sh -c 'find "$@" -maxdepth 0 -type f ! -size +${largestText / 512}b -print0' sh |
  tar -cPf - --null --no-recursion --ignore-failed-read --hard-dereference -T -
printf '\\0@done\\0'`;

const head = Buffer.from('\0@files\0');
const tail = Buffer.from('\0@done\0');

/**
 * Texts of files on the node by path, with one command. A file that is missing, is not a regular file, cannot be read
 * or is larger than `largestText` is absent.
 */
export async function readTexts(
  host: HostName,
  run: RunOnNode,
  paths: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  const wanted = [...new Set(paths)].filter((path) => path.startsWith('/') && !path.includes('\0'));
  if (wanted.length === 0) return new Map();
  const result = await run(['sh', '-c', readScript], wanted.map((path) => `${path}\0`).join(''));
  const start = result.stdout.indexOf(head);
  if (start < 0 || !result.stdout.subarray(-tail.length).equals(tail)) {
    const words = result.stderr.trim().split('\n')[0] || `the command ended with status ${result.code}`;
    const hint = 'the user needs a POSIX shell there, with find, xargs and tar of GNU';
    throw new DeployError([error('read-files', `cannot read files: ${words}`, { host, hint })], exitCode.nodeNotUsable);
  }
  const archive = result.stdout.subarray(start + head.length, -tail.length);
  const files = await unpackFiles(Readable.from([archive]));
  return new Map([...files].map(([path, content]) => [path, content.toString('utf8')]));
}
