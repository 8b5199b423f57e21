import { expect } from 'vitest';
import { nodeExec } from '../nodes.ts';
import type { Lab } from '../raise.ts';
import { NODES, type NodeName } from '../settings.ts';
import { Commits } from './commits.ts';
import { deploy } from './deploy-command.ts';

export const recover = ['mariadb', 'recover', '--yes', '--again'] as const;

/** Where the volume of the database lies on a node. */
export const data = '/var/lib/docker/volumes/mariadb/_data';

export async function onNode(node: NodeName, command: string): Promise<string> {
  const result = await nodeExec(node, command);
  if (result.code !== 0) throw new Error(`${node}: ${command}: ${result.stderr}`);
  return result.stdout.trim();
}

export function everywhere(command: string): Promise<string[]> {
  return Promise.all(NODES.map(({ name }) => onNode(name, command)));
}

/** All servers end at once, in the middle of whatever they do. */
export async function killAll(): Promise<void> {
  await everywhere('docker kill mariadb');
}

/** Galera cannot form the component again by itself: somebody has to decide. */
export async function forgetView(): Promise<void> {
  await killAll();
  await everywhere(`rm -f ${data}/gvwstate.dat`);
}

/** The nodes, another one first each time. */
export function turned(run: number) {
  return [...NODES.slice(run % NODES.length), ...NODES.slice(0, run % NODES.length)];
}

/** How long it took, in the words of the command itself. */
export function timeIn(output: string): string {
  return /^all Synced after .*$/m.exec(output)?.[0] ?? 'nothing was left to do';
}

/** Recovers with the command; what it said of the time. */
export async function recovered(lab: Lab, ...options: string[]): Promise<string> {
  const ran = await deploy(lab, [...recover, ...options]);
  expect(ran.code, ran.stdout + ran.stderr).toBe(0);
  return `${timeIn(ran.stdout)}; ${ran.seconds.toFixed(1)} s in all`;
}

/** A disaster under load, what brings the cluster back, and what must hold then. */
export async function survive(
  lab: Lab,
  title: string,
  name: string,
  strike: (commits: Commits) => Promise<void>,
  back: () => Promise<string>,
): Promise<void> {
  expect((await deploy(lab, ['mariadb', 'check'])).code).toBe(0);
  const commits = new Commits(lab, `${name}-${Date.now()}`);
  await commits.start();
  try {
    await strike(commits);
    const said = await back();
    await commits.reach(50);
    await commits.stop();
    const lost = await commits.lost();
    const { length } = commits.acknowledged;
    const pause = commits.longestPause().seconds.toFixed(1);
    console.log(`${title}: ${said}, no commit for ${pause} s, ${length} acknowledged, lost ${Object.values(lost)}`);
    expect(lost).toEqual({ node1: 0, node2: 0, node3: 0 });
    await isWhole(lab);
  } finally {
    await commits.stop();
  }
}

/** Every member is Synced, in its lasting form, and nothing is left over. */
export async function isWhole(lab: Lab): Promise<void> {
  const check = await deploy(lab, ['mariadb', 'check']);
  expect(check.code, check.stderr).toBe(0);
  const flagged = await everywhere("docker inspect -f '{{.Config.Env}}' mariadb | grep -c BOOTSTRAP_ARGS || true");
  expect(flagged).toEqual(['0', '0', '0']);
  const plan = await deploy(lab, ['plan', 'reconfigure', '--tags', 'mariadb']);
  expect(plan.code, plan.stdout + plan.stderr).toBe(0);
}
