import { formOf, type Generation, type StoredGeneration } from '../../src/core/model/generation.ts';

export interface StoredFile {
  readonly content: string;
  readonly mode: string;
  readonly sha256: string;
}

interface Recorded {
  readonly generation: Generation;
  readonly files: ReadonlyMap<string, StoredFile>;
}

/** What a node keeps of one container: the newest two. */
export interface Kept {
  readonly current: Recorded;
  readonly previous: Recorded | undefined;
}

/** As the node's own script: the same form recorded again keeps what was before it. */
export function keep(
  kept: Kept | undefined,
  generation: Generation,
  directory: string,
  files: ReadonlyMap<string, StoredFile>,
): Kept {
  const again = kept !== undefined && formOf(kept.current.generation) === formOf(generation);
  const copy = new Map([...files].filter(([path]) => path.startsWith(directory)));
  return { current: { generation, files: copy }, previous: again ? kept.previous : kept?.current };
}

export function stored(recorded: Recorded | undefined): StoredGeneration | undefined {
  if (recorded === undefined) return undefined;
  const files = [...recorded.files].map(([path, { content, mode }]) => ({ path, content, mode }));
  return { generation: recorded.generation, files };
}

/** What lies in a volume: whoever writes to its mountpoint writes into it. */
export function volumeLook(mountpoint: string, all: ReadonlyMap<string, StoredFile>, wanted: readonly string[]) {
  const inside = [...all].filter(([path]) => path.startsWith(`${mountpoint}/`));
  const named = inside.map(([path, { content }]) => [path.slice(mountpoint.length + 1), content] as const);
  const texts = new Map(named.filter(([file]) => wanted.includes(file)));
  return { mountpoint, entries: named.map(([file]) => file), texts };
}

/** Moves files below one directory below another one, or away; tells whether there were any. */
export function moveFiles(all: Map<string, StoredFile>, from: string, to: string | undefined): boolean {
  const inside = [...all].filter(([path]) => path.startsWith(`${from}/`));
  for (const [path, file] of inside) {
    all.delete(path);
    if (to !== undefined) all.set(`${to}${path.slice(from.length)}`, file);
  }
  return inside.length > 0;
}
