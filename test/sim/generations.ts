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
