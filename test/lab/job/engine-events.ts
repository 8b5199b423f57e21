import { nodeExec } from '../nodes.ts';
import { NODES, type NodeName } from '../settings.ts';

/** A change of a container in the engine's own record. */
export interface EngineEvent {
  readonly node: NodeName;
  readonly action: string;
  readonly container: string;
  /** The run that created this container. */
  readonly run: string;
  /** Milliseconds of the node's clock, which is this machine's. */
  readonly at: number;
}

/** What an operator's command does; `die` and `exec_*` happen by themselves, too. */
const changing = ['create', 'start', 'stop', 'kill', 'rename', 'destroy'];

interface Line {
  readonly Action: string;
  readonly timeNano: number;
  readonly Actor: { readonly Attributes: Readonly<Record<string, string>> };
}

/** Changes of containers with these names, on all nodes, since a moment of this machine's clock. */
export async function engineEvents(since: number, containers: RegExp): Promise<readonly EngineEvent[]> {
  const filters = ['--filter type=container', ...changing.map((action) => `--filter event=${action}`)].join(' ');
  const window = `--since ${(since / 1000).toFixed(3)} --until ${(Date.now() / 1000).toFixed(3)}`;
  const perNode = await Promise.all(
    NODES.map(async ({ name }) => {
      const { stdout } = await nodeExec(name, `docker events ${window} ${filters} --format '{{json .}}'`);
      return stdout
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as Line)
        .map(({ Action, timeNano, Actor }) => ({
          node: name,
          action: Action,
          container: Actor.Attributes.name ?? '',
          run: Actor.Attributes['deploy.run'] ?? '',
          at: timeNano / 1e6,
        }));
    }),
  );
  return perNode.flat().filter(({ container }) => containers.test(container));
}
