import type { EvaluatedGate } from '../core/desired/gate.ts';
import type { BalancedServer } from '../core/desired/model.ts';
import type { LiveStatus, Recovered } from '../core/galera/evidence.ts';
import type { GaleraServer } from '../core/galera/member.ts';
import { DeployError, error, exitCode } from '../core/model/diagnostic.ts';
import type { ContainerName, HostName } from '../core/model/node.ts';
import type { Step, StepOf } from '../core/plan/steps.ts';
import type { GateAnswer, HooksPort, NodePort } from './ports.ts';

/** Services other than the engine that a run talks to, each through a node's connection. All ensure, none repeats. */
export interface ClientsPort {
  ensureDatabases(node: NodePort, wish: StepOf<'databases'>['wish']): Promise<readonly string[]>;
  ensureIdentity(node: NodePort, wish: StepOf<'identity'>['wish']): Promise<readonly string[]>;
  /** Orders to a load balancer through its container; `undrain` returns when the servers take requests. */
  setServers(
    balancer: NodePort,
    container: ContainerName,
    order: 'drain' | 'undrain',
    servers: readonly BalancedServer[],
  ): Promise<void>;
  /** Sessions and waiting requests of these servers together. */
  countSessions(balancer: NodePort, container: ContainerName, servers: readonly BalancedServer[]): Promise<number>;
  /** Other servers of the same backends that take requests, in the backend that has fewest of them. */
  countOthers(balancer: NodePort, container: ContainerName, servers: readonly BalancedServer[]): Promise<number>;
  /** The group of a Galera member that runs outside of a Primary component becomes one. */
  formPrimary(node: NodePort, server: StepOf<'galera-primary'>['server']): Promise<void>;
  /** Each member's own words, or why it gave none; asked from this node, all at once. */
  askGalera(node: NodePort, servers: readonly GaleraServer[]): Promise<readonly GaleraAnswer[]>;
  /**
   * Ends the client sessions of a database server that have been idle so long and are in no transaction. Returns the
   * ids of those that are left.
   */
  endIdleSessions(node: NodePort, server: GaleraServer['server'], idleMs: number): Promise<readonly string[]>;
  /** A database server that is about to be stopped leaves nothing undone that another version might not understand. */
  shutDownCleanly(node: NodePort, server: GaleraServer['server']): Promise<void>;
  /** Returns what was changed, one short sentence each. */
  ensureAccount(node: NodePort, account: StepOf<'database-account'>): Promise<readonly string[]>;
  ensureMessaging(node: NodePort, wish: StepOf<'messaging'>['wish']): Promise<readonly string[]>;
  /** One attempt, made from the node. What went wrong is an answer, in words; it never throws for that. */
  checkGate(node: NodePort, gate: EvaluatedGate): Promise<GateAnswer>;
}

export interface GaleraAnswer {
  readonly host: HostName;
  readonly said: LiveStatus | { readonly why: string };
}

/** What a run takes from outside; the clock and chance are among it, so that tests can hold them. */
export interface RunPorts {
  readonly nodes: ReadonlyMap<HostName, NodePort>;
  readonly clients: ClientsPort;
  readonly clock: { now(): number; sleep(ms: number): Promise<void> };
  readonly hooks: HooksPort;
  randomBytes(size: number): Uint8Array;
  /** Told how far the data of a Galera member goes: what is to be done next depends on it. */
  onPosition?: ((host: HostName, recovered: Recovered) => void) | undefined;
}

export interface StepContext extends RunPorts {
  readonly runId: string;
  readonly node: NodePort;
  /** Aborted when the step's outcome does not matter any more: a sibling failed and all of them go back. */
  readonly givenUp?: AbortSignal | undefined;
  /** Aborted when the run was told to stop: what is of no use without later steps ends then. */
  readonly interrupted?: AbortSignal | undefined;
  progress(line: string): void;
}

export function failed(step: Pick<Step, 'host'>, message: string, hint?: string): DeployError {
  return new DeployError([error('step-failed', message, { host: step.host, hint })], exitCode.failed);
}

export function indent(text: string): string {
  return text
    .trimEnd()
    .split('\n')
    .map((line) => `      ${line}`)
    .join('\n');
}
