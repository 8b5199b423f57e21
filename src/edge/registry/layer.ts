import { Readable } from 'node:stream';
import { gunzipSync } from 'node:zlib';
import { unpackFiles } from '../node/tar.ts';

/** The text of one file of an image's layer (gzip or plain tar); undefined when it is not in it. */
export async function fileOfLayer(layer: Uint8Array, path: string): Promise<string | undefined> {
  const tar = layer[0] === 0x1f && layer[1] === 0x8b ? gunzipSync(layer) : Buffer.from(layer);
  const files = await unpackFiles(Readable.from([tar]));
  return files.get(path.replace(/^\//, ''))?.toString('utf8');
}
