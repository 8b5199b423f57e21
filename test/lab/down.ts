import { removeLab } from './remove.ts';
import { asCommand, printingReport } from './report.ts';

/** `npm run lab:down [-- --keep-cache]`: removes the lab and everything it left on the machine. */
await asCommand(async () => {
  const unknown = process.argv.slice(2).filter((word) => word !== '--keep-cache');
  if (unknown.length > 0) {
    console.error(`unknown option ${unknown.join(' ')}; usage: npm run lab:down [-- --keep-cache]`);
    process.exitCode = 2;
    return;
  }
  await removeLab({ keepCache: process.argv.includes('--keep-cache'), report: printingReport() });
  console.log('\nThe lab is gone.');
});
