import type { DesiredOneShot, DesiredService } from '../desired/model.ts';
import { type Diagnostic, error } from '../model/diagnostic.ts';
import type { HostName } from '../model/node.ts';
import { type Context, nodeOf } from './context.ts';
import { aloneProblems, leave, leavingMembers } from './galera-leave.ts';
import type { GaleraInput } from './galera-members.ts';
import { planOneShot } from './one-shot.ts';
import { ownVolumes } from './replace.ts';
import { galera, galeraFormedMarker, galeraNewCluster, type Strategy } from './rollout.ts';
import type { StepId } from './steps.ts';

/**
 * A cluster of which a member runs changes one member at a time; one of which nothing is there yet is formed. One that
 * is down and has data is left alone: nobody here knows which member has the last transaction.
 */
export function planGalera(context: Context, service: DesiredService, input: Parameters<Strategy>[1]): StepId[] {
  const { plan, observed } = context;
  const group = service.containers.filter((c) => input.changes.some((change) => change.container.name === c.name));
  const nodes = input.groupHosts.map((host) => nodeOf(context, host));
  const running = group.find((c) =>
    nodeOf(context, c.host)?.containers.some((o) => o.name === c.name && o.state === 'running'),
  );
  const cluster = galeraInput(service, input);
  if (running) return galera(plan, { ...input, ...beforeAlone(context, input) }, cluster, running.host);
  const name = input.changes[0]?.container.name ?? '';
  const volumes = new Set(group.flatMap(ownVolumes));
  const missing = input.groupHosts.filter((host) => !observed.has(host));
  const holders = input.groupHosts.filter((host) => nodeOf(context, host)?.volumes.some((v) => volumes.has(v)));
  const formed = nodes.some((node) => node?.markers[galeraFormedMarker.key] !== undefined);
  const oneShot = [...service.oneShots.values()].find((candidate) => isGaleraBootstrap(service, candidate));
  if (missing.length > 0) {
    const silent = missing.filter((host) => context.unreachable?.includes(host));
    const why = silent.length > 0 ? 'cannot be reached' : 'were not looked at';
    const who = silent.length > 0 ? silent : missing;
    context.diagnostics.push(
      error('galera-incomplete', `no ${name} runs, and ${who.join(', ')} of its group ${why}`, {
        hint: `a new Galera cluster is formed only when every member has been seen: ${silent.length > 0 ? 'bring them back first' : 'run without --limit'}`,
      }),
    );
    return [];
  }
  // One that was created but never ran, by a run that was interrupted there, has no data.
  const started = input.groupHosts.filter((host) =>
    nodeOf(context, host)?.containers.some((c) => c.name === name && c.state !== 'created'),
  );
  // A cluster of one: nobody else can have committed anything later.
  if (input.groupHosts.length === 1 && (formed || started.length > 0)) return galera(plan, input, cluster);
  if (formed || holders.some((host) => host !== input.groupHosts[0]) || started.length > 0 || oneShot === undefined) {
    context.diagnostics.push(galeraStopped(name, holders.length > 0 ? holders : started));
    return [];
  }
  const add = (needs: readonly StepId[]) => planOneShot(context, service, oneShot, needs);
  return galeraNewCluster(plan, input, cluster, { add, oneShot });
}

/** What is asked and done around the changes of a cluster's members. */
export function galeraInput(
  service: DesiredService,
  { site, groupHosts, balancers }: Pick<Parameters<Strategy>[1], 'site' | 'groupHosts' | 'balancers'>,
): GaleraInput {
  const { galera: servers = [], memberUpgrades: upgrades = new Map() } = service;
  return { site, groupHosts, balancers, servers, upgrades };
}

/** What the last member of a cluster waits for before it stands alone: those that leave it have left. */
function beforeAlone(
  { plan, desired, leftovers, diagnostics }: Context,
  { groupHosts, changes, needs }: Parameters<Strategy>[1],
): { needs?: readonly StepId[] } {
  const [change] = changes;
  if (groupHosts.length !== 1 || change === undefined || leftovers === undefined) return {};
  const { name, host } = change.container;
  const leaving = leavingMembers(desired, leftovers).filter(({ container }) => container === name);
  if (!leftovers.prune) diagnostics.push(...aloneProblems(name, host, leaving));
  if (!leftovers.prune || leaving.length === 0) return {};
  return { needs: leaving.reduce((before, one) => leave(plan, desired, leftovers, one, before), needs) };
}

function galeraStopped(name: string, holders: readonly HostName[]): Diagnostic {
  const what =
    holders.length > 0
      ? `there is data of a cluster on ${holders.join(', ')}`
      : 'its cluster was formed before: its data is gone, or not where it belongs';
  return error('galera-stopped', `${name} runs nowhere, but ${what}`, {
    hint: 'nothing is done here, so that no committed transaction is lost: deploy mariadb recover brings it back from the member with the latest one',
  });
}

/** Whether a one-shot makes the data directory of a Galera cluster. */
export function isGaleraBootstrap(service: DesiredService, oneShot: DesiredOneShot): boolean {
  return service.containers.some((c) => c.name === oneShot.container && c.rollout.strategy === 'galera');
}
