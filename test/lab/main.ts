import { freshLab } from './job/fresh.ts';
import {
  bringUp,
  checkUpgrade,
  type JobState,
  reconfigureAgain,
  reconfigureHeat,
  upgradeMagnum,
} from './job/main-job.ts';
import { asCommand, printingReport } from './report.ts';

/** `npm run lab`: raises the lab and runs the main job on it. Exit 0 only when every check held. */
await asCommand(async () => {
  const started = performance.now();
  const report = printingReport();
  report.line('Raising the lab: three nodes, a registry, base images');
  const state: JobState = { lab: await freshLab(report), report };
  report.line('\n1. The whole control plane, release Zed from Debian 12');
  const { template } = await bringUp(state);
  report.line('\n2. Magnum alone to 2025.1 from Debian 13');
  const upgraded = await upgradeMagnum(state);
  report.line('\n3. What the upgrade did');
  await checkUpgrade(state, upgraded, template);
  report.line('\n4. Heat reconfigured');
  await reconfigureHeat(state);
  report.line('\n5. Once more');
  await reconfigureAgain(state);
  report.line(`\nEvery check held, after ${((performance.now() - started) / 60_000).toFixed(1)} minutes.`);
  report.line('The lab is up. Look around:  . .lab/env && deploy status      Remove it:  npm run lab:down');
});
