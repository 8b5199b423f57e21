import { checkMachine, ENGINE_TEST_NEEDS, installMissing } from './lab/prerequisites.ts';

/** Before the tests on real daemons and nodes: the Debian packages they run. Fails with what is missing, skips nothing. */
export async function setup(): Promise<void> {
  checkMachine();
  const installed = await installMissing(ENGINE_TEST_NEEDS);
  if (installed.length > 0) console.log(`installed ${installed.join(', ')}`);
}
