import type { Desired } from '../desired/model.ts';
import type { MemberEvidence, Position, SeenMember } from '../galera/evidence.ts';
import { planRecovery, type RecoveryMember } from '../galera/recover-plan.ts';
import type { HostName, ObservedNode } from '../model/node.ts';
import type { Balancers } from '../plan/drain.ts';
import { type Impact, type Plan, PlanBuilder, type Step, type StepAction, type StepId } from '../plan/steps.ts';
import { type Backup, whenText } from './backup.ts';
import { type BackupSettings, memberOf, toolStep } from './tool.ts';

export interface RestoreInput {
  readonly settings: BackupSettings;
  readonly desired: Desired;
  /** Of the whole group, all of it seen; in the inventory's order. */
  readonly evidence: readonly SeenMember[];
  readonly members: readonly RecoveryMember[];
  readonly groupHosts: readonly HostName[];
  readonly balancers: Balancers;
  readonly backup: Backup;
}

/**
 * Lies on a node as long as a restore is not over: `<backup> aside`, its own data is not there any more; `<backup>
 * placed`, the data of the backup is, whole.
 */
export const restoreMarkerKey = 'mariadb.restore';

/**
 * How to go on with a restore that is not over, as a hint; undefined where none is under way. Takes the nodes of the
 * group. Their data is neither the old one nor that of the backup: nothing else brings it back.
 */
export function unfinishedRestore(nodes: ReadonlyMap<HostName, Pick<ObservedNode, 'markers'>>): string | undefined {
  const begun = [...nodes].flatMap(([host, { markers }]) => {
    const value = markers[restoreMarkerKey];
    return value === undefined ? [] : [{ host, id: value.split(' ')[0] ?? '' }];
  });
  const [first] = begun;
  if (first === undefined) return undefined;
  const who = begun.map(({ host }) => host).join(', ');
  return `a restore of ${first.id} is not over (${who}): deploy mariadb restore --backup ${first.id} --accept-loss goes on with it`;
}

/** How far an interrupted restore of this backup has come. */
export type Progress =
  /** Nothing of it is there, or not all of the data: everything is done from the start. */
  | 'begin'
  /** The data is there, no server has run on it yet. */
  | 'placed'
  /** A server has: from here it is a cluster like any other, which is to be made whole. */
  | 'formed';

export function progressOf({ backup, members, evidence }: Omit<RestoreInput, 'settings'>): Progress {
  const { node } = memberOf(members, backup.host);
  if (node.markers[restoreMarkerKey] !== `${backup.id} placed`) return 'begin';
  return isInHistory(evidence.find(({ host }) => host === backup.host)) ? 'formed' : 'placed';
}

/** A server has run on its data as a member of a cluster. */
function isInHistory(member: SeenMember | undefined): boolean {
  const grastate = member?.grastate;
  return grastate !== undefined && grastate !== 'corrupt' && !/^[0-]+$/.test(grastate.uuid);
}

/**
 * All members get the data of a backup. It is checked and prepared beside what runs; then all members are stopped and
 * their data is taken out of the way; the member where the backup lies gets its data and forms a new cluster, with a new
 * history; the others join one by one with a full copy.
 */
export function planRestore(input: RestoreInput, progress: Exclude<Progress, 'formed'>): Plan {
  const { backup, members, settings } = input;
  const { host } = backup;
  const forming = formingPlan(input);
  const prefix = new PlanBuilder('restore/');
  // What may fail without harm goes first.
  const early = forming.steps.filter(({ kind, needs }) => needs.length === 0 && (kind === 'pull' || kind === 'write'));
  const ready = early.map(({ id }) => id);
  const placed = progress === 'placed' ? stopAll(prefix, input, ready) : placing(prefix, input, ready);
  const after = (step: Step): Step =>
    step.needs.length > 0 || early.includes(step) ? step : { ...step, needs: placed };
  const rest = forming.steps.map(after);
  const ends = rest.map(({ id }) => id);
  for (const member of members) {
    add(prefix, member, ends, 'the restore is over', forget(member));
  }
  const [over, before] = [prefix.steps.filter(isEnd), prefix.steps.filter((step) => !isEnd(step))];
  return {
    ...forming,
    verb: 'mariadb restore',
    site: settings.site,
    steps: [...early, ...before, ...rest.filter((step) => !early.includes(step)), ...over],
    notices: [...noticesOf(input, host), ...forming.notices],
  };
}

/** An interrupted restore of which only the markers are left to be removed. */
export function planForget(settings: BackupSettings, members: readonly RecoveryMember[]): Plan {
  const plan = new PlanBuilder();
  for (const member of members.filter(({ node }) => node.markers[restoreMarkerKey] !== undefined))
    add(plan, member, [], 'the restore is over', forget(member));
  const nothing = { notices: [], causes: [], drift: [], diffs: [], waysBack: [] };
  return { ...nothing, verb: 'mariadb restore', site: settings.site, steps: plan.steps };
}

/** What was registered in the database is as old as the backup: the next run looks again. */
function forget({ node }: RecoveryMember): StepAction {
  const registered = Object.keys(node.markers).filter((key) => /^(?:databases|identity)\./.test(key));
  return { kind: 'wipe', volumes: [], paths: [], markers: [restoreMarkerKey, ...registered] };
}

function isEnd({ kind }: Step): boolean {
  return kind === 'wipe';
}

/** The member with the data forms a cluster without naming a history: so it begins one that nobody else can be part of. */
function formingPlan({ desired, members, groupHosts, balancers, backup }: RestoreInput): Plan {
  const { host } = backup;
  const others = members.filter(({ place }) => place.host !== host);
  const order = others.map(({ place }) => ({ host: place.host, how: 'start', own: 'nothing', loss: false }) as const);
  // None of them answers by then.
  const stopped = members.map((member) => ({ ...member, answers: false }));
  const decision = { kind: 'bootstrap', host, donor: host, order, reasons: [] } as const;
  return planRecovery(decision, { desired, members: stopped, groupHosts, balancers });
}

/** Up to the data of the backup in the volume of its member; nothing is touched before it is prepared. */
function placing(plan: PlanBuilder, input: RestoreInput, needs: readonly StepId[]): StepId[] {
  const { backup, members, settings, evidence } = input;
  const { id, host } = backup;
  const holder = memberOf(members, host);
  const prepared = toolStep(plan, settings, holder, {
    what: `check and prepare ${id}, ${backup.dataSize} MB`,
    args: ['ready', id],
    needs,
    reason: 'before anything is touched',
  });
  const stops = stopAll(plan, input, [prepared]);
  const cleared = members.flatMap((member) => {
    const seen = evidence.find((one) => one.host === member.place.host);
    const marker = { key: restoreMarkerKey, value: `${id} aside` };
    // One that was finished in another way may have left its marker behind: data of a cluster is no half of anything.
    const begun = member.node.markers[restoreMarkerKey] !== undefined && !isInHistory(seen);
    if (seen?.data === 'missing' && !begun) return [];
    const { volume } = member.place;
    const keep = begun ? undefined : { volume: settings.volume, directory: `before-${id}`, roomMb: roomMb(backup) };
    const action = { kind: 'set-aside', container: member.container.name, volume, keep, marker } as const;
    const reason = begun ? 'an interrupted restore has left it' : 'makes room for what is restored';
    return [add(plan, member, [prepared, ...stops], reason, action)];
  });
  const put = {
    kind: 'put-data',
    container: holder.container.name,
    volume: holder.place.volume,
    from: { volume: settings.volume, directory: `restore-${id}` },
    marker: { key: restoreMarkerKey, value: `${id} placed` },
  } as const;
  return [add(plan, holder, [prepared, ...stops, ...cleared], `as it was at ${whenText(id)}`, put)];
}

function stopAll(plan: PlanBuilder, { members }: RestoreInput, needs: readonly StepId[]): StepId[] {
  return members.flatMap((member) => {
    const { name, rollout } = member.container;
    if (!member.node.containers.some((seen) => seen.name === name)) return [];
    const stop = { kind: 'stop', container: name, graceSeconds: rollout.stop_grace } as const;
    return [add(plan, member, needs, 'all data is replaced', stop, 'service')];
  });
}

/** For the data as it is restored, and what it grows by at once: its logs and Galera's cache. */
function roomMb({ dataSize }: Backup): number {
  return Math.ceil(dataSize * 1.2) + 512;
}

function add(
  plan: PlanBuilder,
  { container }: RecoveryMember,
  needs: readonly StepId[],
  reason: string,
  action: StepAction,
  impact: Impact = 'none',
): StepId {
  const { service, host, name } = container;
  return plan.add({ service, host, needs, reason, impact }, action, name);
}

function noticesOf({ backup, evidence, settings }: RestoreInput, host: HostName): string[] {
  const { id, position } = backup;
  const at = position ? ` (${position.uuid}:${position.seqno})` : '';
  return [
    `ALL DATA OF THE DATABASE is replaced by the backup of ${whenText(id)} on ${host}${at}: everything committed after it is lost`,
    ...evidence.flatMap((member) => lossText(member, position)),
    'every service is without its database from the first stop until the load balancer sees a member again',
    `what is there now is kept in the volume ${settings.volume} of each node, in before-${id}, where there is room for both`,
    'databases, accounts, passwords and records of Keystone are those of that time: deploy reconfigure brings them to what is wanted; what services have made elsewhere since (images, messages, machines) is not undone',
  ];
}

/** What a member has that the backup has not, as far as it can be told. */
function lossText(member: MemberEvidence, position: Position | undefined): string[] {
  if (member.kind === 'unreachable' || position === undefined) return [];
  const { live, grastate, host } = member;
  const noted = grastate === 'corrupt' || grastate?.seqno === -1n ? undefined : grastate;
  const has = live ?? noted;
  if (has === undefined || has.seqno < 0n) return [];
  if (has.uuid !== position.uuid) return [`${host} is in another history (${has.uuid}:${has.seqno})`];
  const more = has.seqno - position.seqno;
  return more > 0n
    ? [`${host} has ${more} ${more === 1n ? 'commit that is' : 'commits that are'} not in the backup`]
    : [];
}
