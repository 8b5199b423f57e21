import { expect } from 'vitest';
import type { Lab } from '../raise.ts';
import { deploy } from './deploy-command.ts';
import type { Ended, Running } from './running.ts';

/** The run failed, or says that a node is not usable; never that something was put back, nor that all is well. */
const nodeLost: readonly number[] = [1, 4];

/** A run that lost a node ended orderly, said so and blamed no version. */
export function lostItsNode(run: Running, { code, output }: Ended, host: string): void {
  expect(nodeLost, output).toContain(code);
  expect(output).toMatch(
    new RegExp(
      `${host}[^\\n]*(connection was lost|no Docker Engine answers|cannot reach|did not finish within|lock was lost)`,
    ),
  );
  expect(output).not.toMatch(/PUT BACK|putting back/i);
  const journal = run.journal();
  expect(journal?.end?.exit).toBe(code);
  expect(journal?.entries.filter((entry) => entry.event === 'note')).toEqual([]);
  expect(run.underWay()).toEqual([]);
}

/**
 * The same command again. A node that heard nothing of the cut keeps the dead run's lock until its lease is over; who
 * gives the command sooner than that is told so. Says what it took.
 */
export async function goOn(lab: Lab, args: readonly string[]): Promise<string> {
  const first = await deploy(lab, args);
  if (first.code !== 5) {
    expect(first.code, first.stdout + first.stderr).toBe(0);
    return `done in ${first.seconds.toFixed(1)} s`;
  }
  const second = await deploy(lab, [...args, '--lock-wait', '60s']);
  expect(second.code, second.stdout + second.stderr).toBe(0);
  return `locked by the dead run at first, then done in ${second.seconds.toFixed(1)} s`;
}
