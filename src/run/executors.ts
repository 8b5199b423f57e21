import { type GenerationForm, generationMarkerKey } from '../core/model/generation.ts';
import { label } from '../core/model/node.ts';
import { loadedMarkerKey, madeMarkerKey } from '../core/plan/compare.ts';
import type { Step, StepKind, StepOf } from '../core/plan/steps.ts';
import { drainServers, undrainServers } from './drain.ts';
import { findPosition, keepState, waitUntilSynced } from './galera.ts';
import { clearData, copyData } from './galera-copy.ts';
import { formPrimary } from './galera-primary.ts';
import { checkCluster, checkUntouched, moveSessions, upgradeData } from './galera-rolling.ts';
import { passGate } from './gate.ts';
import { waitUntilHealthy } from './health.ts';
import { runHook } from './hook.ts';
import { distributeKeys } from './keys.ts';
import { runToEnd } from './one-shot.ts';
import type { NodePort } from './ports.ts';
import { awaitWholeCluster, handOver, obeyOrder } from './rabbitmq.ts';
import { failed, type StepContext } from './step-context.ts';
import { putData, runTask, setAside } from './task.ts';

/** Carries one kind of step out; the text it returns is shown beside the finished step. */
type Executor<K extends StepKind> = (step: StepOf<K>, context: StepContext) => Promise<string | undefined>;

type Executors = { readonly [K in StepKind]: Executor<K> };

/** Every kind of step has exactly one executor; a kind without one does not compile. */
export const executors: Executors = {
  pull: async (step, { node, progress }) => {
    const { pulled, attempts = 1 } = await node.pull(step.image, progress);
    if (!pulled) return 'was there';
    return attempts > 1 ? `at the ${attempts}. attempt` : undefined;
  },

  write: async (step, { node }) => {
    await node.writeFiles(step.files, step.remove);
    return undefined;
  },

  create: async (step, { node, runId }) => {
    const id = await node.create(step.as, step.spec, { ...step.labels, [label.run]: runId });
    const ids = step.replaces === undefined ? id : `${id} ${step.replaces}`;
    await node.writeMarker(madeMarkerKey(step.container), ids);
    return undefined;
  },

  stop: async (step, context) => {
    const { node } = context;
    const note = step.maintenance ? await handOver(step, context) : undefined;
    if (step.cleanly) await context.clients.shutDownCleanly(node, step.cleanly);
    await node.stop(step.container, step.graceSeconds);
    if (step.aside !== undefined) {
      await node.remove(step.aside);
      await node.rename(step.container, step.aside).catch(async (cause: unknown) => {
        // One that was made by hand with --rm is gone as soon as it has stopped.
        if ((await node.inspect(step.container)) !== undefined) throw cause;
      });
    }
    return note;
  },

  start: async (step, { node }) => {
    if (step.from !== undefined) await node.rename(step.from, step.container);
    await node.start(step.container);
    return undefined;
  },

  healthy: async (step, context) => {
    const note = await waitUntilHealthy(step, context);
    if (step.marker) await context.node.writeMarker(step.marker.key, step.marker.value);
    return note;
  },

  drain: drainServers,
  undrain: undrainServers,

  remove: async (step, { node }) => {
    await node.remove(step.container);
    return undefined;
  },

  record: async (step, { node, runId }) => {
    const form = await formToRecord(step, node);
    if (form === undefined) return 'nothing was noted before';
    await node.recordGeneration(step.directory, { ...form, run: runId, previous: null });
    await node.writeMarker(step.marker.key, step.marker.value);
    return undefined;
  },

  restore: async (step, { node }) => {
    if (await node.restoreGeneration(step.container, step.directory)) return undefined;
    throw failed(step, `nothing is recorded of ${step.container}`, 'its files could not be put back');
  },

  'put-back': async (step, { node }) => {
    const { container, previous } = step;
    if ((await node.inspect(previous)) !== undefined) {
      await node.stop(container, step.graceSeconds);
      await node.remove(container);
      await node.rename(previous, container);
    }
    if ((await node.inspect(container))?.running !== true) await node.start(container);
    return undefined;
  },

  reload: async (step, { node }) => {
    for (const argv of step.exec) {
      const result = await node.exec(step.container, argv, { user: 'root', timeoutMs: 60_000 });
      if (result.code !== 0) {
        throw failed(step, `${argv.join(' ')} in ${step.container} ended with ${result.code}: ${lastLine(result)}`);
      }
    }
    if (step.signal !== undefined) await node.signal(step.container, step.signal);
    const running = await node.inspect(step.container);
    if (running === undefined) throw failed(step, `${step.container} went away during its reload`);
    await node.writeMarker(loadedMarkerKey(step.container), `${running.id} ${step.configHash}`);
    return undefined;
  },

  'one-shot': runOneShot,

  databases: async (step, { node, clients }) => {
    const changes = await clients.ensureDatabases(node, step.wish);
    await node.writeMarker(step.marker.key, step.marker.value);
    return changes.join('; ') || 'was there';
  },

  identity: async (step, { node, clients }) => {
    const changes = await clients.ensureIdentity(node, step.wish);
    await node.writeMarker(step.marker.key, step.marker.value);
    return changes.length > 0 ? `${changes.length} changes` : 'was there';
  },

  messaging: async (step, { node, clients }) => {
    const changes = await clients.ensureMessaging(node, step.wish);
    await node.writeMarker(step.marker.key, step.marker.value);
    return changes.join('; ') || 'was there';
  },

  keys: distributeKeys,

  'galera-check': checkCluster,
  'galera-sessions': moveSessions,
  'galera-upgrade': upgradeData,
  'galera-untouched': checkUntouched,
  'rabbitmq-check': awaitWholeCluster,
  rabbitmq: obeyOrder,
  'galera-state': keepState,
  'galera-copy': copyData,
  'galera-clear': clearData,
  'galera-position': findPosition,
  'galera-primary': formPrimary,
  'galera-synced': waitUntilSynced,

  'database-account': async (step, { node, clients }) => {
    const changes = await clients.ensureAccount(node, step);
    return changes.join('; ') || 'was there';
  },
  task: runTask,
  'set-aside': setAside,
  'put-data': putData,

  gate: passGate,
  hook: runHook,

  wipe: async (step, { node }) => {
    await node.writeFiles([], step.paths);
    await node.removeVolumes(step.volumes);
    const recorded = step.markers.filter((key) => key.startsWith(generationMarkerKey('')));
    await node.removeGenerations(recorded.map((key) => key.slice(generationMarkerKey('').length)));
    await node.removeMarkers(step.markers);
    return undefined;
  },
};

/** Dispatch on the kind; the table's type guarantees that step and executor fit. */
export function execute(step: Step, context: StepContext): Promise<string | undefined> {
  const executor = executors[step.kind] as Executor<StepKind>;
  return executor(step as StepOf<StepKind>, context);
}

async function formToRecord(step: StepOf<'record'>, node: NodePort): Promise<GenerationForm | undefined> {
  const { container, directory, generation } = step;
  if ('spec' in generation) return generation;
  const before = await node.readGeneration(container, directory, 'current');
  return before && { ...before.generation, ...generation };
}

async function runOneShot(step: StepOf<'one-shot'>, context: StepContext): Promise<string | undefined> {
  await runToEnd(step, context);
  await context.node.writeMarker(step.marker.key, step.marker.value);
  return undefined;
}

function lastLine(result: { stdout: string; stderr: string }): string {
  const lines = `${result.stdout}\n${result.stderr}`.trim().split('\n');
  return lines[lines.length - 1] ?? '';
}
