import { mkdirSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { LabError, must, run } from '../command.ts';
import { nodeExec } from '../nodes.ts';
import type { NodeName } from '../settings.ts';

/** A folder on a file system of its own, which can be made as full as a test wants. */
export interface SmallDisk {
  /** Leaves room for this many KiB and no more; what is there stays. */
  leave(kib: number): Promise<void>;
  makeRoom(): Promise<void>;
  /** The folder as it was, with what was written meanwhile. */
  undo(): Promise<void>;
}

const roomy = '64m';

/** The folder's own content, seen beside what is mounted over it. */
function underneath(folder: string): string {
  return `/run/lab-under${folder.replaceAll('/', '-')}`;
}

/**
 * Mounts memory over a folder of a node and copies its content there. Containers that run keep what they have mounted,
 * the engine and whoever logs in see the small disk. Lost with a restart of the node, which then has its old folder.
 */
export async function smallDisk(node: NodeName, folder: string): Promise<SmallDisk> {
  await bringBack(node, folder);
  const under = underneath(folder);
  const inNode = async (script: string): Promise<void> => {
    const result = await nodeExec(node, `set -e; folder='${folder}' under='${under}'; ${script}`);
    if (result.code !== 0) throw new LabError(`a small disk on ${folder} of ${node}: ${result.stderr.trim()}`);
  };
  // Private, so that what is mounted over the folder does not cover this view of it as well.
  await inNode(
    `mkdir -p "$under"; mount --bind "$folder" "$under"; mount --make-private "$under"
    mount -t tmpfs -o size=${roomy},mode=$(stat -c %a "$under") lab-small "$folder"; cp -ax "$under/." "$folder/"`,
  );
  return {
    leave: (kib) => inNode(`${usedKib}; mount -o remount,size=$((used + ${kib}))k "$folder"`),
    makeRoom: () => inNode(`mount -o remount,size=${roomy} "$folder"`),
    undo: () => bringBack(node, folder),
  };
}

const usedKib = `used=$(df -Pk "$folder" | awk 'NR==2 {print $3}')`;

/** Undoes a small disk, also one that a test that was killed has left. */
async function bringBack(node: NodeName, folder: string): Promise<void> {
  const result = await nodeExec(
    node,
    `set -e; folder='${folder}' under='${underneath(folder)}'
    mountpoint -q "$under" || exit 0
    mount -o remount,size=${roomy} "$folder"
    cp -ax "$folder/." "$under/"
    cd "$under"; find . -mindepth 1 -depth -xdev | while IFS= read -r one; do
      [ -e "$folder/$one" ] || [ -L "$folder/$one" ] || rm -rf -- "$one"
    done; cd /
    umount -l "$folder"; umount "$under"`,
  );
  if (result.code !== 0) throw new LabError(`the small disk on ${folder} of ${node} stays: ${result.stderr.trim()}`);
}

/** A small disk on this machine. */
export async function smallDiskHere(folder: string): Promise<SmallDisk> {
  mkdirSync(folder, { recursive: true });
  await must('mount', ['-t', 'tmpfs', '-o', `size=${roomy},mode=700`, 'lab-small', folder]);
  // To the kernel a size of nothing means no limit.
  writeFileSync(join(folder, '.used'), 'x');
  const resize = (size: string) => must('mount', ['-o', `remount,size=${size}`, folder]);
  return {
    leave: async (kib) => {
      const { blocks, bfree, bsize } = statfsSync(folder);
      await resize(`${((blocks - bfree) * bsize) / 1024 + kib}k`);
    },
    makeRoom: async () => void (await resize(roomy)),
    undo: async () => void (await run('umount', ['-l', folder])),
  };
}
