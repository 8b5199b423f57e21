import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { type CommandResult, run } from '../command.ts';
import { nodeExec } from '../nodes.ts';
import type { Lab } from '../raise.ts';
import { cloneRoot, NODES, type NodeName } from '../settings.ts';

export interface Ran extends CommandResult {
  readonly command: string;
  readonly seconds: number;
}

/** Journals of tests do not belong among those of whoever runs them, unless a test says where. */
export function labEnvironment(lab: Lab): Readonly<Record<string, string>> {
  return { XDG_STATE_HOME: join(cloneRoot(), '.lab', 'state'), ...lab.variables };
}

/** Runs the built tool as an operator would: its own process, the lab's environment, no terminal. */
export async function deploy(lab: Lab, args: readonly string[]): Promise<Ran> {
  const started = performance.now();
  const main = join(cloneRoot(), 'dist', 'cli', 'main.js');
  const result = await run(process.execPath, [main, ...args], { env: labEnvironment(lab), timeoutMs: 3_600_000 });
  return { ...result, command: `deploy ${args.join(' ')}`, seconds: (performance.now() - started) / 1000 };
}

export interface RunningContainer {
  readonly id: string;
  readonly startedAt: string;
  readonly image: string;
  readonly running: boolean;
}

/** `node/container` → what the node's own engine says, asked past the tool. */
export async function allContainers(): Promise<ReadonlyMap<string, RunningContainer>> {
  const format = '{{.Name}} {{.Id}} {{.State.StartedAt}} {{.Config.Image}} {{.State.Running}}';
  const perNode = await Promise.all(
    NODES.map(async ({ name }) => {
      const result = await nodeExec(name, `docker ps -aq | xargs -r docker inspect --format '${format}'`);
      if (result.code !== 0) throw new Error(`${name}: ${result.stderr}`);
      return result.stdout
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => {
          const [container = '', id = '', startedAt = '', image = '', running = ''] = line.split(' ');
          return [`${name}${container}`, { id, startedAt, image, running: running === 'true' }] as const;
        });
    }),
  );
  return new Map(perNode.flat());
}

/** Keys whose container was created, removed or started anew between two looks. */
export function changedContainers(
  before: ReadonlyMap<string, RunningContainer>,
  after: ReadonlyMap<string, RunningContainer>,
): string[] {
  const keys = new Set([...before.keys(), ...after.keys()]);
  return [...keys]
    .filter((key) => {
      const [a, b] = [before.get(key), after.get(key)];
      return a?.id !== b?.id || a?.startedAt !== b?.startedAt;
    })
    .sort();
}

/** Runs a command inside a container of a node; its output, trimmed. */
export async function inContainer(node: NodeName, container: string, command: string): Promise<string> {
  const result = await nodeExec(node, `docker exec ${container} sh -c '${command.replaceAll("'", "'\\''")}'`);
  if (result.code !== 0) throw new Error(`${container} on ${node}: ${result.stderr}`);
  return result.stdout.trim();
}

export function password(lab: Lab, name: string): string {
  const all = parse(readFileSync(join(lab.files.config, 'passwords.yml'), 'utf8')) as Record<string, string>;
  const value = all[name];
  if (value === undefined) throw new Error(`passwords.yml has no ${name}`);
  return value;
}

/** Sets one variable in the lab's globals.yml as an editor would; other lines stay. */
export function setGlobal(lab: Lab, name: string, value: string): void {
  const file = join(lab.files.config, 'globals.yml');
  const line = `${name}: ${value}`;
  const text = readFileSync(file, 'utf8');
  const known = new RegExp(`^${name}:.*$`, 'm');
  writeFileSync(file, known.test(text) ? text.replace(known, line) : `${text.trimEnd()}\n${line}\n`);
}
