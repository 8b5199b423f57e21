import { DeployError, type ExitCode, error, exitCode } from '../../core/model/diagnostic.ts';
import { didYouMean } from '../../core/model/suggest.ts';
import { withHooks } from '../../core/plan/hooks.ts';
import { planRecovery, planReset, type RabbitmqCluster, rabbitmqCluster } from '../../core/plan/rabbitmq-recovery.ts';
import type { Plan } from '../../core/plan/steps.ts';
import { isHealthy, judge } from '../../core/rabbitmq/judge.ts';
import { rabbitmqStatusText } from '../../report/rabbitmq-text.ts';
import { carryOut, confirmed, showPlan } from '../carry-out.ts';
import { changeOptions, type Invocation } from '../invocation.ts';
import { holderOf, newRunId } from '../lock.ts';
import { closeAll } from '../nodes.ts';
import type { ChangeOptions } from '../options.ts';
import type { Output } from '../output.ts';
import { gatherEvidence } from '../rabbitmq-evidence.ts';
import { unwrap } from '../site.ts';
import { type Survey, takeSurvey } from '../survey.ts';

const actions = ['status', 'recover', 'reset-state'] as const;
type Action = (typeof actions)[number];

/**
 * The RabbitMQ cluster of the site: `status` looks (exit 0 when it is whole, else 1), `recover` brings it together
 * again, `reset-state` empties it. What changes it is planned, shown and confirmed first, and looked at afterwards.
 */
export async function run(invocation: Invocation): Promise<ExitCode> {
  const { name, output, argv } = invocation;
  const action = name === 'rabbitmq' ? knownAction(invocation.args[0] ?? '') : 'reset-state';
  const options = { ...changeOptions(invocation.options), tags: ['rabbitmq'], argv };
  if (action === 'status') return showStatus({ ...options, skipUnreachable: true }, output);
  const survey = await takeSurvey(options, output, {}, true, holderOf(newRunId(), `rabbitmq ${action}`, argv));
  try {
    return action === 'recover' ? await recover(survey, options, output) : await resetState(survey, options, output);
  } finally {
    await closeAll(survey.nodes);
  }
}

function knownAction(name: string): Action {
  const action = actions.find((candidate) => candidate === name);
  if (action !== undefined) return action;
  const hint = didYouMean(name, actions) ?? `deploy rabbitmq ${actions.join(', deploy rabbitmq ')}`;
  throw new DeployError(
    [error('unknown-action', `rabbitmq: there is no ${name || 'action'}`, { hint })],
    exitCode.badInput,
  );
}

function clusterOf({ desired }: Survey): RabbitmqCluster {
  const cluster = rabbitmqCluster(desired);
  if (cluster !== undefined) return cluster;
  throw new DeployError([error('no-rabbitmq', 'this site has no RabbitMQ')], exitCode.badInput);
}

async function showStatus(options: ChangeOptions, output: Output): Promise<ExitCode> {
  const survey = await takeSurvey(options, output, {}, false);
  try {
    const evidence = await gatherEvidence(clusterOf(survey), survey);
    const findings = judge(evidence);
    if (output.json) output.data({ ...evidence, findings });
    else output.line(rabbitmqStatusText(evidence, findings));
    return isHealthy(findings) ? exitCode.ok : exitCode.failed;
  } finally {
    await closeAll(survey.nodes);
  }
}

async function recover(survey: Survey, options: ChangeOptions, output: Output): Promise<ExitCode> {
  const cluster = clusterOf(survey);
  const evidence = await gatherEvidence(cluster, survey);
  const findings = judge(evidence);
  if (!output.json) output.line(rabbitmqStatusText(evidence, findings));
  const plan = unwrap(planRecovery(survey.desired.site, cluster, evidence), output, exitCode.nodeNotUsable);
  const exit = await carryThrough(plan, cluster, survey, options, output, 'Carry this out?');
  return plan.steps.length > 0 || isHealthy(findings) ? exit : exitCode.failed;
}

async function resetState(survey: Survey, options: ChangeOptions, output: Output): Promise<ExitCode> {
  const cluster = clusterOf(survey);
  const plan = unwrap(planReset(survey.desired.site, cluster, survey.observed), output, exitCode.nodeNotUsable);
  const question = 'Remove all messages, queues and users of RabbitMQ? There is no way back.';
  return carryThrough(plan, cluster, survey, options, output, question);
}

/** show → confirm → carry out → look again: afterwards the cluster must be whole. */
async function carryThrough(
  unhooked: Plan,
  cluster: RabbitmqCluster,
  survey: Survey,
  options: ChangeOptions,
  output: Output,
  question: string,
): Promise<ExitCode> {
  const plan = withHooks(unhooked, survey.hooks, new Map());
  showPlan(plan, output);
  if (plan.steps.length === 0) return exitCode.ok;
  if (!(await confirmed(options, question))) return exitCode.ok;
  return carryOut(plan, survey, options, output, async () => {
    const findings = judge(await gatherEvidence(cluster, survey)).filter((finding) => finding.grave);
    if (findings.length === 0) return;
    const left = findings.map(({ text, hint }) => error('not-whole', text, { hint }));
    throw new DeployError(left, exitCode.failed);
  });
}
