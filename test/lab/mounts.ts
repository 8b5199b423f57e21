import { readFileSync } from 'node:fs';
import { LabError, run } from './command.ts';

/**
 * Unmounts everything below a folder, innermost first, and refuses to go on when something stays: removing files
 * through a mount would remove what is mounted there.
 */
export async function unmountBelow(folder: string): Promise<void> {
  for (const mount of mountsBelow(folder).reverse()) await run('umount', ['--lazy', mount]);
  const left = mountsBelow(folder);
  if (left.length > 0) {
    throw new LabError(`cannot unmount ${left.join(', ')}`, `see who uses it with: fuser -vm ${left[0]}`);
  }
}

function mountsBelow(folder: string): string[] {
  return readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '')
    .filter((mount) => mount.startsWith(`${folder}/`));
}
