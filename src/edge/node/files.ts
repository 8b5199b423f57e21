import { randomUUID } from 'node:crypto';
import path from 'node:path';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { DeployError, type Diagnostic, error, exitCode } from '../../core/model/diagnostic.ts';
import type { FileContent, HostName } from '../../core/model/node.ts';
import type { SshExecResult } from '../ssh/connection.ts';
import { nodeError } from '../ssh/failures.ts';
import { quoteWord } from '../ssh/quote.ts';
import { encodeMarker, markerKey } from './look.ts';
import { packFiles } from './tar.ts';

/** How files.ts runs a command on the node: argv, what to feed it, and how long it may take if that is not little. */
export type RunOnNode = (
  argv: readonly string[],
  stdin: Uint8Array | string,
  limitMs?: number,
) => Promise<SshExecResult>;

/**
 * `$1` config root, `$2` name of this write. Everything is unpacked before the first rename, so a full disk is
 * met while all old files are still in place. What a dead run left in staging is swept after an hour.
 */
const receiveScript = `umask 0007
staging=$1/.deploy/staging
mkdir -p "$staging/$2" || exit 10
trap 'rm -rf "$staging/$2"' EXIT
find "$staging" -mindepth 1 -maxdepth 1 -mmin +60 -exec rm -rf {} +
cd "$staging/$2" || exit 10
tar -xzpf - || exit 11
. ./apply`;

/** Absolute, normalised, no NUL: such a path means the same here and on the node. */
function badPath(file: string): boolean {
  return !path.posix.isAbsolute(file) || path.posix.normalize(file) !== file || /[\0]|\/$/.test(file);
}

function checkPaths(host: HostName, root: string, files: readonly FileContent[], remove: readonly string[]): void {
  const problems: Diagnostic[] = [...files.map((file) => file.path), ...remove]
    .filter(badPath)
    .map((bad) => error('bad-path', `${JSON.stringify(bad)} is not a plain absolute path of a file`, { host }));
  for (const file of remove.filter((one) => !one.startsWith(`${root}/`) || one.startsWith(`${root}/.deploy/`))) {
    problems.push(error('bad-path', `${file} is not a file under ${root} and is not removed`, { host }));
  }
  for (const file of files.filter((one) => !/^0?[0-7]{3,4}$/.test(one.mode))) {
    problems.push(error('bad-mode', `${file.path}: mode ${JSON.stringify(file.mode)} is not octal`, { host }));
  }
  if (problems.length > 0) throw new DeployError(problems, exitCode.badInput);
}

/** The commands that put unpacked files, named by their number, into place. */
function applyScript(root: string, files: readonly FileContent[], remove: readonly string[]): string {
  const lines = ['failed() { echo "@failed $1" >&2; exit 12; }'];
  const directories = new Map(files.map((file, index) => [path.posix.dirname(file.path), index]));
  for (const [directory, index] of directories) lines.push(`mkdir -p -- ${quoteWord(directory)} || failed ${index}`);
  files.forEach((file, index) => {
    const target = quoteWord(file.path);
    if (file.path.startsWith(`${root}/`)) {
      lines.push(`mv -fT -- ${index} ${target} || failed ${index}`);
      return;
    }
    // Perhaps another filesystem, where a move would copy: copy beside the target first, then rename.
    const beside = quoteWord(`${path.posix.dirname(file.path)}/.deploy-${path.posix.basename(file.path)}`);
    lines.push(
      `cp -pT -- ${index} ${beside} && mv -fT -- ${beside} ${target} || { rm -f -- ${beside}; failed ${index}; }`,
    );
  });
  for (const file of remove) lines.push(`rm -f -- ${quoteWord(file)} || { echo ${quoteWord(file)} >&2; exit 13; }`);
  return `${lines.join('\n')}\n`;
}

function failure(host: HostName, result: SshExecResult, files: readonly FileContent[], root: string): DeployError {
  const number = /(?:@failed |^tar: (?:\.\/)?)(\d+)/m.exec(result.stderr)?.[1];
  const file = number === undefined ? undefined : files[Number(number)]?.path;
  const full = /no space left|disk quota|wrote only/i.test(result.stderr);
  const readOnly = /read-only file system/i.test(result.stderr);
  const denied = /permission denied/i.test(result.stderr);
  const words = result.stderr
    .replace(/@failed \d+/g, '')
    .split('\n')
    .find((line) => line.trim() !== '')
    ?.trim();
  const cause = full ? 'no space left on its disk' : (words ?? `the command ended with status ${result.code}`);
  const hint = full
    ? `make room on the filesystem of ${root}, then run the same command again`
    : readOnly
      ? 'a filesystem that turned read-only often means a failing disk'
      : denied
        ? 'log in as root, or let deploy use sudo there'
        : undefined;
  const kept = result.code === 12 || result.code === 13 ? '' : '; the old files are still in place';
  const message = `cannot write ${file ?? `files under ${root}`}: ${cause}${kept}`;
  // The disk is the node's; a new version has no part in it.
  if (full || readOnly) return nodeError(host, full ? 'no-space' : 'write-files', message, hint);
  return new DeployError([error('write-files', message, { host, hint })], exitCode.failed);
}

/**
 * Sends all files in one compressed tar stream over one session. Each is renamed into place with its mode set;
 * missing directories are created 0770; then `remove` (files under the config root) is removed.
 */
export async function sendFiles(
  host: HostName,
  root: string,
  run: RunOnNode,
  files: readonly FileContent[],
  remove: readonly string[],
): Promise<void> {
  if (files.length === 0 && remove.length === 0) return;
  checkPaths(host, root, files, remove);
  const entries = files.map((file, index) => ({
    name: String(index),
    content: file.content,
    mode: Number.parseInt(file.mode, 8),
  }));
  const apply = { name: 'apply', content: applyScript(root, files, remove), mode: 0o600 };
  const stream = await promisify(gzip)(await packFiles([apply, ...entries]), { level: 1 });
  const result = await run(['sh', '-c', receiveScript, 'sh', root, randomUUID()], stream);
  if (result.code !== 0) throw failure(host, result, files, root);
}

function markerFile(host: HostName, root: string, key: string): string {
  if (markerKey.test(key) && !key.startsWith('.')) return `${root}/.deploy/markers/${key}`;
  const message = `${JSON.stringify(key)} cannot be the name of a marker`;
  throw new DeployError([error('bad-marker', message, { host })], exitCode.badInput);
}

/** Replaces one marker; a reader sees the old value or the new one. */
export async function sendMarker(
  host: HostName,
  root: string,
  run: RunOnNode,
  key: string,
  value: string,
): Promise<void> {
  const file = { path: markerFile(host, root, key), content: encodeMarker(value), mode: '0600' };
  await sendFiles(host, root, run, [file], []);
}

/** Missing markers are fine. */
export async function dropMarkers(
  host: HostName,
  root: string,
  run: RunOnNode,
  keys: readonly string[],
): Promise<void> {
  if (keys.length === 0) return;
  const files = keys.map((key) => markerFile(host, root, key));
  const result = await run(['rm', '-f', '--', ...files], '');
  if (result.code !== 0) throw failure(host, result, [], root);
}

/** Seconds since a marker was written, by the node's own clock; undefined without one. */
export async function markerAge(
  host: HostName,
  root: string,
  run: RunOnNode,
  key: string,
): Promise<number | undefined> {
  const script = '[ -e "$1" ] || exit 4; written=$(stat -c %Y -- "$1") && echo $(($(date +%s) - written))';
  const result = await run(['sh', '-c', script, 'sh', markerFile(host, root, key)], '');
  if (result.code === 4) return undefined;
  const age = Number.parseInt(result.stdout.toString('utf8').trim().split('\n').pop() ?? '', 10);
  if (result.code === 0 && Number.isInteger(age)) return age;
  throw failure(host, result, [], root);
}
