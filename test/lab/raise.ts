import { existsSync, mkdirSync, readdirSync, readFileSync, statfsSync, writeFileSync } from 'node:fs';
import { ensureBaseImage } from './base-image.ts';
import { LabError } from './command.ts';
import { startEngine } from './engine.ts';
import { type LabFiles, labVariables, writeLabFiles } from './files.ts';
import { ensureKeys } from './keys.ts';
import { withLabLock } from './lock.ts';
import { checkAddresses, ensureNetwork, type FilterState, readFilterState } from './network.ts';
import { ensureNodeImage } from './node-image.ts';
import { ensureNode, mustBeReady, writeNodeFiles } from './nodes.ts';
import { checkMachine, installMissing } from './prerequisites.ts';
import { startRegistry } from './registry.ts';
import { type LabReport, silentReport } from './report.ts';
import { cloneRoot, LAB_ROOT, type LabNode, NODES, paths, REGISTRY, VIP } from './settings.ts';

export interface RaiseOptions {
  /** Root of the clone whose `.lab/` is written; the clone of this file when absent. */
  readonly clone?: string;
  /** Overwrite the operator's inventory and globals.yml with the lab's. */
  readonly reset?: boolean;
  readonly report?: LabReport;
}

/** A running lab. */
export interface Lab {
  readonly nodes: readonly LabNode[];
  readonly vip: string;
  /** `address:port` of the registry. */
  readonly registry: string;
  readonly files: LabFiles;
  /** Environment variables that point `deploy` at the lab. */
  readonly variables: Readonly<Record<string, string>>;
}

/** Base images, node images and three nodes with the images of a control plane. */
const NEEDED_GIB = 12;

/** What the lab remembers about itself; its presence says that the folder is the lab's. */
export interface LabMarker {
  readonly format: 1;
  readonly filter: FilterState;
}

/**
 * Raises the lab, or repairs or takes over what is there of it: engine, network, registry, base images, three nodes,
 * and the clone's `.lab/`. Changes nothing where nothing is missing.
 * @throws LabError with a hint when the machine does not allow it or something foreign is in the way
 */
export async function raiseLab(options: RaiseOptions = {}): Promise<Lab> {
  const report = options.report ?? silentReport();
  const clone = options.clone ?? cloneRoot();
  checkMachine();
  return withLabLock(async () => {
    await raiseEngine(report);
    const image = await raiseImages(report);
    await raiseNodes(report, image);
    const files = await report.step(`files in ${clone}/.lab`, async () => writeLabFiles(clone, options.reset === true));
    return { nodes: NODES, vip: VIP, registry: REGISTRY, files, variables: labVariables(files) };
  });
}

async function raiseEngine(report: LabReport): Promise<void> {
  await report.step('Debian packages', async (note) => {
    const installed = await installMissing();
    note(installed.length === 0 ? 'all there' : `installed ${installed.join(' ')}`);
  });
  await report.step('addresses and folders', async () => {
    await checkAddresses();
    await claimRoot();
    await ensureKeys();
    await writeNodeFiles();
  });
  await report.step('outer engine', async (note) => note(await startEngine()));
  await report.step('network', async (note) => note(await ensureNetwork()));
  await report.step('registry', async (note) => note(await startRegistry()));
}

async function raiseImages(report: LabReport): Promise<string> {
  const base = (suite: 'bookworm' | 'trixie'): Promise<void> =>
    report.step(`base image ${suite}`, (note) => ensureBaseImage(suite, note));
  // One after the other: both unpack packages, which the processors limit, not the network.
  await base('bookworm');
  const trixie = base('trixie');
  const image = report.step('node image', (note) => ensureNodeImage(note));
  await Promise.all([trixie, image]);
  return image;
}

async function raiseNodes(report: LabReport, image: string): Promise<void> {
  await Promise.all(
    NODES.map((node) =>
      report.step(`${node.name} (${node.address})`, async (note) => {
        note(await ensureNode(node, image));
        await mustBeReady(node.name);
      }),
    ),
  );
}

async function claimRoot(): Promise<void> {
  if (readMarker() !== undefined) return;
  if (existsSync(LAB_ROOT) && readdirSync(LAB_ROOT).length > 0) {
    throw new LabError(
      `${LAB_ROOT} is not empty and was not made by this lab`,
      `if nothing needs it, remove it with: rm -rf ${LAB_ROOT}`,
    );
  }
  mkdirSync(LAB_ROOT, { recursive: true, mode: 0o755 });
  const disk = statfsSync(LAB_ROOT);
  const free = (disk.bavail * disk.bsize) / 2 ** 30;
  if (free < NEEDED_GIB) {
    throw new LabError(
      `the lab needs ${NEEDED_GIB} GiB of free disk under ${LAB_ROOT}; there are ${free.toFixed(1)}`,
      `free some space, or mount a larger disk at ${LAB_ROOT}`,
    );
  }
  const marker: LabMarker = { format: 1, filter: await readFilterState() };
  writeFileSync(paths.marker, `${JSON.stringify(marker, null, 2)}\n`);
}

/** Reads the lab's own record, or undefined when the folder is not a lab's. */
export function readMarker(): LabMarker | undefined {
  try {
    const marker = JSON.parse(readFileSync(paths.marker, 'utf8')) as LabMarker;
    return marker.format === 1 ? marker : undefined;
  } catch {
    return undefined;
  }
}
