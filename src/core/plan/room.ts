import { type Diagnostic, error } from '../model/diagnostic.ts';
import type { Observed } from './policy.ts';
import type { Plan, Step } from './steps.ts';

/** Disks give room away in blocks of this size. */
const blockKib = 4;
/** A record's own files and those of its markers. */
const recordBlocks = 6;

function blocks(content: string): number {
  // As UTF-8 no character takes more than three bytes for each unit of its string.
  return Math.max(1, Math.ceil((content.length * 3) / (blockKib * 1024)));
}

/** What one step writes where the configuration is kept: a file, and its copy in the record of the form. */
function kibOf(step: Step): number {
  if (step.kind === 'write') return 2 * blockKib * step.files.reduce((sum, file) => sum + blocks(file.content), 1);
  if (step.kind === 'record') return blockKib * recordBlocks;
  return step.kind === 'create' || step.kind === 'one-shot' ? blockKib : 0;
}

/**
 * Nodes whose disk is too full for the files of a plan. A run would meet that in its middle, where it leaves versions
 * mixed; before it nothing is lost. Nodes that did not say how much room they have are not held up.
 */
export function missingRoom({ steps }: Plan, observed: Observed): Diagnostic[] {
  return [...observed.values()].flatMap(({ host, room }) => {
    const needed = steps.filter((step) => step.host === host).reduce((sum, step) => sum + kibOf(step), 0);
    if (room === undefined || needed === 0 || room.kib >= needed) return [];
    const message = `no space left for the files of this plan: ${room.folder} has room for ${room.kib} KiB, they need about ${needed}`;
    const hint = `make room on the filesystem of ${room.folder}, then run the same command again`;
    return [error('no-space', message, { host, hint })];
  });
}
