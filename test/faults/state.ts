import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { configDirectory } from '../../src/core/desired/input.ts';
import { label } from '../../src/core/model/node.ts';
import { loadedMarkerKey, madeMarkerKey } from '../../src/core/plan/compare.ts';
import type { ServerState } from '../../src/edge/haproxy/answers.ts';
import { processInfo, serverStates } from '../../src/edge/haproxy/stats-socket.ts';
import type { NodeName } from '../lab/settings.ts';
import type { Inside } from './inside.ts';

export interface SeenContainer {
  readonly name: string;
  readonly id: string;
  readonly running: boolean;
  readonly health: string;
  /** Milliseconds since 1970. */
  readonly startedAt: number;
  readonly labels: Readonly<Record<string, string>>;
}

export interface SeenFile {
  readonly hash: string;
  readonly mode: string;
  /** Milliseconds since 1970. */
  readonly writtenAt: number;
}

/** Everything of a node that a run may change or leave behind. */
export interface NodeState {
  readonly node: NodeName;
  readonly containers: readonly SeenContainer[];
  /** Under /etc/kolla, records and markers of our own left out. */
  readonly files: ReadonlyMap<string, SeenFile>;
  readonly markers: ReadonlyMap<string, string>;
  /** What each container's recorded forms are made of, in words that depend on nothing else. */
  readonly generations: ReadonlyMap<string, string>;
  readonly servers: readonly ServerState[];
  /** When HAProxy's working process began, milliseconds since 1970 (to the second). */
  readonly balancerStartedAt: number;
  /** Staging directories, holders of locks. */
  readonly leftovers: readonly string[];
  readonly volumes: number;
}

const root = '/etc/kolla';
const own = `${root}/.deploy`;

export function captureAll(nodes: readonly Inside[]): Promise<readonly NodeState[]> {
  return Promise.all(nodes.map(capture));
}

async function capture(node: Inside): Promise<NodeState> {
  const [containers, servers, info, volumes] = await Promise.all([
    containersOf(node),
    serverStates(node.balancer),
    processInfo(node.balancer),
    node.engine.listVolumes(),
  ]);
  const files = filesUnder(node.path(root), root).filter(([path]) => !path.startsWith(`${own}/`));
  return {
    node: node.name,
    containers,
    files: new Map(files),
    markers: markersOf(node),
    generations: generationsOf(node),
    servers,
    balancerStartedAt: Number(info.get('Start_time_sec')) * 1000,
    leftovers: [
      ...namesIn(node.path(`${own}/staging`)).map((name) => `staging directory ${name}`),
      ...namesIn(node.path('/run/deploy'))
        .filter((name) => name !== 'lock' && name !== 'busy')
        .map((name) => `lock file ${name}`),
    ],
    volumes: volumes.Volumes.length,
  };
}

async function containersOf({ engine }: Inside): Promise<readonly SeenContainer[]> {
  const all = await engine.listContainers({ all: true });
  const seen = await Promise.all(
    all.map(async ({ Id }) => {
      const { Name, State, Config } = await engine.getContainer(Id).inspect();
      return {
        name: Name.replace(/^\//, ''),
        id: Id,
        running: State.Running,
        health: State.Health?.Status ?? 'none',
        startedAt: Date.parse(State.StartedAt),
        labels: Config.Labels,
      };
    }),
  );
  return seen.sort((a, b) => (a.name < b.name ? -1 : 1));
}

function filesUnder(folder: string, as: string): [string, SeenFile][] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry): [string, SeenFile][] => {
    const [path, name] = [join(folder, entry.name), `${as}/${entry.name}`];
    if (entry.isDirectory()) return filesUnder(path, name);
    if (!entry.isFile()) return [];
    const { mode, uid, gid, mtimeMs } = statSync(path);
    const hash = createHash('sha256').update(readFileSync(path)).digest('hex');
    return [[name, { hash, mode: `${(mode & 0o7777).toString(8)} ${uid}:${gid}`, writtenAt: mtimeMs }]];
  });
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder).sort();
  } catch {
    return [];
  }
}

export function markersOf(node: Inside): ReadonlyMap<string, string> {
  const folder = node.path(`${own}/markers`);
  return new Map(namesIn(folder).map((key) => [key, String(JSON.parse(readFileSync(join(folder, key), 'utf8')))]));
}

function generationsOf(node: Inside): ReadonlyMap<string, string> {
  const folder = node.path(`${own}/generations`);
  return new Map(
    namesIn(folder).map((container) => {
      const home = join(folder, container);
      const others = namesIn(home).filter((name) => name !== 'current').length;
      const current = readlinkSync(join(home, 'current'));
      const previous = readFileSync(join(home, current, 'previous'), 'utf8').trim();
      const kept = [current, previous].filter((id) => id !== '').map((id) => generationText(join(home, id)));
      return [container, `${others} kept: ${kept.join(' after ')}`];
    }),
  );
}

function generationText(folder: string): string {
  const files = filesUnder(join(folder, 'files'), 'files').map(([path, { hash, mode }]) => `${path} ${mode} ${hash}`);
  const text = [readFileSync(join(folder, 'form'), 'utf8').trim(), ...files.sort()].join('\n');
  return createHash('sha256').update(text).digest('hex').slice(0, 12);
}

/** What two runs to the same end must agree on, by what it is about: ids, times and run ids are left out. */
export function fingerprint(states: readonly NodeState[]): ReadonlyMap<string, string> {
  return new Map(states.flatMap((state) => factsOf(state).map(([what, is]) => [`${state.node} ${what}`, is])));
}

function factsOf(state: NodeState): [string, string][] {
  return [
    ...state.containers.map(({ name, running, health, labels }): [string, string] => {
      const form = [label.container, label.imageDigest, label.specHash, label.configHash].map((key) => labels[key]);
      // Until its own first check the engine says "starting"; whether it serves, the load balancers tell.
      const well = health === 'starting' ? 'healthy' : health;
      return [`container ${name}`, `${running ? 'running' : 'not running'}, ${well}, ${form.join(' ')}`];
    }),
    ...[...state.files].map(([path, { hash, mode }]): [string, string] => [`file ${path}`, `${mode} ${hash}`]),
    ...[...state.markers].map(([key, value]): [string, string] => [`marker ${key}`, markerText(state, key, value)]),
    ...[...state.generations].map(([name, text]): [string, string] => [`record of ${name}`, text]),
    ...state.servers.map((server): [string, string] => [
      `server ${server.backend}/${server.server}`,
      // "UP 1/2" and the like are a matter of the moment.
      `${server.admin}, ${server.status.split(' ')[0]}`,
    ]),
    ['left over', state.leftovers.join(', ')],
    ['volumes', String(state.volumes)],
  ];
}

/** Ids of containers differ from run to run; that the marker means the one that runs does not. */
function markerText(state: NodeState, key: string, value: string): string {
  const [first = '', ...rest] = value.split(' ');
  const about = state.containers.find(({ name }) => [madeMarkerKey(name), loadedMarkerKey(name)].includes(key));
  if (about === undefined) return value;
  const whose = first === about.id ? 'of the container that runs' : 'of another container';
  return key === madeMarkerKey(about.name) ? whose : `${whose} ${rest.join(' ')}`;
}

export function differences(wanted: ReadonlyMap<string, string>, is: ReadonlyMap<string, string>): string[] {
  return [...new Set([...wanted.keys(), ...is.keys()])]
    .filter((what) => wanted.get(what) !== is.get(what))
    .map((what) => `${what}: ${is.get(what) ?? 'missing'} instead of ${wanted.get(what) ?? 'nothing'}`);
}

/** Containers whose process began before a file of theirs was written: the restart that Ansible's handlers forget. */
export function staleProcesses(states: readonly NodeState[], containers: readonly string[]): string[] {
  return states.flatMap((state) =>
    state.containers
      .filter(({ name }) => containers.includes(name))
      .flatMap((container) => {
        const directory = configDirectory(container.name);
        const written = [...state.files]
          .filter(([path]) => path.startsWith(directory))
          .map(([, file]) => file.writtenAt);
        const began = container.name === 'haproxy' ? state.balancerStartedAt + 999 : container.startedAt;
        const late = Math.max(0, ...written) - began;
        if (late <= 0) return [];
        return [`${state.node} ${container.name} runs since ${Math.round(late)} ms before its files were written`];
      }),
  );
}
