import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { LabError, waitFor } from './command.ts';
import { LAB_RUN, paths } from './settings.ts';

/**
 * Runs `work` while no other command raises or removes the lab. The lock names its process and that process's
 * start time, so the lock of a killed command (or of one before a reboot) is recognised and taken over.
 */
export async function withLabLock<T>(work: () => Promise<T>, waitMs = 900_000): Promise<T> {
  if (!(await waitFor(async () => tryLock(), waitMs, 500))) {
    throw new LabError(
      `another command is raising or removing the lab (process ${readLock()?.pid ?? 'unknown'})`,
      'wait for it, or end it and run the command again',
    );
  }
  try {
    return await work();
  } finally {
    rmSync(paths.lock, { force: true });
  }
}

function tryLock(): boolean {
  const holder = readLock();
  if (holder !== undefined && startTime(holder.pid) === holder.started) return false;
  rmSync(paths.lock, { force: true });
  try {
    // Each time, because the holder waited for may have removed the whole folder.
    mkdirSync(LAB_RUN, { recursive: true, mode: 0o755 });
    writeFileSync(paths.lock, `${process.pid} ${startTime(process.pid)}\n`, { flag: 'wx' });
    return true;
  } catch {
    return false;
  }
}

function readLock(): { readonly pid: number; readonly started: string } | undefined {
  try {
    const [pid, started] = readFileSync(paths.lock, 'utf8').trim().split(' ');
    return { pid: Number(pid), started: started ?? '' };
  } catch {
    return undefined;
  }
}

/** Clock ticks since boot at which the process started (field 22 of its stat line), or empty when there is none. */
function startTime(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  } catch {
    return '';
  }
}
