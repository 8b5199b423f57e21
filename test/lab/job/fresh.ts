import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { outerDocker } from '../engine.ts';
import { resetNode } from '../nodes.ts';
import { type Lab, raiseLab } from '../raise.ts';
import type { LabReport } from '../report.ts';
import { NODES } from '../settings.ts';

/** The lab without any deployment: nodes emptied of containers, volumes and configuration; images stay as a cache. */
export async function freshLab(report: LabReport): Promise<Lab> {
  const lab = await raiseLab({ reset: true, report });
  rmSync(join(lab.files.config, 'config'), { recursive: true, force: true });
  await report.step('nodes without a deployment', async (note) => {
    const used = await Promise.all(NODES.map(async ({ name }) => ((await isUsed(name)) ? [name] : [])));
    note(used.flat().join(', ') || 'they are');
    await Promise.all(used.flat().map((name) => resetNode(name)));
  });
  return existsSync(join(lab.files.config, 'config')) ? lab : raiseLab({ report });
}

async function isUsed(node: string): Promise<boolean> {
  const found = await outerDocker([
    'exec',
    node,
    'sh',
    '-c',
    'docker ps -aq; docker volume ls -q; ls -A /etc/kolla 2>/dev/null || true',
  ]);
  return found.trim() !== '';
}
