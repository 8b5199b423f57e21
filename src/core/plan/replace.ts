import type { DesiredContainer } from '../desired/model.ts';
import type { Marker } from '../model/marker.ts';
import {
  type ContainerName,
  type ContainerSpec,
  type HostName,
  imageName,
  label,
  type ObservedNode,
  type PinnedImage,
} from '../model/node.ts';
import {
  type ContainerVerdict,
  type FileChange,
  nextSuffix,
  previousSuffix,
  replacedId,
  temporarySuffix,
} from './compare.ts';
import { asideIsBetter, setAside } from './generations.ts';
import type { Away, Impact, PlanBuilder, StepId, StepOf } from './steps.ts';

/** One container on one host that is not what it should be. */
export interface Change {
  readonly container: DesiredContainer;
  readonly image: PinnedImage;
  readonly files: FileChange;
  readonly verdict: ContainerVerdict;
  readonly node: ObservedNode;
  readonly pull?: StepId | undefined;
}

/** What the steps of one change wait for, beyond each other. */
export interface Waits {
  readonly before: readonly StepId[];
  /** What a member of a cluster waits for beyond that. */
  readonly member?: MemberWaits | undefined;
  readonly beforeStart?: readonly StepId[];
  /** Left on the node once the replica serves. */
  readonly marker?: Marker | undefined;
  /** It is replaced while the phase before still goes on. */
  readonly early?: Early | undefined;
  /** Replicas that must serve while this one is away. */
  readonly keep: number;
  readonly away?: Away | undefined;
}

/** Each adds the steps a member needs at that point, after those it is given, and returns them; none where it needs none. */
export interface MemberWaits {
  /** Before it is stopped. */
  leave(needs: readonly StepId[]): readonly StepId[];
  /** Before its successor starts. */
  enter(needs: readonly StepId[]): readonly StepId[];
  /** Once that is healthy, before it counts as serving. */
  joined(needs: readonly StepId[]): readonly StepId[];
  /** Once it is drained, right before it is stopped. */
  readonly stop?: (needs: readonly StepId[]) => readonly StepId[];
  /** Once its successor runs, before that is asked for its health. */
  readonly started?: (needs: readonly StepId[]) => readonly StepId[];
  /** Once that takes requests again. */
  readonly back?: (needs: readonly StepId[]) => readonly StepId[];
  /** A database's server: its idle sessions end while it is drained, and it stops cleanly for another image. */
  readonly server?: StepOf<'stop'>['cleanly'];
}

/** What the replicas of a phase wait for that goes on beside the phase before it. */
export interface Early {
  /** Before the first of them is taken away: what the phase before itself waits for. */
  readonly needs: readonly StepId[];
  /** Before a new one takes requests: nothing old of the phase before runs any more. */
  readonly stopped: readonly StepId[];
  /** Before their predecessors are removed: the phase before is done. */
  readonly done: readonly StepId[];
  /** The rollout of the phase before, and what it replaces: when that goes back, they do too. */
  readonly follows: string;
  readonly beside: ContainerName;
}

export interface Prepared {
  readonly change: Change;
  readonly ids: readonly StepId[];
}

export function base(change: Change, needs: readonly StepId[], reason: string, impact: Impact = 'none') {
  const { service, host } = change.container;
  return { service, host, rollout: rolloutOf(change.container), needs, reason, impact };
}

/** The name of a container's change, on whatever hosts it takes place. */
export function rolloutOf({ service, name }: Pick<DesiredContainer, 'service' | 'name'>): string {
  return `${service}/${name}`;
}

export function isServing(change: Change): boolean {
  return seen(change)?.state === 'running';
}

export function seen(change: Change) {
  return change.node.containers.find((c) => c.name === change.container.name);
}

function subject(change: Change): string {
  return change.container.name;
}

/** Labels of a container of ours; the run adds its own id. */
export function labelsFor(site: string, change: Pick<Change, 'container' | 'image' | 'files'>): Record<string, string> {
  return {
    [label.site]: site,
    [label.service]: change.container.service,
    [label.container]: change.container.name,
    [label.specHash]: change.container.specHash,
    [label.configHash]: change.files.configHash,
    [label.imageDigest]: change.image.digest,
    [label.image]: imageName(change.image),
  };
}

/** Files that differ are written (and stale ones removed), if there are any. */
export function writeFiles(plan: PlanBuilder, change: Change, needs: readonly StepId[], reason: string): StepId[] {
  const { write, remove } = change.files;
  if (write.length === 0 && remove.length === 0) return [];
  const files = write.map(({ path, content, mode }) => ({ path, content, mode }));
  return plan.once(`${change.container.host} ${change.container.directory}`, () =>
    plan.add(
      base(change, needs, reason),
      { kind: 'write', container: subject(change), files, remove },
      subject(change),
    ),
  );
}

/** Everything that can be done while the old container still serves: files and the new container, created aside. */
export function prepare(
  plan: PlanBuilder,
  site: string,
  change: Change,
  needs: readonly StepId[],
  variation: { readonly environment?: Readonly<Record<string, string>> } = {},
): Prepared {
  const { container, verdict } = change;
  const reason = 'reason' in verdict ? verdict.reason : '';
  const written = writeFiles(plan, change, needs, reason);
  if (verdict.kind === 'start' && variation.environment === undefined) return { change, ids: written };
  const spec: ContainerSpec = {
    ...container.spec,
    image: change.image,
    environment: { ...container.spec.environment, ...variation.environment },
  };
  const labels = labelsFor(site, change);
  // A variation is not what is desired: with another spec hash any later plan replaces it.
  if (variation.environment !== undefined) labels[label.specHash] = `${container.specHash}${temporarySuffix}`;
  const create = plan.add(
    base(change, [...needs, ...written, ...(change.pull ? [change.pull] : [])], reason),
    {
      kind: 'create',
      container: container.name,
      as: temporaryName(change),
      spec,
      labels,
      replaces: replacedId(change.node, container.name),
    },
    subject(change),
  );
  return { change, ids: [...written, create] };
}

/** A container that stands beside a living one needs another name until it takes over. */
export function temporaryName(change: Change): string {
  return seen(change) === undefined ? change.container.name : `${change.container.name}${nextSuffix}`;
}

/**
 * Stop the old one (if any) and put it aside. One that an interrupted run left there and that was never known to serve
 * is removed instead, so that the way back leads to the one set aside before it.
 */
export function stopOld(
  plan: PlanBuilder,
  change: Change,
  needs: readonly StepId[],
  impact: Impact,
  away?: Away,
  member?: MemberWaits,
): StepId[] {
  const old = seen(change);
  if (old === undefined || change.verdict.kind === 'start') return [];
  const { name, rollout } = change.container;
  const previous = `${name}${previousSuffix}`;
  const unproven = asideIsBetter(change);
  const aside = unproven ? undefined : previous;
  // A way back from here must not find an older one under that name.
  const cleared = setAside(change) === undefined || unproven ? [] : remove(plan, change, needs, previous);
  const cost = isServing(change) ? { impact, away } : { impact: 'none' as const };
  const maintenance = (rollout.strategy === 'rabbitmq' && isServing(change)) || undefined;
  const newData = isServing(change) && old.labels[label.imageDigest] !== change.image.digest;
  const cleanly = newData ? member?.server : undefined;
  const special = { ...(maintenance && { maintenance }), ...(cleanly && { cleanly }) };
  const stop = plan.add(
    { ...base(change, [...needs, ...cleared], 'makes room for its successor'), ...cost },
    { kind: 'stop', container: name, graceSeconds: rollout.stop_grace, aside, ...special },
    name,
  );
  return unproven ? [stop, ...remove(plan, change, [stop], name)] : [stop];
}

function remove(plan: PlanBuilder, change: Change, needs: readonly StepId[], container: string): StepId[] {
  return [plan.add(base(change, needs, 'left over from an interrupted run'), { kind: 'remove', container }, container)];
}

/** Start the new one and wait until it is healthy; the last id stands for "this replica serves". */
export function startNew(
  plan: PlanBuilder,
  change: Change,
  needs: readonly StepId[],
  marker?: Marker,
  member?: MemberWaits,
): StepId[] {
  const { container } = change;
  const reason = 'reason' in change.verdict ? change.verdict.reason : '';
  const temporary = temporaryName(change);
  const from = change.verdict.kind !== 'start' && temporary !== container.name ? temporary : undefined;
  const start = plan.add(
    base(change, needs, reason),
    { kind: 'start', container: container.name, from },
    subject(change),
  );
  const there = [start, ...(member?.started?.([start]) ?? [])];
  return [...there, awaitHealthy(plan, change, there.slice(-1), marker)];
}

export function awaitHealthy(plan: PlanBuilder, change: Change, needs: readonly StepId[], marker?: Marker): StepId {
  const { rollout, spec, name } = change.container;
  return plan.add(
    base(change, needs, 'must serve before anything that follows'),
    {
      kind: 'healthy',
      container: name,
      healthcheck: spec.healthcheck,
      deadlineSeconds: rollout.health_deadline,
      patienceSeconds: rollout.health_patience,
      marker,
    },
    name,
  );
}

/** Removes what a replacement (this one, or an interrupted earlier one) left beside the container. */
export function removeOld(
  plan: PlanBuilder,
  change: Change,
  needs: readonly StepId[],
  extra: readonly string[] = [],
): StepId[] {
  const { name } = change.container;
  const replaced = seen(change) !== undefined && change.verdict.kind === 'replace' ? [`${name}${previousSuffix}`] : [];
  const left = change.node.containers
    .map((c) => c.name)
    .filter(
      (other) =>
        other === `${name}${previousSuffix}` || (other === `${name}${nextSuffix}` && change.verdict.kind !== 'replace'),
    )
    .sort();
  return [...new Set([...replaced, ...left, ...extra])].map((leftover) =>
    plan.add(
      base(change, needs, replaced.includes(leftover) ? 'its successor serves' : 'left over from an interrupted run'),
      { kind: 'remove', container: leftover },
      leftover,
    ),
  );
}

export function byHost(changes: readonly Change[], order: readonly HostName[]): Change[] {
  return [...changes].sort((a, b) => order.indexOf(a.container.host) - order.indexOf(b.container.host));
}

/** Volumes named in a bind (`mariadb:/var/lib/mysql`), those shared by all containers left out. */
export function ownVolumes(container: DesiredContainer): string[] {
  return container.spec.volumes
    .map((bind) => bind.split(':')[0] ?? '')
    .filter((source) => source !== '' && !source.startsWith('/') && source !== 'kolla_logs');
}
