import type { StepOf } from '../core/plan/steps.ts';
import type { NodePort } from './ports.ts';
import type { StepContext } from './step-context.ts';

/** As long as the load balancer itself waits for a server (`haproxy_server_timeout`): by then every session has ended. */
const drainPatienceMs = 60_000;
const pollMs = 250;

/** Takes the servers out of every load balancer and waits until their sessions have ended. */
export async function drainServers(step: StepOf<'drain'>, context: StepContext): Promise<string | undefined> {
  const { node, clients, clock } = context;
  const balancers = balancersOf(step, context);
  // Noted before the first order: whatever happens now, the next run knows what to put back.
  await node.writeMarker(step.marker.key, step.marker.value);
  await Promise.all(balancers.map((b) => clients.setServers(b.node, b.container, 'drain', step.servers)));
  const started = clock.now();
  for (;;) {
    const counts = await Promise.all(balancers.map((b) => clients.countSessions(b.node, b.container, step.servers)));
    const sessions = counts.reduce((sum, count) => sum + count, 0);
    if (sessions === 0) return undefined;
    if (clock.now() - started > drainPatienceMs) return `${sessions} sessions did not end in time`;
    await clock.sleep(pollMs);
  }
}

/** Puts the servers back into every load balancer. */
export async function undrainServers(step: StepOf<'undrain'>, context: StepContext): Promise<string | undefined> {
  const balancers = balancersOf(step, context);
  await Promise.all(balancers.map((b) => context.clients.setServers(b.node, b.container, 'undrain', step.servers)));
  await context.node.removeMarkers([step.marker.key]);
  return undefined;
}

function balancersOf(
  step: StepOf<'drain'> | StepOf<'undrain'>,
  { nodes }: StepContext,
): { readonly node: NodePort; readonly container: string }[] {
  return step.balancers.map(({ host, container }) => {
    const node = nodes.get(host);
    if (node === undefined) throw new Error(`${host} is not connected`);
    return { node, container };
  });
}
