import type { MemberEvidence } from '../galera/evidence.ts';
import type { RecoveryMember } from '../galera/recover-plan.ts';
import { error, failure, type Result, success } from '../model/diagnostic.ts';
import type { HostName } from '../model/node.ts';
import { type Plan, PlanBuilder, type StepId } from '../plan/steps.ts';
import { type Backup, type BackupId, whenText } from './backup.ts';
import { baseFor, newestFirst } from './chains.ts';
import { expired } from './retention.ts';
import { type BackupSettings, memberOf, toolStep } from './tool.ts';

export interface BackupInput {
  readonly settings: BackupSettings;
  /** In the inventory's order. */
  readonly evidence: readonly MemberEvidence[];
  /** Those that can be reached. */
  readonly members: readonly RecoveryMember[];
  /** Good ones, of all hosts. */
  readonly backups: readonly Backup[];
  readonly incremental: boolean;
  /** Name of the one that is begun. */
  readonly id: BackupId;
}

/** The member a backup is taken from, and why this one. */
export interface Chosen {
  readonly host: HostName;
  readonly why: string;
  readonly base?: Backup | undefined;
}

const privileges = ['RELOAD', 'PROCESS', 'LOCK TABLES', 'BINLOG MONITOR'] as const;

/** A backup of one healthy member: taken, proven and only then recorded; and older ones that are not kept any more. */
export function planBackup(input: BackupInput): Result<Plan> {
  const chosen = chooseMember(input.evidence, input.backups, input.incremental);
  if (chosen === undefined) {
    const hint = 'deploy mariadb status shows why; deploy mariadb recover brings the cluster back';
    return failure([error('no-synced-member', 'no member is Synced in a Primary component', { hint })]);
  }
  const plan = new PlanBuilder();
  const proven = take(plan, input, chosen);
  plan.notices.push(...noticesOf(chosen, input.incremental));
  dropExpired(plan, input, chosen, proven);
  const { steps, notices } = plan;
  const verb = 'mariadb backup';
  return success({ verb, site: input.settings.site, steps, notices, causes: [], drift: [], diffs: [], waysBack: [] });
}

/** Returns the step after which the new backup is recorded as good. */
function take(plan: PlanBuilder, { settings, members, id }: BackupInput, { host, base }: Chosen): StepId {
  const member = memberOf(members, host);
  const { user, password } = settings;
  const account = plan.add(
    { service: member.container.service, host, needs: [], reason: 'reads the data', impact: 'none' },
    { kind: 'database-account', server: member.place.server, user, password, privileges },
    user,
  );
  const taken = toolStep(plan, settings, member, {
    what: `take ${base ? `what changed since ${base.id}` : 'a full backup'}, ${id}`,
    args: ['take', id, ...(base ? [base.id] : [])],
    needs: [account],
    reason: 'asked for',
    data: true,
  });
  return toolStep(plan, settings, member, {
    what: `check and prepare ${id} once, and record it as good`,
    args: ['prove', id],
    needs: [taken],
    reason: 'what was never prepared is no backup',
    data: true,
  });
}

function dropExpired(
  plan: PlanBuilder,
  { settings, members, backups, id }: BackupInput,
  { base }: Chosen,
  proven: StepId,
): void {
  const gone = expired(backups, settings.keep, base ? undefined : id);
  for (const holder of new Set(gone.map((backup) => backup.host))) {
    // Backups of a host that is no member any more, or cannot be reached, stay.
    if (!members.some(({ place }) => place.host === holder)) continue;
    const ids = newestFirst(gone.filter((backup) => backup.host === holder)).map((backup) => backup.id);
    toolStep(plan, settings, memberOf(members, holder), {
      what: `remove ${ids.length === 1 ? `the backup ${ids[0]}` : `the backups ${ids.join(', ')}`}`,
      args: ['drop', ...ids],
      needs: [proven],
      reason: `the newest ${settings.keep} full ones are kept, with what is based on them`,
    });
  }
}

/**
 * Not the member that clients write to, where there is another one: the first in the inventory's order that is Synced
 * takes all writes. An incremental backup goes where the newest backup lies that it can begin after.
 */
export function chooseMember(
  evidence: readonly MemberEvidence[],
  backups: readonly Backup[],
  incremental: boolean,
): Chosen | undefined {
  const synced = evidence.filter(isSynced).map(({ host }) => host);
  const [writer, ...others] = synced;
  if (writer === undefined) return undefined;
  const candidates = others.length > 0 ? others : [writer];
  const bases = incremental ? candidates.flatMap((host) => baseFor(backups, host) ?? []) : [];
  const [base] = newestFirst(bases);
  const host = base?.host ?? candidates.at(-1) ?? writer;
  if (host === writer) return { host, base, why: `${host} is the only member that is Synced: clients write to it` };
  const why = `${host} is Synced and clients write to ${writer}`;
  return { host, base, why: base ? `${why}; the backup before this one lies there` : why };
}

function isSynced(member: MemberEvidence): boolean {
  const live = member.kind === 'seen' ? member.live : undefined;
  return live !== undefined && live.cluster === 'Primary' && live.state === 4 && live.ready;
}

function noticesOf({ host, why, base }: Chosen, incremental: boolean): string[] {
  return [
    `taken on ${host}: ${why}`,
    ...(incremental && base === undefined ? ['full: no good backup lies there that it could begin after'] : []),
    ...(base ? [`begins after ${base.id} (${base.kind}, ${whenText(base.id)})`] : []),
  ];
}
