import type { EvaluatedGate } from '../../src/core/desired/gate.ts';
import type { HostName } from '../../src/core/model/node.ts';
import type { ExecResult, GateAnswer, HookOutcome, HooksPort } from '../../src/run/ports.ts';
import { databaseVersion } from './mariadb.ts';
import type { SimulatedContainer, SimulatedNode } from './node.ts';

/** One change of a node, in the order in which it happened over all nodes. */
export interface Operation {
  readonly host: HostName;
  readonly call: string;
  /** Container, image, file or marker. */
  readonly subject: string;
}

export type ExecAnswer = (node: SimulatedNode, container: string, argv: readonly string[]) => ExecResult | undefined;

/** What several simulated nodes share: the log, the failures wanted, and who watches. */
export class SimulatedWorld {
  readonly nodes = new Map<HostName, SimulatedNode>();
  readonly log: Operation[] = [];
  /** Throw from here to let one call fail before it has any effect. */
  before: (operation: Operation) => void = () => {};
  /** Called after each change; tests look for states that must never exist. */
  after: (operation: Operation) => void = () => {};
  /** An answer other than that of a container in good health. */
  exec: ExecAnswer = () => undefined;
  /** What is heard when a gate is asked. */
  gate: (host: HostName, gate: EvaluatedGate) => GateAnswer = () => ({ ok: true });
  /** How an operator's executable ends. */
  hook: (hook: Parameters<HooksPort['run']>[0]) => HookOutcome = () => ({ ok: true });
  /** Whether a volume has been written to since the container that was set aside had ended. */
  written: (node: SimulatedNode, volume: string) => boolean = () => true;
  /** Exit code of a short-lived container. */
  exitCodeOf: (container: string) => number = () => 0;
  /** Containers that end as soon as they are started. */
  crashes: (container: SimulatedContainer) => boolean = () => false;
  /** Other servers that load balancers see taking requests when one is to be drained. */
  othersServing: () => number = () => this.nodes.size - 1;
  #nextId: number;

  /** A copy goes on counting where its original stood: ids stay those of one container each. */
  constructor(original?: SimulatedWorld) {
    this.#nextId = original === undefined ? 1 : original.#nextId;
  }
  /** What a container has logged last. */
  logs: (node: SimulatedNode, container: string) => string = (_, container) => `last words of ${container}\n`;

  newId(): string {
    return `id${this.#nextId++}`;
  }

  change<T>(operation: Operation, work: () => T): T {
    this.before(operation);
    const result = work();
    this.log.push(operation);
    this.after(operation);
    return result;
  }

  running(container: string): SimulatedContainer[] {
    return [...this.nodes.values()].flatMap((node) => {
      const found = node.containers.get(container);
      return found?.state === 'running' ? [found] : [];
    });
  }

  /** RabbitMQ as one member sees it: all that run and were started with the same cookie are one cluster. */
  #clusterStatus(asked: SimulatedNode, container: string): ExecResult {
    const { cookie } = asked.containers.get(container) ?? {};
    const running = [...this.nodes.values()].filter((node) => {
      const other = node.containers.get(container);
      return other?.state === 'running' && other.cookie === cookie;
    });
    const names = running.map((node) => `rabbit@${node.host}`);
    const version = { rabbitmq_version: '3.10.8', erlang_version: '25.2.3' };
    const status = {
      disk_nodes: [...this.nodes.keys()].map((host) => `rabbit@${host}`),
      running_nodes: names,
      partitions: {},
      alarms: [],
      feature_flags: [],
      versions: Object.fromEntries(names.map((name) => [name, version])),
    };
    return { code: 0, stdout: `rabbit@${asked.host}\n${JSON.stringify(status)}`, stderr: '' };
  }

  /** What a container in good health answers: health checks pass, Galera counts the members that run. */
  answer(node: SimulatedNode, container: string, argv: readonly string[]): ExecResult {
    const special = this.exec(node, container, argv);
    if (special) return special;
    if (argv.some((arg) => arg.includes('rabbitmqctl'))) return this.#clusterStatus(node, container);
    if (argv.includes('SELECT VERSION()')) {
      const running = node.containers.get(container);
      return { code: 0, stdout: running ? `${databaseVersion(running)}-0+deb-log\n` : '', stderr: '' };
    }
    if (!argv.some((arg) => arg.includes('wsrep_'))) return { code: 0, stdout: '', stderr: '' };
    const size = this.running(container).length;
    const stdout = `wsrep_cluster_size\t${size}\nwsrep_cluster_status\tPrimary\nwsrep_local_state_comment\tSynced\nwsrep_ready\tON\n`;
    return { code: 0, stdout, stderr: '' };
  }
}
