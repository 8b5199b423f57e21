import { asCommand } from '../lab/report.ts';
import { requireDeployedLab } from './bench-lab.ts';
import { benchCost, benchLook } from './look.ts';
import { benchUpgrade } from './upgrade.ts';

const parts = { look: benchLook, cost: benchCost, upgrade: benchUpgrade } as const;

/**
 * `npm run bench [-- look cost upgrade]`: prints figures of the lab as it is, and keeps none. All parts without
 * arguments. `upgrade` replaces Magnum's containers several times and ends with the images it found.
 */
await asCommand(async () => {
  const wanted = process.argv.slice(2);
  await requireDeployedLab();
  for (const [name, part] of Object.entries(parts)) {
    if (wanted.length === 0 || wanted.includes(name)) await part();
  }
});
