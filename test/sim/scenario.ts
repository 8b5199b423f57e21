import type { Result } from '../../src/core/model/diagnostic.ts';
import { label, type ObservedNode } from '../../src/core/model/node.ts';
import { Secret } from '../../src/core/model/secret.ts';
import { detailsOf, pathsOf, wantedDetails } from '../../src/core/plan/details.ts';
import type { ChangeVerb, Observed } from '../../src/core/plan/policy.ts';
import type { Plan } from '../../src/core/plan/steps.ts';
import { type RunEvent, type RunOptions, type RunResult, runPlan } from '../../src/run/run.ts';
import type { ClientsPort, RunPorts } from '../../src/run/step-context.ts';
import { memberAnswer } from './mariadb.ts';
import { SimulatedNode } from './node.ts';
import { addressOf, type Choice, must, type SimulatedSite } from './site.ts';
import { type Operation, SimulatedWorld } from './world.ts';

export interface RunSettings {
  /** Stop after this many steps, as an interrupt does. */
  readonly stopAfter?: number;
  readonly forks?: number;
  readonly maxFailed?: number;
  readonly onEvent?: (event: RunEvent) => void;
  readonly onInterrupt?: RunOptions['onInterrupt'];
  readonly onPosition?: RunPorts['onPosition'];
}

/** A world with one node for each host of a site. */
export function emptyWorld(site: SimulatedSite): SimulatedWorld {
  const world = new SimulatedWorld();
  for (const [index, host] of site.hosts.entries()) new SimulatedNode(world, host, addressOf(index));
  return world;
}

/** The same nodes once more, to try something else from here. */
export function copyOf(world: SimulatedWorld): SimulatedWorld {
  const copy = new SimulatedWorld(world);
  for (const node of world.nodes.values()) {
    const twin = new SimulatedNode(copy, node.host, node.address);
    for (const [name, container] of node.containers) twin.containers.set(name, { ...container });
    for (const [key, value] of node.markers) twin.markers.set(key, value);
    for (const [path, file] of node.files) twin.files.set(path, file);
    for (const [name, kept] of node.generations) twin.generations.set(name, kept);
    for (const [name, files] of node.volumes) twin.volumes.set(name, new Map(files));
    for (const [image, tags] of node.images) twin.images.set(image, new Set(tags));
  }
  return copy;
}

export function observe(world: SimulatedWorld, want = { images: true, listening: true }): Observed {
  return new Map([...world.nodes].map(([host, node]): [string, ObservedNode] => [host, node.look(want)]));
}

/** Ensures nothing, but fails where the real clients would: when the server they talk to does not run. */
function clientsOf(world: SimulatedWorld): ClientsPort {
  const needs = async (...containers: string[]) => {
    for (const name of containers) if (world.running(name).length === 0) throw new Error(`${name} does not answer`);
    return [];
  };
  return {
    ensureDatabases: () => needs('mariadb', 'haproxy'),
    ensureIdentity: () => needs('keystone', 'haproxy', 'mariadb'),
    ensureMessaging: () => needs('rabbitmq'),
    ensureAccount: () => needs('mariadb'),
    formPrimary: async () => void (await needs('mariadb')),
    askGalera: async (_, servers) => servers.map(({ host }) => memberAnswer(world, host)),
    endIdleSessions: async () => [],
    shutDownCleanly: async () => void (await needs('mariadb')),
    setServers: async (_balancer, container) => void (await needs(container)),
    countSessions: async () => 0,
    countOthers: async () => world.othersServing(),
    checkGate: async (node, gate) => world.gate(node.host, gate),
  };
}

/** Carries a plan out on the simulated nodes. Time passes only in sleeps. */
export async function carryOut(plan: Plan, world: SimulatedWorld, settings: RunSettings = {}): Promise<RunResult> {
  const stop = new AbortController();
  let now = 0;
  let done = 0;
  if (settings.stopAfter === 0) stop.abort();
  const clock = {
    now: () => now,
    sleep: async (ms: number) => {
      now += ms;
    },
  };
  return runPlan(
    plan,
    {
      nodes: world.nodes,
      clients: clientsOf(world),
      clock,
      hooks: { run: async (hook) => world.hook(hook) },
      randomBytes: (size) => new Uint8Array(size).fill(7),
      onPosition: settings.onPosition,
    },
    {
      runId: 'run',
      forks: settings.forks ?? 30,
      perHost: 4,
      signal: stop.signal,
      maxFailed: settings.maxFailed,
      onInterrupt: settings.onInterrupt,
      onEvent(event) {
        settings.onEvent?.(event);
        if (event.event === 'done' && ++done === settings.stopAfter) stop.abort();
      },
    },
  );
}

/** Plans and carries out; throws when the plan is refused or a step fails. Returns the plan. */
export async function change(
  site: SimulatedSite,
  world: SimulatedWorld,
  verb: ChangeVerb,
  choice: Choice = {},
): Promise<Plan> {
  const plan = must(site.plan(verb, observe(world), choice));
  const result = await carryOut(plan, world);
  const [problem] = result.failed;
  if (problem) throw new Error(`${problem.step.id}: ${problem.diagnostics.map((d) => d.message).join('; ')}`);
  return plan;
}

/** As the command line plans: where something differs, with what a second look at the nodes finds. */
export function planInDetail(
  site: SimulatedSite,
  world: SimulatedWorld,
  verb: ChangeVerb,
  choice: Choice = {},
): Result<Plan> {
  const observed = observe(world);
  const coarse = site.plan(verb, observed, choice);
  if (!coarse.ok) return coarse;
  const details = [...wantedDetails(coarse.value, observed)].map(([host, wanted]) => {
    const texts = world.nodes.get(host)?.read(pathsOf(wanted)) ?? new Map();
    return [host, detailsOf(wanted, texts)] as const;
  });
  return site.plan(verb, observed, choice, undefined, {}, new Map(details));
}

/** All that a run leaves behind on the nodes, in a form that two worlds can be compared by. */
export function stateOf(world: SimulatedWorld): unknown {
  return [...world.nodes.values()].map((node) => ({
    host: node.host,
    containers: Object.fromEntries(
      [...node.containers].sort(byName).map(([name, c]) => [
        name,
        {
          state: c.state,
          image: c.labels[label.imageDigest],
          spec: c.labels[label.specHash],
          environment: Object.fromEntries(
            Object.entries(c.spec.environment).map(([key, value]) => [key, value instanceof Secret ? '*' : value]),
          ),
          upToDate: c.loaded === node.directoryHash(c),
        },
      ]),
    ),
    // What stands in the data directory is no configuration.
    files: Object.fromEntries([...node.files].filter(([path]) => !path.startsWith('/volumes/')).sort(byName)),
    markers: Object.fromEntries([...node.markers].filter(([key]) => !/^(?:loaded|made)\./.test(key)).sort(byName)),
    volumes: Object.fromEntries([...node.volumes].sort(byName).map(([name, files]) => [name, [...files.keys()]])),
  }));
}

function byName(a: readonly [string, unknown], b: readonly [string, unknown]): number {
  return a[0] < b[0] ? -1 : 1;
}

/** Notes each moment at which processes of two versions of a container ran. */
export function watchForMixedVersions(world: SimulatedWorld, container: string): string[] {
  const moments: string[] = [];
  const previous = world.after;
  world.after = (operation: Operation) => {
    previous(operation);
    const versions = new Set<string>();
    for (const node of world.nodes.values()) {
      for (const [, c] of [...node.containers].filter(([, c]) => c.labels[label.container] === container)) {
        if (c.state === 'running') versions.add(c.spec.image.digest);
      }
    }
    if (versions.size > 1) moments.push(`${operation.host} ${operation.call} ${operation.subject}`);
  };
  return moments;
}

/** Moments at which a magnum_api of another release took requests beside a conductor that did not know it yet. */
export function watchForCallsFromAhead(world: SimulatedWorld, old: string): string[] {
  const moments: string[] = [];
  const previous = world.after;
  world.after = (operation: Operation) => {
    previous(operation);
    const nodes = [...world.nodes.values()];
    const isOld = world.running('magnum_conductor').some((c) => c.spec.image.tag === old);
    const ahead = nodes.filter((node) => {
      const api = node.containers.get('magnum_api');
      return api?.state === 'running' && api.spec.image.tag !== old && !node.markers.has('drained.magnum_api');
    });
    if (isOld && ahead.length > 0) moments.push(`${operation.host} ${operation.call} ${operation.subject}`);
  };
  return moments;
}
