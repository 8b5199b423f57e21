import type { Desired, DesiredContainer, DesiredService } from '../desired/model.ts';
import { type Diagnostic, error } from '../model/diagnostic.ts';
import type { ContainerName, HostName } from '../model/node.ts';
import type { Context } from './context.ts';
import { untoldValue } from './drain.ts';
import { isDeployed, type Observed, verbPolicy } from './policy.ts';
import { rolloutSize } from './rollout-limits.ts';
import type { Step } from './steps.ts';

/** One container of which replicas are on hosts that cannot be reached. */
interface Group {
  readonly service: DesiredService;
  readonly container: DesiredContainer;
  /** All hosts of its group. */
  readonly hosts: readonly HostName[];
  readonly unreachable: readonly HostName[];
}

/**
 * Why a run must not go on without the hosts that cannot be reached. What is there counts as away, whatever it does:
 * a replica is taken only when that leaves enough, a member of a cluster never, and nothing is made anew that one of
 * those hosts may have already.
 */
export function checkUnreachable(context: Context): Diagnostic[] {
  const { desired, unreachable = [], plan } = context;
  if (unreachable.length === 0) return [];
  return [
    ...checkMembers(desired, unreachable, plan.steps),
    ...groupsOf(desired, unreachable).flatMap((group) => [
      ...checkBudget(group, context),
      ...checkKeys(group, context),
    ]),
    ...desired.services.flatMap((service) => checkHome(service, unreachable, context)),
  ];
}

/** Members of clusters stay as they are while another one cannot be seen; of any plan, those of `stop` and `destroy` too. */
export function checkMembers(
  desired: Desired,
  unreachable: readonly HostName[],
  steps: readonly Step[],
): readonly Diagnostic[] {
  return groupsOf(desired, unreachable).flatMap(({ service, container, hosts, unreachable: silent }) => {
    if (!isMember(container)) return [];
    const { name } = container;
    const changed = hostsOf(steps.filter((step) => step.service === service.name && touches(step, name)));
    const touched = hosts.filter((host) => changed.includes(host));
    if (touched.length === 0) return [];
    const message = `${service.name}: ${name} on ${touched.join(', ')} is not touched while ${silent.join(', ')} cannot be reached: a member is taken only from a whole cluster`;
    return [error('member-unreachable', message, { hint: remedy(silent, service.name) })];
  });
}

/** What the operator should know of a plan that is carried out without some hosts. */
export function unreachableNotices({ desired, unreachable = [], plan }: Context): string[] {
  const balancers = unreachable.filter((host) => desired.fragmentPaths.has(host));
  const drains = plan.steps.some(({ kind }) => kind === 'drain' || kind === 'undrain');
  if (balancers.length === 0 || !drains) return [];
  return [
    `load balancers on ${balancers.join(', ')} cannot be reached and are left out of drains: if they still take requests, they notice by their own checks only that a replica is away`,
  ];
}

/**
 * A replica that an earlier run left drained may be drained in load balancers that are not part of this one too. Its
 * marker stays then, for the run that can tell them.
 */
export function withUntold(steps: readonly Step[], { fragmentPaths, balancers }: Desired, observed: Observed): Step[] {
  const untold = [...fragmentPaths.keys()].filter((host) => !balancers.some((one) => one.host === host));
  return steps.map((step) =>
    step.kind === 'undrain' && untold.length > 0 && observed.get(step.host)?.markers[step.marker.key] !== undefined
      ? { ...step, untold: untoldValue(untold) }
      : step,
  );
}

function groupsOf(desired: Desired, unreachable: readonly HostName[]): Group[] {
  return desired.services.flatMap((service) =>
    [...service.groupHosts].flatMap(([name, hosts]) => {
      const container = service.containers.find((one) => one.name === name);
      const silent = hosts.filter((host) => unreachable.includes(host));
      return container === undefined || silent.length === 0 ? [] : [{ service, container, hosts, unreachable: silent }];
    }),
  );
}

function isMember({ rollout: { strategy } }: DesiredContainer): boolean {
  return strategy === 'galera' || strategy === 'rabbitmq';
}

function touches(step: Step, name: ContainerName): boolean {
  return 'container' in step && step.container === name && step.kind !== 'record';
}

/** Where versions must not mix, all replicas are away together by definition. */
function checkBudget({ service, container, hosts, unreachable }: Group, { plan, limits = {} }: Context): Diagnostic[] {
  const { name, rollout } = container;
  if (rollout.strategy !== 'rolling') return [];
  const taken = hostsOf(
    plan.steps.filter((step) => step.kind === 'stop' && step.container === name && step.away !== undefined),
  );
  const may = hosts.length - rolloutSize(rollout.batch, hosts.length, limits).keep;
  const needed = unreachable.length + 1;
  if (taken.length === 0 || needed <= may) return [];
  const message = `${service.name}: ${name} on ${taken.join(', ')} is not taken away while ${unreachable.join(', ')} cannot be reached: ${needed} of ${hosts.length} replicas would be away, and ${may} may be`;
  const hint = `${remedy(unreachable, service.name)}, or allow more to be away with --max-unavailable ${needed}`;
  return [error('too-few-reachable', message, { hint })];
}

/** Keys that are made while others exist elsewhere would have to be sorted out by hand. */
function checkKeys({ service, container, unreachable }: Group, { plan, observed }: Context): Diagnostic[] {
  const made = plan.steps.some(
    (step) =>
      step.kind === 'keys' &&
      step.wish.container === container.name &&
      !step.holders.some(({ host }) => observed.get(host)?.markers[step.marker.key] === step.marker.value),
  );
  if (!made) return [];
  const message = `${service.name}: new keys would be made for ${container.name}, and ${unreachable.join(', ')}, which may hold some, cannot be reached`;
  return [error('keys-unreachable', message, { hint: remedy(unreachable, service.name) })];
}

/** Before a service's first deployment its databases are made and migrated, on its first host. */
function checkHome(service: DesiredService, unreachable: readonly HostName[], context: Context): Diagnostic[] {
  const { name, home, migrating, containers } = service;
  if (home === undefined || !unreachable.includes(home) || migrating.size === 0 || containers.length === 0) return [];
  if (!verbPolicy[context.verb].newServices || isDeployed(containers, context.observed)) return [];
  const message = `${name} is on no host yet that can be reached, and ${home}, where its databases and migrations are made, cannot be`;
  return [error('home-unreachable', message, { hint: remedy([home], name) })];
}

function hostsOf(steps: readonly Step[]): HostName[] {
  return [...new Set(steps.map((step) => step.host))];
}

function remedy(hosts: readonly HostName[], service: string): string {
  return `bring ${hosts.join(', ')} back first, or leave this out with --skip-tags ${service}`;
}
