import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type CommandResult, LabError, lastLines, run } from '../lab/command.ts';
import { labFiles, labVariables } from '../lab/files.ts';
import { nodeExec } from '../lab/nodes.ts';
import { cloneRoot, NODES, type NodeName } from '../lab/settings.ts';

/** How the bench runs the built tool: a process of its own, pointed at the lab. */
export async function deploy(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<CommandResult> {
  const main = join(cloneRoot(), 'dist', 'cli', 'main.js');
  const variables = labVariables(labFiles());
  const result = await run(process.execPath, [main, ...args], { env: { ...variables, ...env }, timeoutMs: 900_000 });
  if (result.code === 0) return result;
  throw new LabError(`deploy ${args.join(' ')} failed (exit ${result.code}):\n${lastLines(result.stderr, 12)}`);
}

/** The look that finds nothing: anything else would measure something else. */
export async function lookOnly(extra: readonly string[] = [], env: Readonly<Record<string, string>> = {}) {
  const { stdout } = await deploy(['reconfigure', ...extra], env);
  if (stdout.includes('nothing to do')) return;
  throw new LabError(`deploy reconfigure finds something to do:\n${lastLines(stdout, 8)}`, 'run it first, with --yes');
}

export async function onNode(name: NodeName, command: string): Promise<string> {
  const result = await nodeExec(name, command);
  if (result.code === 0) return result.stdout.trim();
  throw new LabError(`${name}: ${command.split('\n')[0]} failed:\n${lastLines(result.stderr, 5)}`);
}

/** The bench measures a site that is there; it raises nothing. */
export async function requireDeployedLab(): Promise<void> {
  const missing = (what: string) => new LabError(what, 'raise and deploy it with: npm run lab');
  if (!existsSync(join(cloneRoot(), 'dist', 'cli', 'main.js')))
    throw new LabError('deploy is not built: npm run build');
  if (!existsSync(labFiles().config)) throw missing('there is no lab');
  for (const { name } of NODES) {
    const running = await nodeExec(name, 'docker ps --format {{.Names}}');
    if (running.code !== 0) throw missing(`${name} of the lab is not running`);
    if (!running.stdout.includes('magnum_api')) throw missing(`nothing is deployed on ${name}`);
  }
}
