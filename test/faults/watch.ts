import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { label } from '../../src/core/model/node.ts';
import { serverStates } from '../../src/edge/haproxy/stats-socket.ts';
import { LabError, waitFor } from '../lab/command.ts';
import type { NodeName } from '../lab/settings.ts';
import type { Inside } from './inside.ts';

/** What a node's engine says a container did. */
export interface EngineEvent {
  readonly node: NodeName;
  /** Milliseconds since 1970; all nodes share this machine's clock. */
  readonly at: number;
  /** `start`, `die`, `create`, `destroy`, `rename`, … */
  readonly action: string;
  readonly id: string;
  readonly name: string;
  /** What it is by its label, whatever its name. */
  readonly container: string;
  readonly digest: string;
  /** Of a `die`. */
  readonly exitCode: string;
}

/** How many servers of each backend a node's load balancer sent requests to at a moment. */
export interface BalancerLook {
  readonly node: NodeName;
  readonly at: number;
  /** Absent when it did not answer. */
  readonly taking?: ReadonlyMap<string, number>;
}

export interface Watched {
  readonly events: readonly EngineEvent[];
  readonly looks: readonly BalancerLook[];
}

const lookEveryMs = 200;

/** Watches engines and load balancers without a break until stopped. */
export async function watch(nodes: readonly Inside[]): Promise<{ stop(): Promise<Watched> }> {
  const events: EngineEvent[] = [];
  const looks: BalancerLook[] = [];
  const done = new AbortController();
  const streams = await Promise.all(nodes.map((node) => follow(node, events)));
  const looking = nodes.map(async (node) => {
    while (!done.signal.aborted) {
      looks.push(await look(node));
      await sleep(lookEveryMs);
    }
  });
  return {
    async stop() {
      done.abort();
      await Promise.all([...looking, ...streams.map((stream) => stream.end())]);
      return { events: events.sort((a, b) => a.at - b.at), looks };
    },
  };
}

async function look({ name, balancer }: Inside): Promise<BalancerLook> {
  const at = Date.now();
  try {
    const taking = new Map<string, number>();
    for (const { backend, admin, status } of await serverStates(balancer)) {
      const takes = admin === 'ready' && /^(UP|no check)/.test(status);
      taking.set(backend, (taking.get(backend) ?? 0) + (takes ? 1 : 0));
    }
    return { node: name, at, taking };
  } catch {
    return { node: name, at };
  }
}

interface RawEvent {
  readonly Action?: string;
  readonly timeNano?: number;
  readonly Actor?: { readonly ID?: string; readonly Attributes?: Readonly<Record<string, string>> };
}

async function follow({ name: node, engine }: Inside, into: EngineEvent[]): Promise<{ end(): Promise<void> }> {
  const stream = (await engine.getEvents({ filters: { type: ['container'] } })) as Readable;
  const word = `seen-all-${process.pid}-${Math.round(performance.now())}`;
  let marked = false;
  let rest = '';
  stream.on('data', (chunk: Buffer) => {
    const lines = `${rest}${chunk.toString('utf8')}`.split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines.filter((one) => one !== '')) {
      if (line.includes(word)) marked = true;
      const event = eventOf(node, JSON.parse(line) as RawEvent);
      if (event !== undefined) into.push(event);
    }
  });
  stream.on('error', () => undefined);
  return {
    async end() {
      // Events come in order: what stands before one that was caused now has all been told.
      await engine.getContainer('haproxy').exec({ Cmd: ['true', word] });
      const told = await waitFor(async () => marked, 10_000, 10);
      stream.destroy();
      if (!told) throw new LabError(`the engine of ${node} does not tell its events`);
    },
  };
}

function eventOf(node: NodeName, { Action = '', timeNano = 0, Actor = {} }: RawEvent): EngineEvent | undefined {
  if (Action.startsWith('exec_')) return undefined;
  const { ID: id = '', Attributes: attributes = {} } = Actor;
  return {
    node,
    at: timeNano / 1e6,
    action: Action,
    id,
    name: attributes.name ?? '',
    container: attributes[label.container] ?? '',
    digest: attributes[label.imageDigest] ?? '',
    exitCode: attributes.exitCode ?? '',
  };
}
