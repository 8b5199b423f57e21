import type { ContainerName } from '../core/model/node.ts';
import type { RabbitmqOrder } from '../core/plan/cluster-steps.ts';
import type { StepOf } from '../core/plan/steps.ts';
import { clusterStatusCommand, readClusterStatus } from '../core/rabbitmq/cluster-status.ts';
import type { MemberEvidence } from '../core/rabbitmq/evidence.ts';
import { notWhole } from '../core/rabbitmq/whole.ts';
import type { ExecResult, NodePort } from './ports.ts';
import { failed, type StepContext } from './step-context.ts';

/** Between two looks at a cluster that is not whole yet; each starts a runtime of Erlang on the node. */
const pauseMs = 2000;
const lookMs = 60_000;
/** A member with many queues takes its time to hand them over. */
const orderMs = 300_000;

/** What one member says of the cluster. One command in its container, which must run; changes nothing. */
export async function askMember(node: NodePort, container: ContainerName): Promise<MemberEvidence> {
  const said = await node.exec(container, clusterStatusCommand, { timeoutMs: lookMs });
  return readClusterStatus(node.host, said);
}

/**
 * Waits until the members that should run do, and see each other; for one that is about to leave also until no alarm
 * stands and no queue needs it. Gives up when nothing has changed for as long as the step has patience.
 */
export async function awaitWholeCluster(step: StepOf<'rabbitmq-check'>, context: StepContext): Promise<string> {
  const { node, clock } = context;
  let before = '';
  let since = clock.now();
  for (;;) {
    const evidence = await askMember(node, step.container);
    const problems = notWhole(evidence, step);
    if (problems.length === 0 && step.leaves) problems.push(...(await whatNeedsIt(step, node, evidence)));
    if (problems.length === 0) return `${step.members} members run`;
    const now = problems.join('; ');
    if (now !== before) {
      context.progress(`waiting: ${now}`);
      since = clock.now();
      before = now;
    }
    if (clock.now() - since >= step.patienceSeconds * 1000 || context.givenUp?.aborted) {
      const hint = 'no further member is touched until it is: deploy rabbitmq status shows all of it';
      throw failed(step, `the RabbitMQ cluster is not whole: ${now}`, hint);
    }
    await clock.sleep(pauseMs);
  }
}

/** Queues that would lose their majority, or their only copy in sync, with this member. */
async function whatNeedsIt(
  step: StepOf<'rabbitmq-check'>,
  node: NodePort,
  evidence: MemberEvidence,
): Promise<readonly string[]> {
  // Alone it is the quorum of everything.
  if (step.members < 2 || evidence.kind !== 'seen') return [];
  // Queues of several mirrored copies are gone since 4.0, and the check for them too.
  const mirrors = /^3\./.test(evidence.version) ? ['check_if_node_is_mirror_sync_critical'] : [];
  const problems: string[] = [];
  for (const check of ['check_if_node_is_quorum_critical', ...mirrors]) {
    const said = await node.exec(step.container, ['rabbitmq-diagnostics', '--quiet', check], { timeoutMs: lookMs });
    if (said.code !== 0) problems.push(`${phrases[check] ?? check}${firstWords(said)}`);
  }
  return problems;
}

const phrases: Readonly<Record<string, string>> = {
  check_if_node_is_quorum_critical: 'quorum queues or streams would lose their majority with it: ',
  check_if_node_is_mirror_sync_critical: 'mirrored queues have no other copy in sync: ',
};

/**
 * Maintenance mode: clients are sent away to reconnect elsewhere, and leaders of quorum queues go to other members. Of
 * its own accord the tool may end with an error although the member is in maintenance; what the member says decides. A
 * member that cannot be brought there is stopped all the same: its leaders move when it is gone.
 */
export async function handOver(step: StepOf<'stop'>, { node, progress }: StepContext): Promise<string | undefined> {
  const state = await node.inspect(step.container);
  if (state?.running !== true) return undefined;
  const said = await node.exec(step.container, ['rabbitmq-upgrade', '--quiet', 'drain'], { timeoutMs: orderMs });
  if (said.code === 0) return undefined;
  const evidence = await askMember(node, step.container);
  if (evidence.kind === 'seen' && evidence.drained.includes(evidence.node)) return undefined;
  const note = `it was stopped without handing over: ${firstWords(said)}`;
  progress(note);
  return note;
}

const commands: Readonly<Record<Exclude<RabbitmqOrder, 'forget' | 'grow' | 'join'>, readonly string[]>> = {
  'enable-flags': ['rabbitmqctl', '--quiet', 'enable_feature_flag', 'all'],
  revive: ['rabbitmq-upgrade', '--quiet', 'revive'],
  stop: ['rabbitmqctl', '--quiet', 'stop_app'],
  reset: ['rabbitmqctl', '--quiet', 'force_reset'],
  start: ['rabbitmqctl', '--quiet', 'start_app'],
};

export async function obeyOrder(step: StepOf<'rabbitmq'>, context: StepContext): Promise<string | undefined> {
  const { node } = context;
  if (step.order === 'forget') return forgetMember(step, context);
  if (step.order === 'grow') return growQueues(step, context);
  if (step.order === 'join') await order(step, node, ['rabbitmqctl', '--quiet', 'join_cluster', step.member ?? '']);
  else await order(step, node, commands[step.order]);
  return undefined;
}

async function forgetMember(step: StepOf<'rabbitmq'>, { node, nodes }: StepContext): Promise<string | undefined> {
  const { member = '', data } = step;
  if (data !== undefined) {
    const look = await nodes.get(data.host)?.readVolume(data.volume, [membershipOf(member)]);
    if (look !== undefined && look.texts.size > 0) return 'has its data, and stays';
  }
  const evidence = await askMember(node, step.container);
  if (evidence.kind !== 'seen') throw failed(step, `${step.container} does not answer for its cluster`);
  if (!evidence.known.includes(member)) return 'was not a member';
  if (evidence.running.includes(member)) return 'runs, and stays';
  await order(step, node, ['rabbitmqctl', '--quiet', 'forget_cluster_node', member]);
  return undefined;
}

/** Where a member notes which cluster it is in, below /var/lib/rabbitmq; written when it has joined one. */
function membershipOf(member: string): string {
  return `mnesia/${member}/cluster_nodes.config`;
}

/** A queue that just changes its replicas refuses another change: it is asked again. */
const growTries = 10;

async function growQueues(step: StepOf<'rabbitmq'>, { node, clock, progress }: StepContext): Promise<undefined> {
  const evidence = await askMember(node, step.container);
  if (evidence.kind !== 'seen') throw failed(step, `${step.container} does not answer`);
  for (let left = growTries; ; left--) {
    const refused = refusals(await order(step, node, ['rabbitmq-queues', '--quiet', 'grow', evidence.node, 'all']));
    const [first] = refused;
    if (first === undefined) return;
    const words = `${refused.length} queues got no replica; ${first}`;
    if (left === 1) throw failed(step, words, 'deploy rabbitmq recover tries it again');
    progress(words);
    await clock.sleep(pauseMs);
  }
}

/** The tool ends well whatever became of the queues, and says so in a table: virtual host, queue, size, result. */
function refusals(table: string): string[] {
  return table.split('\n').flatMap((line) => {
    const [, queue = '', , result] = line.trim().split('\t');
    return result === undefined || result === 'ok' || result === 'result' ? [] : [`${queue}: ${result}`];
  });
}

/** Returns what it said. */
async function order(step: StepOf<'rabbitmq'>, node: NodePort, argv: readonly string[]): Promise<string> {
  const said = await node.exec(step.container, argv, { timeoutMs: orderMs });
  if (said.code === 0) return said.stdout;
  const what = argv.filter((word) => word !== '--quiet').join(' ');
  throw failed(step, `${what} in ${step.container} ended with ${said.code}: ${firstWords(said)}`);
}

/** The tools tell much around what happened. */
function firstWords({ stdout, stderr }: ExecResult): string {
  const lines = `${stderr}\n${stdout}`.split('\n').map((line) => line.trim());
  return lines
    .filter((line) => line !== '' && !/^\d\d:\d\d:\d\d/.test(line))
    .slice(0, 3)
    .join(' ');
}
