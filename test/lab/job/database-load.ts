import { expect } from 'vitest';
import type { Lab } from '../raise.ts';
import type { Ran } from './deploy-command.ts';
import { type JournaledStep, stepsSince } from './journaled-steps.ts';
import { KeystoneLoad } from './keystone-load.ts';
import { type FailedTransaction, Transactions } from './transactions.ts';

/**
 * A change of the database beside clients of it and of Keystone. Prints what it cost them; no acknowledged commit may be
 * lost, no request of Keystone may fail, and a connection may break only where the writes move: away from the member
 * that is replaced, and back.
 */
export async function underDatabaseLoad(lab: Lab, name: string, change: () => Promise<Ran>): Promise<Ran> {
  const transactions = new Transactions(lab, `${name}${Date.now() % 1_000_000_000}`);
  const keystone = new KeystoneLoad(lab);
  const began = Date.now();
  await transactions.start();
  keystone.start();
  try {
    const ran = await change();
    await transactions.reach(100);
    await Promise.all([transactions.stop(), keystone.stop()]);
    const lost = await transactions.lost();
    const { acknowledged, failed, replaced } = transactions;
    const pause = transactions.longestPause();
    console.log(
      [
        `${name}: exit ${ran.code} after ${ran.seconds.toFixed(1)} s`,
        ...ran.stdout
          .split('\n')
          .filter((line) => /mariadb.*: done/.test(line) && !/note the form|: write|: create/.test(line)),
        `${acknowledged.length} transactions acknowledged, lost ${Object.values(lost)}, ${failed.length} failed`,
        `longest time without a commit ${pause.seconds.toFixed(1)} s (at ${pause.at.toFixed(1)} s)`,
        `${replaced} pooled connections were found dead and replaced before they were used`,
        ...explained(failed, await stepsSince(lab, began)),
        `Keystone: ${keystone.asked} requests, ${keystone.failed.length} failed, slowest ${keystone.slowest.toFixed(1)} s`,
      ].join('\n'),
    );
    expect(lost).toEqual({ node1: 0, node2: 0, node3: 0 });
    expect(keystone.failed).toEqual([]);
    // Every client is moved twice, away from the member that is replaced and back. That costs a bare connection what it
    // is at; a pool notices, unless its client stands still between its try and its first statement.
    expect(failed.filter(({ kind }) => kind === 'bare').length).toBeLessThanOrEqual(4);
    expect(failed.length).toBeLessThanOrEqual(2 * 22);
    return ran;
  } finally {
    await Promise.all([transactions.stop(), keystone.stop()]);
    await transactions.drop();
  }
}

/** Steps that take clients away from a member, or back to it. */
const moves = ['drain', 'undrain', 'stop', 'galera-sessions'];
/** A client notices late: by its next statement, or when that has had its time. */
const lateMs = 6_000;

/** One line for each kind of failure and what was done to the members meanwhile. */
function explained(failed: readonly FailedTransaction[], steps: readonly JournaledStep[]): string[] {
  const counts = new Map<string, number>();
  for (const { kind, during, said, when } of failed) {
    const meanwhile = steps.filter(
      (step) => moves.includes(step.kind) && step.from <= when && when - lateMs <= step.to,
    );
    const words = `${kind} client, ${during}: ${said} (${meanwhile.map(({ text }) => text).join('; ') || 'no move'})`;
    counts.set(words, (counts.get(words) ?? 0) + 1);
  }
  return [...counts].map(([words, count]) => `${count} × ${words}`);
}
