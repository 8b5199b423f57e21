import { dataVolume } from '../galera/member.ts';
import { label, type ObservedContainer } from '../model/node.ts';
import { clusterSecretFile } from './cluster-secret.ts';
import { nextSuffix, previousSuffix } from './compare.ts';
import { type Balancers, drain, undrain } from './drain.ts';
import { configSeen, filesRecorded, oldOf } from './generations.ts';
import type { Change } from './replace.ts';
import { PlanBuilder, type StepAction, type StepId } from './steps.ts';

/** What never served is not worth a long wait: the old one shall serve again within a minute. */
const graceSeconds = 5;
/** A member of a cluster may be in the middle of taking its data over. */
const memberGraceSeconds = 30;
/** Of the containers that are put back, beside their own health checks. */
const startAgainSeconds = 60;

export interface WayBackInput {
  readonly balancers: Balancers;
  /** Why nothing goes back to an older image, if so. */
  readonly noReturn?: string | undefined;
  /** The rollout this one must go back with. */
  readonly follows?: string | undefined;
  /** An interrupted run has begun the change. */
  readonly begunBefore?: boolean | undefined;
}

/** A replica stands or falls alone: the old one comes back where the new one fails. */
export function wayBackAlone(
  plan: PlanBuilder,
  { balancers, noReturn, follows, begunBefore }: WayBackInput,
  change: Change,
  triggers: readonly StepId[],
): void {
  const old = oldOf(change);
  if (old === undefined) return;
  const way = { ...start(change, [change.container.host], triggers), follows, begunBefore };
  if (noReturn !== undefined && changesImage(change, old)) {
    plan.waysBack.push({ ...way, steps: [], impossible: noReturn });
    return;
  }
  const back = new PlanBuilder('back/');
  // One that has run ahead takes requests already. It stops to, whatever the others do: the version it calls goes back.
  const ahead = follows === undefined ? [] : drain(back, change, balancers, [], 0);
  const ready = [...ahead, ...untouched(back, change, old)];
  const files = restore(plan, back, change, old, ready);
  const healthy = putBack(back, change, [...ready, ...files]);
  undrain(back, change, balancers, healthy);
  plan.waysBack.push({ ...way, steps: back.steps });
}

/** Versions must not mix on the way back either: every new one stops before the first old one starts. */
export function wayBackTogether(
  plan: PlanBuilder,
  { noReturn }: WayBackInput,
  changes: readonly Change[],
  settled: readonly Change[],
  triggers: readonly StepId[],
): void {
  const [first] = changes;
  const olds = changes.flatMap((change) => {
    const old = oldOf(change);
    return old === undefined ? [] : [{ change, old }];
  });
  if (first === undefined || olds.length === 0) return;
  const way = start(
    first,
    changes.map((change) => change.container.host),
    triggers,
  );
  const images = olds.some(({ change, old }) => changesImage(change, old));
  const mixed = `${settled.map((c) => c.container.host).join(', ')} run the new version already, and versions must not mix`;
  const impossible = images ? (noReturn ?? (settled.length > 0 ? mixed : undefined)) : undefined;
  if (impossible !== undefined) {
    plan.waysBack.push({ ...way, steps: [], impossible });
    return;
  }
  const back = new PlanBuilder('back/');
  const stopped = changes.map((change) =>
    back.add(
      base(change, [], 'versions must not mix'),
      { kind: 'stop', container: change.container.name, graceSeconds },
      change.container.name,
    ),
  );
  for (const change of changes) {
    if (olds.some((one) => one.change === change) || change.verdict.kind !== 'missing') continue;
    const { name } = change.container;
    back.add(base(change, stopped, 'was not there before'), { kind: 'remove', container: name }, name);
  }
  for (const { change, old } of olds) putBack(back, change, [...stopped, ...restore(plan, back, change, old, stopped)]);
  plan.waysBack.push({ ...way, steps: back.steps });
}

/** A reload that fails: the recorded files, and the same reload once more. */
export function wayBackOfReload(
  plan: PlanBuilder,
  where: {
    readonly service: string;
    readonly host: string;
    readonly directory: string;
    readonly triggers: readonly StepId[];
  },
  reload: Extract<StepAction, { kind: 'reload' }>,
): void {
  const { service, host, directory, triggers } = where;
  const { container } = reload;
  const back = new PlanBuilder('back/');
  const base = { service, host, impact: 'none' } as const;
  const files = back.add(
    { ...base, needs: [], reason: 'its new files were refused' },
    { kind: 'restore', container, directory },
    container,
  );
  back.add({ ...base, needs: [files], reason: 'runs with its old files again' }, reload, container);
  const rollout = `${service}/${container}/${host}/reload`;
  plan.waysBack.push({ rollout, service, container, triggers, steps: back.steps });
}

function start({ container }: Change, hosts: readonly string[], triggers: readonly StepId[]) {
  const rollout = `${container.service}/${container.name}/${hosts.join(',')}`;
  return { rollout, service: container.service, container: container.name, triggers };
}

function base({ container }: Change, needs: readonly StepId[], reason: string) {
  return { service: container.service, host: container.host, needs, reason, impact: 'none' } as const;
}

function changesImage(change: Change, old: ObservedContainer): boolean {
  return old.labels[label.imageDigest] !== change.image.digest;
}

/** The old version of a database must not see data that the new one has had its hands on. */
function untouched(back: PlanBuilder, change: Change, old: ObservedContainer): StepId[] {
  const { name, rollout, spec } = change.container;
  if (rollout.strategy !== 'galera' || !changesImage(change, old)) return [];
  const previous = `${name}${previousSuffix}`;
  const action = { kind: 'galera-untouched', container: name, previous, volume: dataVolume(spec) } as const;
  return [back.add(base(change, [], 'the old version cannot use what the new one has written'), action, name)];
}

/** The files the old one was started with, where they are not those of the new one. */
function restore(
  plan: PlanBuilder,
  back: PlanBuilder,
  change: Change,
  old: ObservedContainer,
  needs: readonly StepId[],
): StepId[] {
  const { name, directory } = change.container;
  if (configSeen(change, old) === change.files.configHash) return [];
  if (!filesRecorded(change, old)) {
    const note = `the present files of ${name} are not recorded on every host: where they are not, a way back starts the old container with the new files`;
    if (!plan.notices.includes(note)) plan.notices.push(note);
    return [];
  }
  const action = { kind: 'restore', container: name, directory } as const;
  const restored = [back.add(base(change, needs, 'its successor does not serve'), action, name)];
  return [...restored, ...keepSecret(back, change, old, restored)];
}

/** A member that comes back to a cluster which was down meanwhile finds the others with the secret they have now. */
function keepSecret(
  back: PlanBuilder,
  change: Change,
  old: ObservedContainer,
  needs: readonly StepId[],
): readonly StepId[] {
  const file = old.state === 'running' ? undefined : clusterSecretFile(change);
  if (file === undefined) return [];
  const { path, content, mode } = file;
  const { name } = change.container;
  const action = { kind: 'write', container: name, files: [{ path, content, mode }], remove: [] } as const;
  return [back.add(base(change, needs, 'the others have this one now'), action, name)];
}

/** The old container under its own name, serving; returns the step that says so. */
function putBack(back: PlanBuilder, change: Change, needs: readonly StepId[]): StepId[] {
  const { name, rollout, spec } = change.container;
  const member = rollout.strategy === 'galera' || rollout.strategy === 'rabbitmq';
  const put = back.add(
    base(change, needs, 'its successor does not serve'),
    {
      kind: 'put-back',
      container: name,
      previous: `${name}${previousSuffix}`,
      graceSeconds: member ? memberGraceSeconds : graceSeconds,
    },
    name,
  );
  const next = `${name}${nextSuffix}`;
  back.add(base(change, [put], 'never came to serve'), { kind: 'remove', container: next }, next);
  return [
    back.add(
      base(change, [put], 'must serve as before'),
      {
        kind: 'healthy',
        container: name,
        healthcheck: spec.healthcheck,
        ownCheck: true,
        patienceSeconds: Math.max(startAgainSeconds, rollout.health_patience),
        deadlineSeconds: rollout.health_deadline,
      },
      name,
    ),
  ];
}
