import { buffer } from 'node:stream/consumers';
import { extract, pack } from 'tar-stream';

export interface TarFile {
  readonly name: string;
  readonly content: string | Uint8Array;
  /** Permission bits as a number. */
  readonly mode: number;
  readonly uid?: number;
  readonly gid?: number;
}

/** A tar archive of regular files, in memory: configuration and keys, some hundred kilobytes at most. */
export async function packFiles(files: readonly TarFile[]): Promise<Buffer> {
  const tar = pack();
  const whole = buffer(tar);
  for (const { name, content, mode, uid = 0, gid = 0 } of files) {
    tar.entry({ name, mode, uid, gid, type: 'file' }, Buffer.from(content as Uint8Array));
  }
  tar.finalize();
  return whole;
}

export interface TarEntry {
  readonly content: Buffer;
  /** Permission bits as a number. */
  readonly mode: number;
}

/** Regular files of an archive by path, without a leading `./`. */
export async function unpackEntries(archive: NodeJS.ReadableStream): Promise<Map<string, TarEntry>> {
  const files = new Map<string, TarEntry>();
  const tar = extract();
  archive.on('error', (problem: Error) => tar.destroy(problem));
  archive.pipe(tar);
  for await (const entry of tar) {
    const content = await buffer(entry);
    const { type, name, mode = 0o600 } = entry.header;
    if (type === 'file') files.set(name.replace(/^\.\//, ''), { content, mode });
  }
  return files;
}

/** As `unpackEntries`, contents alone. */
export async function unpackFiles(archive: NodeJS.ReadableStream): Promise<Map<string, Buffer>> {
  return new Map([...(await unpackEntries(archive))].map(([name, { content }]) => [name, content]));
}
