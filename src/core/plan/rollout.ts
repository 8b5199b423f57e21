import type { EvaluatedGate } from '../desired/gate.ts';
import type { DesiredOneShot } from '../desired/model.ts';
import type { Marker } from '../model/marker.ts';
import { type HostName, label } from '../model/node.ts';
import { type Balancers, drain, isDrainable, isLeftDrained, undrain, undrainLeft } from './drain.ts';
import { joinWaits } from './galera-join.ts';
import { type GaleraInput, galeraMember } from './galera-members.ts';
import { passGates } from './gates.ts';
import { isRecorded, oldOf, record } from './generations.ts';
import {
  awaitHealthy,
  type Change,
  type Early,
  isServing,
  type MemberWaits,
  prepare,
  removeOld,
  startNew,
  stopOld,
  type Waits,
  writeFiles,
} from './replace.ts';
import { type RolloutLimits, type RolloutSize, rolloutSize } from './rollout-limits.ts';
import { type SharedKeys, sharedKeys } from './shared-keys.ts';
import type { PlanBuilder, StepId } from './steps.ts';
import { wayBackAlone, wayBackTogether } from './ways-back.ts';

/** What a strategy gets: the changes of one container on all its hosts, in inventory order. */
export interface RolloutInput {
  readonly site: string;
  readonly changes: readonly Change[];
  /** Hosts of the container's whole group, selected or not. */
  readonly groupHosts: readonly HostName[];
  readonly needs: readonly StepId[];
  /** Must pass before the next batch. */
  readonly gates: readonly EvaluatedGate[];
  /** Load balancers that are running; a replica is drained there before it is stopped. */
  readonly balancers: Balancers;
  /** The whole service is selected, so its load balancer entries are there. */
  readonly whole: boolean;
  readonly limits: RolloutLimits;
  /** Replicas on hosts that cannot be reached: they count as away. */
  readonly missing: number;
  /** Replicas that an interrupted run replaced and that are not known to serve yet. */
  readonly unconfirmed: readonly Change[];
  /** Replicas that are as wanted. */
  readonly settled: readonly Change[];
  /** Why nothing of this service goes back to an older image, if so. */
  readonly noReturn?: string | undefined;
  readonly keys?: SharedKeys | undefined;
  /** Goes on beside the phase before. */
  readonly early?: Early | undefined;
  /** For a change of a cluster's member, asked in the order of the rollout. */
  readonly memberOf?: ((change: Change) => MemberWaits) | undefined;
}

/** Adds the steps of one container's rollout; returns the steps that stand for "all done". */
export type Strategy = (plan: PlanBuilder, input: RolloutInput) => StepId[];

export function rolling(plan: PlanBuilder, input: RolloutInput): StepId[] {
  const fresh = input.changes.every((change) => !isServing(change));
  const { groupHosts, limits, missing } = input;
  const size = rolloutSize(input.changes[0]?.container.rollout.batch ?? 1, groupHosts.length, limits, missing);
  return inBatches(plan, input, fresh ? { ...size, batch: input.changes.length } : size);
}

export function oneAtATime({ groupHosts }: Pick<RolloutInput, 'groupHosts'>): RolloutSize {
  return { batch: 1, keep: Math.max(0, groupHosts.length - 1) };
}

/** Replicas that do not serve come first: bringing them up never takes one away. */
function inOrder(changes: readonly Change[]): Change[] {
  const serving = changes.filter(isServing);
  const reverse = changes[0]?.container.rollout.order === 'reverse';
  return [...changes.filter((c) => !isServing(c)), ...(reverse ? serving.reverse() : serving)];
}

export function inBatches(plan: PlanBuilder, input: RolloutInput, { batch: size, keep }: RolloutSize): StepId[] {
  const ordered = inOrder(input.changes);
  const keys = sharedKeys(plan, input);
  const early = ordered.every((change) => mayBeginEarly(change, input.balancers)) ? input.early : undefined;
  const serving = input.changes.filter(isServing).length;
  const away = { count: Math.min(size, serving) + input.missing, of: input.groupHosts.length, beside: early?.beside };
  let before: readonly StepId[] = early ? early.needs : input.needs;
  // An interrupted run may have ended between a batch and its gates.
  const begun = input.unconfirmed.length > 0 || input.settled.some((change) => !isRecorded(change));
  if (begun && ordered.some(isServing)) before = betweenBatches(plan, input, before);
  const done: StepId[] = [];
  for (let at = 0; at < ordered.length; at += size) {
    const ends = ordered.slice(at, at + size).map((change) => {
      const member = input.memberOf?.(change);
      const waits: Waits = { before, beforeStart: keys.distributed, keep, away, early, member };
      return replaceOne(plan, input, change, waits, keys.prepared.get(change));
    });
    before = ends.map((end) => end.serving);
    if (at + size < ordered.length && ordered.some(isServing)) before = betweenBatches(plan, input, before);
    done.push(...ends.flatMap((end) => end.all));
  }
  return done;
}

/** Whatever becomes of the phase before, it can keep requests away meanwhile and go back. */
function mayBeginEarly(change: Change, balancers: Balancers): boolean {
  return isServing(change) ? isDrainable(change, balancers) : oldOf(change) !== undefined;
}

/** A cluster that is only just being formed cannot pass yet: its gates are asked at the end. */
function betweenBatches(plan: PlanBuilder, input: RolloutInput, needs: readonly StepId[]): readonly StepId[] {
  const service = input.changes[0]?.container.service ?? '';
  if (input.gates.length === 0) return needs;
  return passGates(plan, service, input.gates, [...needs, ...input.needs], 'must pass before the next batch');
}

function replaceOne(
  plan: PlanBuilder,
  { site, balancers, whole, noReturn }: Pick<RolloutInput, 'site' | 'balancers' | 'whole' | 'noReturn'>,
  change: Change,
  waits: Waits,
  preparedAlready?: readonly StepId[],
): { serving: StepId; all: StepId[] } {
  const ready = [...waits.before, ...(preparedAlready ?? prepare(plan, site, change, waits.before).ids)];
  const { member } = waits;
  const mayLeave = (isServing(change) && member?.leave(ready)) || [];
  const drained = drain(plan, change, balancers, [...ready, ...mayLeave], waits.keep, member?.server);
  const mayStop = (isServing(change) && member?.stop?.([...ready, ...mayLeave, ...drained])) || [];
  const left = [...mayLeave, ...drained, ...mayStop];
  const stopped = stopOld(plan, change, [...ready, ...left], 'replica', waits.away, member);
  const gone = [...ready, ...stopped];
  const needs = [...gone, ...(member?.enter(gone) ?? []), ...(waits.beforeStart ?? [])];
  const started = startNew(plan, change, needs, waits.marker, member);
  const joined = member?.joined(started.slice(-1)) ?? [];
  const healthy = joined.length > 0 ? joined.slice(-1) : started.slice(-1);
  const known = whole || isServing(change) || isLeftDrained(change) ? balancers : [];
  const { early } = waits;
  const announced = undrain(plan, change, known, [...healthy, ...(early?.stopped ?? [])]);
  const moved = member?.back?.([...announced, ...healthy].slice(0, 1)) ?? [];
  const [serving = ''] = [...moved, ...announced, ...healthy];
  const settled = [serving, ...(early?.done ?? [])];
  const removed = removeOld(plan, change, settled);
  record(plan, change, settled, served);
  // One that runs ahead may have to go back from every stage.
  const triggers = early
    ? [...drained, ...stopped, ...started, ...announced]
    : [...mayStop, ...stopped, ...started, ...joined];
  const begunBefore = early !== undefined && !isServing(change);
  wayBackAlone(plan, { balancers, noReturn, follows: early?.follows, begunBefore }, change, triggers);
  return { serving, all: [serving, ...removed] };
}

const served = 'it serves';

/** Goes on where a run was interrupted after it had started a new container: does that one serve? */
export function confirm(plan: PlanBuilder, input: RolloutInput, change: Change): { serving: StepId; all: StepId[] } {
  const { early, balancers, noReturn } = input;
  const needs = early?.needs ?? input.needs;
  const written = writeFiles(plan, change, needs, 'changed on the node');
  const healthy = awaitHealthy(plan, change, [...needs, ...written]);
  const joined = input.memberOf?.(change).joined([healthy]) ?? [];
  const [ready = healthy] = joined;
  const announced = undrainLeft(plan, change, balancers, [ready, ...(early?.stopped ?? [])]);
  const [serving = ready] = announced;
  const settled = [serving, ...(early?.done ?? [])];
  const removed = removeOld(plan, change, settled);
  record(plan, change, settled, served);
  const follows = early?.follows;
  wayBackAlone(plan, { balancers, noReturn, follows, begunBefore: true }, change, [healthy, ...joined, ...announced]);
  return { serving, all: [serving, ...removed] };
}

/**
 * Versions must not mix: new ones are created everywhere beforehand, then all old ones are stopped, and only when
 * the last one is gone the new ones start.
 */
export function together(plan: PlanBuilder, input: RolloutInput): StepId[] {
  const { changes, unconfirmed } = input;
  const prepared = changes.flatMap((change) => prepare(plan, input.site, change, input.needs).ids);
  const ready = prepared.length > 0 ? prepared : input.needs;
  const away = { count: changes.filter(isServing).length, of: input.groupHosts.length };
  const stopped = changes.flatMap((change) => stopOld(plan, change, ready, 'service', away));
  const started = changes.map((change) => startNew(plan, change, [...ready, ...stopped]));
  const awaited = unconfirmed.map((change) => {
    const written = writeFiles(plan, change, input.needs, 'changed on the node');
    return awaitHealthy(plan, change, [...input.needs, ...written]);
  });
  // Until the last one serves, all may have to go back.
  const serving = [...started.flatMap((ids) => ids.slice(-1)), ...awaited];
  const all = [...changes, ...unconfirmed];
  const removed = all.flatMap((change) => removeOld(plan, change, serving));
  for (const change of all) record(plan, change, serving, served);
  wayBackTogether(plan, input, all, input.settled, [...stopped, ...started.flat(), ...awaited]);
  return [...serving, ...removed];
}

/** A member joins or is replaced only while all the others are Synced in one Primary component. */
export function galera(plan: PlanBuilder, input: RolloutInput, cluster: GaleraInput, living?: HostName): StepId[] {
  const ordered = inOrder(input.changes);
  const { keep } = oneAtATime(input);
  const away = { count: 1, of: input.groupHosts.length };
  let members = input.groupHosts.length - ordered.filter((c) => !isServing(c)).length;
  let before: readonly StepId[] = input.needs;
  const done: StepId[] = [];
  for (const change of ordered) {
    if (!isServing(change)) members += 1;
    const waits = galeraMember(plan, cluster, change, members);
    const member = isServing(change) ? waits : joinWaits(plan, change, living, waits);
    const end = replaceOne(plan, input, change, { before, marker: formedMarkerFor(input, change), keep, away, member });
    before = change === ordered.at(-1) ? [end.serving] : betweenBatches(plan, input, [end.serving]);
    done.push(...end.all);
  }
  return done;
}

/** An interrupted run may have formed the cluster without noting it. */
function formedMarkerFor(input: RolloutInput, { container, node }: Change): Marker | undefined {
  const noted = node.markers[galeraFormedMarker.key] !== undefined;
  return container.host === input.groupHosts[0] && !noted ? galeraFormedMarker : undefined;
}

/** Marker on the first host: the cluster has once been formed and must never be formed anew. */
export const galeraFormedMarker = { key: 'galera.formed', value: 'yes' } as const;

/**
 * A new cluster: the data directory is made on the first host, which then starts alone as a cluster of one; the
 * others join one after another; at last the first is replaced by its lasting form.
 */
export function galeraNewCluster(
  plan: PlanBuilder,
  input: RolloutInput,
  cluster: GaleraInput,
  bootstrap: { readonly add: (needs: readonly StepId[]) => StepId[]; readonly oneShot: DesiredOneShot },
): StepId[] {
  const [first, ...joiners] = input.changes.map(neverRan);
  if (first === undefined) return [];
  const written = writeFiles(plan, first, input.needs, 'missing');
  const ready = [...input.needs, ...written];
  const made = bootstrap.add(ready);
  const onlyFiles: Change = {
    ...first,
    verdict: { kind: 'missing', reason: 'forms the new cluster' },
    files: { ...first.files, write: [], remove: [] },
  };
  const forming = prepare(plan, input.site, onlyFiles, [...ready, ...made], {
    environment: { BOOTSTRAP_ARGS: '--wsrep-new-cluster' },
  });
  const formed = startNew(plan, onlyFiles, forming.ids, galeraFormedMarker);
  const { keep } = oneAtATime(input);
  let before: readonly StepId[] = formed.slice(-1);
  const done: StepId[] = [];
  for (const joiner of joiners) {
    const end = replaceOne(plan, input, joiner, { before, keep });
    before = [end.serving];
    done.push(...end.all);
  }
  return [...done, ...galeraLasting(plan, input, cluster, lastingForm(onlyFiles), before)];
}

/** The member that formed a cluster gets its lasting form once all of `input.groupHosts` are in it. */
export function galeraLasting(
  plan: PlanBuilder,
  input: Pick<RolloutInput, 'site' | 'balancers' | 'whole' | 'noReturn' | 'groupHosts'>,
  cluster: GaleraInput,
  lasting: Change,
  before: readonly StepId[],
): StepId[] {
  const of = input.groupHosts.length;
  const member = galeraMember(plan, cluster, lasting, of);
  return replaceOne(plan, input, lasting, { before, keep: oneAtATime(input).keep, away: { count: 1, of }, member }).all;
}

/** A container that was created and never ran is as good as none: the next one of that name takes its place. */
function neverRan(change: Change): Change {
  const containers = change.node.containers.filter((c) => c.name !== change.container.name);
  return { ...change, verdict: { kind: 'missing', reason: 'missing' }, node: { ...change.node, containers } };
}

/** The first member as it will stand once it has formed the cluster: running, and to be replaced by its lasting form. */
export function lastingForm(change: Change): Change {
  const { name } = change.container;
  const stand = {
    name,
    // Not known yet, and not that of any marker.
    id: 'forming',
    image: '',
    state: 'running',
    health: 'none',
    labels: { [label.imageDigest]: change.image.digest, [label.configHash]: change.files.configHash },
    created: 0,
    status: '',
  } as const;
  return {
    ...change,
    verdict: { kind: 'replace', reason: 'lasting form of the member that formed the cluster' },
    node: { ...change.node, containers: [...change.node.containers.filter((c) => c.name !== name), stand] },
  };
}
