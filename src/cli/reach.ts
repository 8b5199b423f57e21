import { DeployError, type Diagnostic, error, exitCode, warning } from '../core/model/diagnostic.ts';
import type { LockHolder } from '../core/model/lock.ts';
import type { HostName, ObservedNode } from '../core/model/node.ts';
import type { OpenNode } from '../edge/node/node.ts';
import { foldHosts } from '../report/hosts.ts';
import { openOthers } from './leftovers.ts';
import { closeAll, mergedError, type Tried, tryLooks, tryNodes, type Want } from './nodes.ts';
import type { SelectionOptions } from './options.ts';
import type { Output } from './output.ts';
import type { LoadedSite } from './site.ts';

/** A selected host that did not answer and is gone on without. */
export interface Skipped {
  readonly host: HostName;
  readonly why: string;
}

/** Nodes that are connected to, locked when there is a holder, and looked at. */
export interface Reached {
  readonly nodes: ReadonlyMap<HostName, OpenNode>;
  readonly observed: ReadonlyMap<HostName, ObservedNode>;
  readonly skipped: readonly Skipped[];
}

export interface Reaching {
  readonly loaded: LoadedSite;
  /** What is selected. */
  readonly hosts: readonly HostName[];
  /** Looked at for what is left over there; one that cannot be reached is a warning. */
  readonly others: readonly HostName[];
  readonly options: SelectionOptions;
  readonly want: Want;
  readonly holder?: LockHolder | undefined;
  readonly output: Output;
  /** Other connections than those of the site. */
  readonly open?: ((hosts: readonly HostName[]) => Promise<Tried<OpenNode>>) | undefined;
}

/** Silence, in its forms. What a host answers is never one: a changed key or a refused login is to be looked into. */
const silences = new Set(['unreachable', 'timeout', 'connection-lost', 'ssh-handshake', 'no-engine']);

/**
 * Connects to the hosts, takes their locks, and looks, all hosts at once. Throws one DeployError (exit 4) with every
 * host that cannot be used, those whose engine does not answer included, before anything is changed. With
 * `skipUnreachable` those that do not answer are left out instead, while one is left.
 *
 * A host that is left out is not locked either: a run from elsewhere that reaches it may change it meanwhile. Two runs
 * that reach a host in common exclude each other as ever; two that share none each see the hosts of the other as
 * unreachable, so that what they may do is bounded by what is said in core/plan/unreachable.ts.
 */
export async function reach(reaching: Reaching): Promise<Reached> {
  const { loaded, hosts, others, options, want, holder, output } = reaching;
  const tried = await (reaching.open?.(hosts) ?? tryNodes(loaded, hosts, options));
  const nodes = new Map(tried.done);
  try {
    if (tried.failures.size > 0 && !maySkip(tried.failures, reaching)) {
      // Whose engine does not answer shall be known now and not at the next attempt.
      const looked = await tryLooks(nodes, want);
      throw refusal(new Map([...tried.failures, ...looked.failures]), reaching);
    }
    const beyond = await openOthers(loaded, others, options);
    for (const [host, node] of beyond.nodes) nodes.set(host, node);
    output.diagnostics(beyond.problems);
    const locked = new Map(holder ? await lockFor(nodes, holder, options, output) : nodes);
    const looked = await tryLooks(locked, want);
    const failures = new Map([...tried.failures, ...looked.failures]);
    if (looked.failures.size > 0 && !maySkip(failures, reaching)) throw refusal(failures, reaching);
    for (const host of looked.failures.keys()) {
      await locked.get(host)?.close();
      locked.delete(host);
    }
    const without = [...hosts, ...others].filter((host) => failures.has(host));
    const skipped = without.map((host) => ({ host, why: wordsOf(failures.get(host)) }));
    output.diagnostics(skipped.map(({ host, why }) => warning('host-skipped', `skipped: ${why}`, { host })));
    return { nodes: locked, observed: looked.done, skipped };
  } catch (cause) {
    await closeAll(nodes);
    throw cause;
  }
}

function maySkip(failures: ReadonlyMap<HostName, unknown>, { hosts, options }: Reaching): boolean {
  return options.skipUnreachable === true && couldSkip(failures, hosts);
}

/** Only silence is gone on without, and only while a host is left. */
function couldSkip(failures: ReadonlyMap<HostName, unknown>, hosts: readonly HostName[]): boolean {
  return [...failures.values()].every(isSilent) && hosts.some((host) => !failures.has(host));
}

function isSilent(failure: unknown): boolean {
  return failure instanceof DeployError && failure.diagnostics.every(({ code }) => silences.has(code));
}

function wordsOf(failure: unknown): string {
  return failure instanceof DeployError ? failure.diagnostics.map((d) => d.message).join('; ') : String(failure);
}

function refusal(failures: ReadonlyMap<HostName, unknown>, { hosts, options }: Reaching): DeployError {
  const order = [...failures.keys()].sort((a, b) => hosts.indexOf(a) - hosts.indexOf(b));
  const { diagnostics } = mergedError(order.map((host) => failures.get(host)));
  const offered = options.skipUnreachable === false && couldSkip(failures, hosts);
  if (!offered) return new DeployError(diagnostics, exitCode.nodeNotUsable);
  const message = `nothing was changed: ${foldHosts(order)} ${order.length === 1 ? 'does' : 'do'} not answer`;
  const hint = 'bring them back, or go on without them where enough others serve: --skip-unreachable';
  return new DeployError([...diagnostics, error('hosts-silent', message, { hint })], exitCode.nodeNotUsable);
}

/** Before the look: what is seen must not be another run's work half done. */
async function lockFor(
  nodes: ReadonlyMap<HostName, OpenNode>,
  holder: LockHolder,
  { lockWaitMs = 0 }: SelectionOptions,
  output: Output,
): Promise<ReadonlyMap<HostName, OpenNode>> {
  const { lockNodes } = await import('./lock.ts');
  const locked = await lockNodes(nodes, holder, lockWaitMs, (text) => output.note(text));
  for (const { run, command, user, from } of locked.abandoned) {
    output.note(`run ${run} (${command}, by ${user}@${from}) did not end by itself; what it left is part of this plan`);
  }
  return locked.nodes;
}

/** Said again when a run is over, so that nobody takes it for all of the site. */
export function skippedWarnings(skipped: readonly Skipped[]): Diagnostic[] {
  const hint = 'run the same command again when it is back';
  return skipped.map(({ host }) => warning('host-skipped', 'was skipped: nothing was done there', { host, hint }));
}
