import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { extract, pack } from 'tar-stream';
import type { BackupId } from '../../core/mariadb-backup/backup.ts';
import { DeployError, error, exitCode } from '../../core/model/diagnostic.ts';
import type { OpenNode } from '../node/node.ts';

/** Of the file whose name it is the start of: its digest and its name, as sha256sum writes them. */
const digestEnding = '.sha256';

const ownFile = /^(\d{8}T\d{6}Z)\/([A-Za-z0-9._-]+)$/;

/**
 * Copies backups of a node to a directory here, for their owner alone. Each gets its name when all of it is there and
 * its checksum is right; one that has it already is left alone. `ids`: with all they are based on.
 */
export async function fetchBackups(
  node: OpenNode,
  volume: string,
  ids: readonly BackupId[],
  directory: string,
): Promise<void> {
  const { host } = node;
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const wanted: BackupId[] = [];
  for (const id of ids) if (!(await isThere(join(directory, id)))) wanted.push(id);
  if (wanted.length === 0) return;
  for (const id of wanted) await rm(join(directory, `${id}.partial`), { recursive: true, force: true });
  const mountpoint = await placeOf(node, volume);
  const session = await node.stream(['tar', '-C', mountpoint, '-cf', '-', '--', ...wanted]);
  session.stream.end();
  const words = errorWords(session.stderr);
  await unpackInto(directory, session.stream);
  if ((await session.exit) !== 0) throw copyError(host, `cannot read ${wanted.join(', ')}: ${words()}`);
  for (const id of wanted) {
    const partial = join(directory, `${id}.partial`);
    await checkDigests(host, partial);
    await rename(partial, join(directory, id));
  }
}

async function unpackInto(directory: string, archive: NodeJS.ReadableStream): Promise<void> {
  const tar = extract();
  archive.on('error', (problem: Error) => tar.destroy(problem));
  archive.pipe(tar);
  for await (const entry of tar) {
    const [, id, file] = (entry.header.type === 'file' && ownFile.exec(entry.header.name)) || [];
    if (id === undefined || file === undefined) {
      entry.resume();
      continue;
    }
    const partial = join(directory, `${id}.partial`);
    await mkdir(partial, { recursive: true, mode: 0o700 });
    await pipeline(entry, createWriteStream(join(partial, file), { mode: 0o600 }));
  }
}

async function checkDigests(host: string, directory: string): Promise<void> {
  const names = (await readdir(directory)).filter((name) => name.endsWith(digestEnding));
  if (names.length === 0) throw copyError(host, `${directory} came without a checksum`);
  for (const name of names) {
    const file = join(directory, name.slice(0, -digestEnding.length));
    const digest = createHash('sha256');
    for await (const chunk of createReadStream(file)) digest.update(chunk as Buffer);
    const wanted = (await readFile(join(directory, name), 'utf8')).split(' ')[0];
    if (digest.digest('hex') !== wanted) throw copyError(host, `the checksum of ${file} differs: the copy is damaged`);
  }
}

/** What backups that were fetched say of themselves, as `parseBackups` takes it. */
export async function readFetched(
  directory: string,
): Promise<{ readonly entries: readonly string[]; readonly texts: ReadonlyMap<string, string> }> {
  const entries = await readdir(directory).catch((problem: NodeJS.ErrnoException) => {
    throw new DeployError([error('file', `${directory}: ${problem.message}`)], exitCode.badInput);
  });
  const texts = new Map<string, string>();
  for (const entry of entries) {
    const text = await readFile(join(directory, entry, 'facts'), 'utf8').catch(() => undefined);
    if (text !== undefined) texts.set(`${entry}/facts`, text);
  }
  return { entries, texts };
}

/** `$1` mountpoint, then the backups: each gets its name once its checksum is right. */
const nameScript = `cd "$1" && shift && for id in "$@"; do
  (cd "$id.partial" && sha256sum --check --quiet --strict ./*.sha256) && rm -rf "$id" && mv -T "$id.partial" "$id" || exit 1
done && sync`;

/** Copies fetched backups to the volume of a node; those that lie there already are left alone. */
export async function sendBackups(
  node: OpenNode,
  volume: string,
  ids: readonly BackupId[],
  directory: string,
): Promise<void> {
  const mountpoint = await node.makeVolume(volume);
  const there = (await node.readVolume(volume, []))?.entries ?? [];
  const wanted = ids.filter((id) => !there.includes(id));
  if (wanted.length === 0) return;
  const session = await node.stream(['tar', '-C', mountpoint, '--no-same-owner', '-xf', '-']);
  const words = errorWords(session.stderr);
  session.stream.resume();
  const tar = pack();
  const sent = pipeline(tar, session.stream);
  for (const id of wanted) {
    for (const name of await readdir(join(directory, id)))
      await packFile(tar, join(directory, id, name), `${id}.partial/${name}`);
  }
  tar.finalize();
  await sent.catch(() => undefined);
  if ((await session.exit) !== 0) throw copyError(node.host, `cannot write ${wanted.join(', ')}: ${words()}`);
  const named = await node.stream(['sh', '-c', nameScript, 'sh', mountpoint, ...wanted]);
  const why = errorWords(named.stderr);
  named.stream.resume().end();
  if ((await named.exit) !== 0) throw copyError(node.host, `${wanted.join(', ')}: ${why()}`);
}

async function packFile(tar: ReturnType<typeof pack>, file: string, name: string): Promise<void> {
  const { size } = await stat(file);
  const entry = tar.entry({ name, size, mode: 0o600, type: 'file' });
  await pipeline(createReadStream(file), entry);
}

async function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

async function placeOf(node: OpenNode, volume: string): Promise<string> {
  const look = await node.readVolume(volume, []);
  if (look !== undefined) return look.mountpoint;
  throw copyError(node.host, `there is no volume ${volume}`);
}

function errorWords(stream: NodeJS.ReadableStream): () => string {
  let said = '';
  stream.on('data', (chunk: Buffer) => {
    said = `${said}${chunk.toString('utf8')}`.slice(-500);
  });
  return () => said.trim().split('\n').pop() ?? '';
}

function copyError(host: string, message: string): DeployError {
  return new DeployError([error('backup-copy', message, { host })], exitCode.failed);
}
