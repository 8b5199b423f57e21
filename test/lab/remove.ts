import { existsSync, readdirSync, rmdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { LabError } from './command.ts';
import {
  engineAnswers,
  otherEngineRuns,
  startEngine,
  stopEngineProcesses,
  stopShims,
  tryOuterDocker,
} from './engine.ts';
import { withLabLock } from './lock.ts';
import { unmountBelow } from './mounts.ts';
import { removeBridge, removeBridgeRules, restoreFilter } from './network.ts';
import { checkMachine } from './prerequisites.ts';
import { readMarker } from './raise.ts';
import { stopRegistry } from './registry.ts';
import { type LabReport, silentReport } from './report.ts';
import { cloneRoot, LAB_ROOT, LAB_RUN, NETWORK, paths } from './settings.ts';

export interface RemoveOptions {
  readonly clone?: string;
  /** Keep the debootstrap tarballs and the registry's images for the next time. */
  readonly keepCache?: boolean;
  readonly report?: LabReport;
}

/**
 * Removes the lab: nodes, volumes, engine, registry, network, packet filter rules and all files. Works on a lab that
 * is half dead as well. Debian packages stay installed.
 */
export async function removeLab(options: RemoveOptions = {}): Promise<void> {
  const report = options.report ?? silentReport();
  const clone = options.clone ?? cloneRoot();
  checkMachine();
  const marker = readMarker();
  if (marker === undefined && existsSync(LAB_ROOT) && readdirSync(LAB_ROOT).length > 0) {
    throw new LabError(
      `${LAB_ROOT} was not made by this lab`,
      `if nothing needs it, remove it with: rm -rf ${LAB_ROOT}`,
    );
  }
  await withLabLock(async () => {
    if (marker !== undefined) {
      await report.step('containers and network', removeContainers);
      await report.step('processes', stopAll);
      await report.step('interface and packet filter', async (note) => {
        await removeBridge();
        await removeBridgeRules();
        // Another engine on this machine uses chains of the same names.
        if (otherEngineRuns()) note('chains left to the other engine');
        else await restoreFilter(marker.filter);
      });
    }
    await report.step('files', () => removeFiles(clone, options.keepCache === true));
  });
  try {
    rmdirSync(LAB_RUN);
  } catch {
    // Another command has taken the lock meanwhile; the folder is its own now.
  }
}

/** Asks the engine to remove its containers, so that mounts, interfaces and rules go the regular way. */
async function removeContainers(note: (text: string) => void): Promise<void> {
  try {
    if (!existsSync(paths.docker)) return;
    if (!(await engineAnswers())) await startEngine();
  } catch (error) {
    // An engine that cannot be started any more cannot clean up either; what it left is removed below.
    note(error instanceof LabError ? 'the engine does not start; removing what it left' : String(error));
    return;
  }
  const listed = await tryOuterDocker(['ps', '--all', '--quiet']);
  const containers = listed.stdout.split('\n').filter((id) => id !== '');
  if (containers.length > 0) await tryOuterDocker(['rm', '--force', '--volumes', ...containers]);
  await tryOuterDocker(['network', 'rm', NETWORK]);
}

async function stopAll(): Promise<void> {
  await stopRegistry();
  await stopEngineProcesses();
  await stopShims();
}

async function removeFiles(clone: string, keepCache: boolean): Promise<void> {
  await unmountBelow(LAB_ROOT);
  await unmountBelow(LAB_RUN);
  const kept = keepCache ? [paths.cache, paths.registry, paths.marker] : [];
  for (const entry of existsSync(LAB_ROOT) ? readdirSync(LAB_ROOT) : []) {
    const path = join(LAB_ROOT, entry);
    if (!kept.includes(path)) rmSync(path, { recursive: true, force: true });
  }
  if (!keepCache) rmSync(LAB_ROOT, { recursive: true, force: true });
  rmSync(join(clone, '.lab'), { recursive: true, force: true });
  for (const entry of readdirSync(LAB_RUN)) {
    // The lock is given back last.
    if (join(LAB_RUN, entry) !== paths.lock) rmSync(join(LAB_RUN, entry), { recursive: true, force: true });
  }
}
