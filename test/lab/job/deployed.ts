import { LabError, lastLines } from '../command.ts';
import { type Lab, raiseLab } from '../raise.ts';
import type { LabReport } from '../report.ts';
import { NODES } from '../settings.ts';
import { allContainers, deploy, type Ran } from './deploy-command.ts';
import { undoMagnumMigration, wantsOldMagnum } from './magnum-release.ts';
import { newMagnum, oldMagnum } from './main-job.ts';

/**
 * The lab with the control plane its configuration describes, and both releases of Magnum in its registry. What is
 * there already is left as it is; what is missing is built and deployed.
 */
export async function deployedLab(report: LabReport): Promise<Lab> {
  const lab = await raiseLab({ report });
  await report.step('images and control plane', async (note) => {
    await must(lab, 'genpwd');
    await must(lab, 'build', '--push');
    for (const tag of [oldMagnum, newMagnum]) await must(lab, 'build', 'magnum', '--push', '-e', `magnum_tag=${tag}`);
    const planned = await deploy(lab, ['plan', 'deploy']);
    if (planned.code === 2) {
      // The new release can be left by whatever was interrupted before.
      const isThere = (await allContainers()).has('node1/magnum_api');
      if (isThere && wantsOldMagnum(lab)) await undoMagnumMigration(lab);
      await must(lab, 'deploy', '--yes');
    }
    note(planned.code === 0 ? 'all there' : 'deployed');
  });
  return lab;
}

/** The lab with the database and its load balancer; nothing is deployed where they run already. */
export async function databaseLab(report: LabReport): Promise<Lab> {
  const lab = await raiseLab({ report });
  const there = await allContainers();
  const needed = NODES.flatMap(({ name }) => [`${name}/mariadb`, `${name}/haproxy`, `${name}/keepalived`]);
  return needed.every((container) => there.get(container)?.running) ? lab : deployedLab(report);
}

async function must(lab: Lab, ...args: string[]): Promise<Ran> {
  const ran = await deploy(lab, args);
  if (ran.code === 0) return ran;
  throw new LabError(
    `${ran.command} ended with ${ran.code}:\n${lastLines(ran.stdout, 20)}\n${lastLines(ran.stderr, 20)}`,
  );
}
