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

/** Regular files of an archive by path, without a leading `./`. */
export async function unpackFiles(archive: NodeJS.ReadableStream): Promise<Map<string, Buffer>> {
  const files = new Map<string, Buffer>();
  const tar = extract();
  archive.on('error', (problem: Error) => tar.destroy(problem));
  archive.pipe(tar);
  for await (const entry of tar) {
    const content = await buffer(entry);
    if (entry.header.type === 'file') files.set(entry.header.name.replace(/^\.\//, ''), content);
  }
  return files;
}
