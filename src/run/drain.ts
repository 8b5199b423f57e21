import type { StepOf } from '../core/plan/steps.ts';
import { endIdleSessions } from './galera-rolling.ts';
import type { NodePort } from './ports.ts';
import { failed, type StepContext } from './step-context.ts';

interface Balancer {
  readonly node: NodePort;
  readonly container: string;
}

const pollMs = 100;
/** A database notes its transactions for those who ask ten times a second at most. */
const sessionPollMs = 200;
/** A replica that has only just come back may still fail a check of a load balancer. */
const othersPatienceMs = 30_000;

/**
 * Takes the servers out of every load balancer and waits until their sessions have ended, or their time is over: then
 * the graceful stop of the service itself has to do. Before that enough others must take requests, as each load
 * balancer sees them; otherwise nothing is changed and the step fails.
 */
export async function drainServers(step: StepOf<'drain'>, context: StepContext): Promise<string | undefined> {
  const { node, clients, clock } = context;
  const balancers = balancersOf(step, context);
  await othersServe(step, context, balancers);
  // Noted before the first order: whatever happens now, the next run knows what to put back.
  await node.writeMarker(step.marker.key, step.marker.value);
  await Promise.all(balancers.map((b) => clients.setServers(b.node, b.container, 'drain', step.servers)));
  const started = clock.now();
  let refused = '';
  for (;;) {
    const share = (clock.now() - started) / (step.patienceSeconds * 1000);
    if (step.sessions) {
      // Its graceful stop ends them too, only less kindly.
      await endIdleSessions(step.sessions, share, context).catch((cause: unknown) => {
        refused = `: ${cause instanceof Error ? cause.message : String(cause)}`;
      });
    }
    const counts = await Promise.all(balancers.map((b) => clients.countSessions(b.node, b.container, step.servers)));
    const sessions = counts.reduce((sum, count) => sum + count, 0);
    if (sessions === 0) return undefined;
    if (clock.now() - started > step.patienceSeconds * 1000)
      return `${sessions} sessions did not end in time${refused}`;
    await clock.sleep(step.sessions ? sessionPollMs : pollMs);
  }
}

async function othersServe(step: StepOf<'drain'>, context: StepContext, balancers: readonly Balancer[]): Promise<void> {
  if (step.keep === 0) return;
  const { clients, clock } = context;
  const started = clock.now();
  for (;;) {
    const counts = await Promise.all(balancers.map((b) => clients.countOthers(b.node, b.container, step.servers)));
    const [least] = balancers.map((b, i) => ({ host: b.node.host, count: counts[i] ?? 0 })).sort(byCount);
    if (least === undefined || least.count >= step.keep) return;
    if (clock.now() - started > othersPatienceMs) {
      throw failed(
        step,
        `${step.container} stays: the load balancer on ${least.host} sees ${least.count} other replicas that take requests, ${step.keep} are needed`,
        'mend those first (deploy status), or allow more to be away with --max-unavailable',
      );
    }
    await clock.sleep(pollMs);
  }
}

function byCount(a: { readonly count: number }, b: { readonly count: number }): number {
  return a.count - b.count;
}

/** Puts the servers back into every load balancer. */
export async function undrainServers(step: StepOf<'undrain'>, context: StepContext): Promise<string | undefined> {
  const balancers = balancersOf(step, context);
  await Promise.all(balancers.map((b) => context.clients.setServers(b.node, b.container, 'undrain', step.servers)));
  if (step.untold === undefined) await context.node.removeMarkers([step.marker.key]);
  else await context.node.writeMarker(step.marker.key, step.untold);
  return undefined;
}

function balancersOf(step: StepOf<'drain'> | StepOf<'undrain'>, { nodes }: StepContext): Balancer[] {
  return step.balancers.map(({ host, container }) => {
    const node = nodes.get(host);
    if (node === undefined) throw new Error(`${host} is not connected`);
    return { node, container };
  });
}
