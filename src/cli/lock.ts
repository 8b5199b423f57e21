import { randomBytes } from 'node:crypto';
import { hostname, userInfo } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { DeployError, error, exitCode } from '../core/model/diagnostic.ts';
import { describeHolder, type LockHolder, type LockTaken } from '../core/model/lock.ts';
import type { HostName } from '../core/model/node.ts';
import { leased } from '../edge/node/leased.ts';
import type { Lease, LockAnswer } from '../edge/node/lock.ts';
import type { OpenNode } from '../edge/node/node.ts';

/** Nodes that are locked for a run until they are closed. */
export interface Locked {
  /** The nodes as the run may use them: they refuse to be changed once their lock is lost. */
  readonly nodes: ReadonlyMap<HostName, OpenNode>;
  /** Earlier runs that did not let go of a lock themselves: they were killed, or the network was silent. */
  readonly abandoned: readonly LockHolder[];
}

const retryMs = 500;

/**
 * Takes the locks of all nodes or of none; `waitMs` is how long to wait for others. The first node in order decides
 * between two runs that start at once, so that they do not each hold a half. Throws DeployError (exit 5) with who
 * holds which lock. Runs on different nodes do not see each other.
 */
export async function lockNodes(
  nodes: ReadonlyMap<HostName, OpenNode>,
  holder: LockHolder,
  waitMs: number,
  onWait: (text: string) => void,
): Promise<Locked> {
  const started = performance.now();
  for (let said = ''; ; ) {
    const attempt = await attemptAll([...nodes.values()], holder);
    if (attempt.ok) return locked(nodes, attempt.answers);
    const text = attempt.refused.map(refusal).join('; ');
    if (performance.now() - started >= waitMs) throw lockedError(attempt.refused);
    const who = attempt.refused.map(({ by }) => by.holder?.run).join();
    if (who !== said) onWait(`waiting for the lock: ${text}`);
    said = who;
    await sleep(retryMs);
  }
}

interface Refused {
  readonly host: HostName;
  readonly by: LockTaken;
}

type Taken = LockAnswer & { readonly taken: true };

type Attempt =
  | { readonly ok: true; readonly answers: ReadonlyMap<HostName, Taken> }
  | { readonly ok: false; readonly refused: readonly Refused[] };

async function attemptAll(nodes: readonly OpenNode[], holder: LockHolder): Promise<Attempt> {
  const answers = new Map<HostName, Taken>();
  const refused: Refused[] = [];
  const take = async (node: OpenNode): Promise<void> => {
    const answer = await node.lock(holder);
    if (answer.taken) answers.set(node.host, answer);
    else refused.push({ host: node.host, by: answer.by });
  };
  const [first, ...others] = [...nodes].sort((a, b) => (a.host < b.host ? -1 : 1));
  try {
    if (first) await take(first);
    if (refused.length === 0) await Promise.all(others.map(take));
  } catch (cause) {
    await releaseAll([...answers.values()].map(({ lease }) => lease));
    throw cause;
  }
  if (refused.length === 0) return { ok: true, answers };
  await releaseAll([...answers.values()].map(({ lease }) => lease));
  return { ok: false, refused };
}

async function releaseAll(leases: readonly Lease[]): Promise<void> {
  await Promise.all(leases.map((lease) => lease.release()));
}

function locked(nodes: ReadonlyMap<HostName, OpenNode>, answers: ReadonlyMap<HostName, Taken>): Locked {
  const guarded = [...nodes].map(([host, node]): [HostName, OpenNode] => {
    const answer = answers.get(host);
    if (answer === undefined) throw new Error(`${host} was not locked`);
    return [host, leased(node, () => answer.lease.assertHeld())];
  });
  const abandoned = [...answers.values()].flatMap((answer) => answer.abandoned ?? []);
  return {
    nodes: new Map(guarded),
    abandoned: [...new Map(abandoned.map((holder) => [holder.run, holder])).values()],
  };
}

function refusal({ host, by }: Refused): string {
  const still = by.orphan ? 'a command of a run that has ended still works there, of ' : '';
  return `${host} by ${still}${describeHolder(by)}`;
}

function lockedError(refused: readonly Refused[]): DeployError {
  const hint =
    'wait for it with --lock-wait 10m, look with deploy lock status, or end it with deploy lock break --run RUN';
  return new DeployError(
    refused.map(({ host, by }) =>
      error('locked', `locked by ${refusal({ host, by }).slice(host.length + 4)}`, { host, hint }),
    ),
    exitCode.locked,
  );
}

/** Sorts by the time it was made, and is not made twice. */
export function newRunId(): string {
  return `${new Date().toISOString().replace(/[-:]/g, '').slice(0, 15)}-${randomBytes(3).toString('hex')}`;
}

/** What others see of this run while it holds locks. Values of `-e` are left out: they may be secrets. */
export function holderOf(run: string, verb: string, argv: readonly string[]): LockHolder {
  const hidden = argv.map((word, i) => {
    if (['-e', '--extra-vars'].includes(argv[i - 1] ?? '')) return '…';
    return /^(-e|--extra-vars=)./.test(word) ? word.replace(/^(-e|--extra-vars=).*/s, '$1…') : word;
  });
  return { run, verb, command: ['deploy', ...hidden].join(' '), user: userName(), from: hostname(), pid: process.pid };
}

function userName(): string {
  try {
    return userInfo().username;
  } catch {
    // A user without an entry in passwd, as in some containers.
    return String(process.getuid?.() ?? '');
  }
}
