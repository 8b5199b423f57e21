import { raiseLab } from './raise.ts';
import { asCommand, printingReport } from './report.ts';

/** `npm run lab:up [-- --reset]`: raises or repairs the lab; --reset rewrites .lab/inventory and .lab/config/globals.yml. */
await asCommand(async () => {
  const unknown = process.argv.slice(2).filter((word) => word !== '--reset');
  if (unknown.length > 0) {
    console.error(`unknown option ${unknown.join(' ')}; usage: npm run lab:up [-- --reset]`);
    process.exitCode = 2;
    return;
  }
  const started = Date.now();
  const lab = await raiseLab({ reset: process.argv.includes('--reset'), report: printingReport() });
  console.log(`\nThe lab is up after ${((Date.now() - started) / 1000).toFixed(1)} s.`);
  console.log(`  nodes     ${lab.nodes.map((node) => `${node.name} ${node.address}`).join(', ')}`);
  console.log(`  registry  ${lab.registry}`);
  console.log(`  address   ${lab.vip} (virtual, taken by the load balancer)`);
  console.log('Point this shell at it with:  . .lab/env');
});
