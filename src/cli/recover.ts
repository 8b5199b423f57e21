import { setTimeout as sleep } from 'node:timers/promises';
import { clusterProblems, isChanging } from '../core/galera/check.ts';
import { decide } from '../core/galera/decide.ts';
import type { DecideOptions, Decision, Refusal } from '../core/galera/decision.ts';
import type { MemberEvidence, Recovered } from '../core/galera/evidence.ts';
import { planRecovery } from '../core/galera/recover-plan.ts';
import { unfinishedRestore } from '../core/mariadb-backup/restore-plan.ts';
import { DeployError, type ExitCode, error, exitCode } from '../core/model/diagnostic.ts';
import type { HostName } from '../core/model/node.ts';
import { didYouMean } from '../core/model/suggest.ts';
import { withHooks } from '../core/plan/hooks.ts';
import type { Plan } from '../core/plan/steps.ts';
import { galeraTable } from '../report/galera-table.ts';
import { decisionText, galeraJson } from '../report/galera-text.ts';
import type { RunEvent } from '../run/run.ts';
import { carryOut, confirmed, showPlan } from './carry-out.ts';
import { groupHosts, lastRecovery, readCluster, recoveryMembers, surveyCluster } from './galera.ts';
import { changeOptions, type Invocation } from './invocation.ts';
import { copiesWanted } from './keep-data.ts';
import { holderOf, newRunId } from './lock.ts';
import { closeAll, observeAll } from './nodes.ts';
import type { ChangeOptions } from './options.ts';
import type { Output } from './output.ts';
import { RecoveryTime } from './recovery-time.ts';
import type { Survey } from './survey.ts';

/** Each round ends in another look; the longest way is wait, stop, positions, bootstrap, and a member that came late. */
const rounds = 8;

/** Galera drops a silent member after some 15 s. */
const settling = { looks: 12, everyMs: 2_000 } as const;

/** What this invocation has found out or tried, and no look shows. */
interface Known {
  readonly positions: Map<HostName, Recovered>;
  waited: boolean;
  readonly time: RecoveryTime;
}

interface RecoverOptions extends ChangeOptions {
  readonly keepData: boolean;
}

/** Look, decide, show, confirm, act, until the cluster is whole or the operator is needed. */
export async function recover({ options: raw, output, argv }: Invocation): Promise<ExitCode> {
  const known: Known = { positions: new Map(), waited: false, time: new RecoveryTime(() => performance.now()) };
  const onPosition = (host: HostName, recovered: Recovered) => void known.positions.set(host, recovered);
  const onEvent = (event: RunEvent) => known.time.event(event);
  const options = { ...changeOptions(raw), argv, onPosition, onEvent, keepData: raw.keepData === true };
  const first = await surveyCluster(options, output, holderOf(newRunId(), 'mariadb recover', argv));
  try {
    const allowed = allowedBy(raw, groupHosts(first));
    let survey = first;
    for (let round = 1; round <= rounds; round++) {
      const exit = await oneRound(survey, allowed, known, options, output);
      if (exit !== undefined) return exit;
      const observed = await observeAll(survey.nodes, {});
      // What one plan did is one entry of the journal.
      const holder = survey.holder && { ...survey.holder, run: newRunId() };
      survey = { ...survey, observed, holder };
    }
    throw new DeployError([error('not-recovered', `the cluster is not whole after ${rounds} rounds`)], exitCode.failed);
  } finally {
    await closeAll(first.nodes);
  }
}

/** One look and what follows from it; undefined when there has to be another one. */
async function oneRound(
  survey: Survey,
  allowed: DecideOptions,
  known: Known,
  options: RecoverOptions,
  output: Output,
): Promise<ExitCode | undefined> {
  const evidence = await settled(survey, known, output);
  const since = await lastRecovery(survey);
  const decision = decide(evidence, { ...allowed, secondsSinceLastRecovery: since, waited: known.waited });
  show(evidence, decision, output);
  if (decision.kind === 'refuse')
    throw new DeployError([refusalError(decision, restoring(survey))], exitCode.nodeNotUsable);
  const unasked = decision.kind === 'stop' ? unaskedErrors(evidence, decision.hosts) : [];
  if (unasked.length > 0) throw new DeployError(unasked, exitCode.nodeNotUsable);
  if (decision.kind === 'new-cluster') throw new DeployError([nothingThere(restoring(survey))], exitCode.nodeNotUsable);
  const plan = await planFor(decision, evidence, survey, output, options.keepData);
  if (plan.steps.length === 0) {
    const exit = whole(evidence, allowed);
    const told = known.time.text();
    if (told !== undefined && !output.json) output.line(told);
    return exit;
  }
  showPlan(plan, output);
  if (!(await known.time.without(() => confirmed(options, 'Carry this out?')))) return exitCode.ok;
  const exit = await carryOut(plan, survey, options, output);
  // The servers have run since: what their data held before says nothing any more.
  if (decision.kind !== 'needs-positions') known.positions.clear();
  if (exit === exitCode.failed && decision.kind === 'wait' && !known.waited) {
    known.waited = true;
    output.note('no Primary component came of it: looking again');
    return undefined;
  }
  return exit === exitCode.ok ? undefined : exit;
}

/** What is found once the members agree about their view; or what is found after a while. */
async function settled(survey: Survey, known: Known, output: Output): Promise<readonly MemberEvidence[]> {
  let evidence = await readCluster(survey, known.positions);
  for (let look = 1; look <= settling.looks && isChanging(evidence); look++) {
    if (look === 1) output.note('the members do not agree about their view: waiting for it to settle');
    await sleep(settling.everyMs);
    evidence = await readCluster(survey, known.positions);
  }
  return evidence;
}

async function planFor(
  decision: Decision,
  evidence: readonly MemberEvidence[],
  survey: Survey,
  output: Output,
  keepData: boolean,
): Promise<Plan> {
  const members = await recoveryMembers(survey, evidence, output);
  const balancers = survey.desired.balancers.filter(({ host, container }) =>
    survey.observed.get(host)?.containers.some((c) => c.name === container && c.state === 'running'),
  );
  const { hosts: copies, notices } = await copiesWanted(decision, members, survey, keepData);
  const input = { desired: survey.desired, members, groupHosts: groupHosts(survey), balancers, copies, notices };
  const plan = planRecovery(decision, input);
  return withHooks(plan, survey.hooks, new Map());
}

/** Nothing is left to do. Members that the operator does without may be missing, and nothing else. */
function whole(evidence: readonly MemberEvidence[], { without = [] }: DecideOptions): ExitCode {
  const problems = clusterProblems(evidence, without);
  if (problems.length > 0) throw new DeployError(problems, exitCode.failed);
  return exitCode.ok;
}

function show(evidence: readonly MemberEvidence[], decision: Decision, output: Output): void {
  if (output.json) output.data(galeraJson({ members: evidence, decision }));
  else output.line(`${galeraTable(evidence, process.stdout.columns)}\n\n${decisionText(decision)}\n`);
}

/** Of a restore that was killed nobody has to find out what is left: it goes on. */
function refusalError({ message, hint }: Refusal, unfinished: string | undefined) {
  return error('galera-refused', message, { hint: unfinished === undefined ? hint : `${unfinished}; or ${hint}` });
}

function restoring(survey: Survey): string | undefined {
  const group = groupHosts(survey);
  return unfinishedRestore(new Map([...survey.observed].filter(([host]) => group.includes(host))));
}

/** A server that could not be asked may serve clients: it is not ended on a guess. */
function unaskedErrors(evidence: readonly MemberEvidence[], hosts: readonly HostName[]) {
  return evidence.flatMap((member) => {
    if (member.kind !== 'seen' || member.unasked === undefined || !hosts.includes(member.host)) return [];
    const hint = 'it may serve clients: look at its log, and stop its container by hand if it hangs';
    return [error('galera-refused', `its server could not be asked: ${member.unasked}`, { host: member.host, hint })];
  });
}

function nothingThere(unfinished: string | undefined) {
  const hint = unfinished ?? 'deploy deploy --tags mariadb forms the first cluster';
  return error('galera-refused', 'no member has any data: there is nothing to recover', { hint });
}

/** What the operator allows, in the terms of the decision. */
function allowedBy(raw: Readonly<Record<string, unknown>>, group: readonly HostName[]): DecideOptions {
  const from = typeof raw.from === 'string' ? raw.from : undefined;
  const without = Array.isArray(raw.without) ? raw.without.map(String) : [];
  const acceptLoss = raw.acceptLoss === true;
  const unknown = [...(from === undefined ? [] : [from]), ...without].filter((host) => !group.includes(host));
  const problems = unknown.map((host) =>
    error('unknown-host', `${host} is no member of the group mariadb`, {
      hint: didYouMean(host, group) ?? `its members: ${group.join(', ')}`,
    }),
  );
  if ((from !== undefined || without.length > 0) && !acceptLoss)
    problems.push(
      error('accept-loss', '--from and --without may lose commits', { hint: 'add --accept-loss to allow that' }),
    );
  if (problems.length > 0) throw new DeployError(problems, exitCode.badInput);
  return { force: from === undefined ? undefined : { from }, without, acceptLoss, again: raw.again === true };
}
