import type { Desired } from '../core/desired/model.ts';
import { type Diagnostic, error, warning } from '../core/model/diagnostic.ts';
import { type HostName, imageName, type PinnedImage } from '../core/model/node.ts';
import type { Plan, StepOf } from '../core/plan/steps.ts';
import type { SeenMember } from '../core/rabbitmq/evidence.ts';
import { checkUpgrade, type UpgradeVerdict } from '../core/rabbitmq/versions.ts';
import type { OpenNode } from '../edge/node/node.ts';
import { listQueues } from '../edge/rabbitmq/queues.ts';
import { askMember } from '../run/rabbitmq.ts';
import { openSiteRegistry } from './registry.ts';
import type { LoadedSite } from './site.ts';

/** What is needed of a survey. */
interface Surveyed {
  readonly loaded: LoadedSite;
  readonly desired: Desired;
  readonly nodes: ReadonlyMap<HostName, OpenNode>;
}

/** Where an image of ours says what is in it; its own last layer, so that nothing large is fetched for it. */
const versionFile = '/usr/local/share/kolla/rabbitmq-version';

/** The order that is given around every change of a running member's image, and to one of them only. */
export function changesBroker(plan: Plan): StepOf<'rabbitmq'> | undefined {
  return plan.steps.find(
    (step): step is StepOf<'rabbitmq'> => step.kind === 'rabbitmq' && step.order === 'enable-flags',
  );
}

/**
 * Why the members of a RabbitMQ cluster may not get the image the plan gives them: RabbitMQ allows no such jump, or the
 * running version uses what the new one does not have. Asks a running member and the registry.
 */
export async function brokerProblems(plan: Plan, survey: Surveyed): Promise<readonly Diagnostic[]> {
  const order = changesBroker(plan);
  if (order === undefined) return [];
  const { host, container } = order;
  const image = plan.steps.find((s) => s.kind === 'create' && s.container === container && s.host === host);
  const node = survey.nodes.get(host);
  if (image?.kind !== 'create' || node === undefined) return [];
  const member = await askMember(node, container);
  if (member.kind !== 'seen') {
    const why = 'why' in member ? member.why : 'it does not run';
    const hint = 'another version is not put on a cluster that cannot be asked for its own: deploy rabbitmq status';
    return [error('rabbitmq-version', `rabbitmq does not tell its version: ${why}`, { host, hint })];
  }
  const wanted = await versionOf(image.spec.image, host, survey);
  if (wanted === undefined) {
    const message = `${imageName(image.spec.image)} does not say which version of RabbitMQ it holds: whether ${member.version} may be upgraded to it is not checked`;
    return [warning('rabbitmq-version', message)];
  }
  const mirrored = await mirroredQueues(host, survey);
  const verdict = checkUpgrade({ version: member.version, flags: member.flags, mirrored }, wanted);
  return problemOf(verdict, member, wanted, mirrored);
}

async function versionOf(image: PinnedImage, host: HostName, { loaded }: Surveyed): Promise<string | undefined> {
  const registry = await openSiteRegistry(loaded.site.scope(host));
  const text = await registry.smallFile({ repository: image.repository, tag: image.digest }, versionFile);
  return text?.trim() || undefined;
}

/** Names of classic queues with mirrors; none where the management API cannot be asked. */
async function mirroredQueues(host: HostName, { desired, nodes, loaded }: Surveyed): Promise<readonly string[]> {
  const wish = desired.services.find((service) => service.messaging !== undefined)?.messaging;
  const node = nodes.get(host);
  if (wish === undefined || node === undefined) return [];
  const address = String(loaded.site.scope(host).get('api_interface_address'));
  const server = { address, port: wish.port, user: wish.user, password: wish.password };
  const queues = await listQueues((to, at) => node.connect(to, at), server);
  return queues.filter((queue) => queue.mirrored).map(({ name }) => name);
}

function problemOf(
  verdict: UpgradeVerdict,
  { version }: SeenMember,
  wanted: string,
  mirrored: readonly string[],
): readonly Diagnostic[] {
  const jump = `RabbitMQ ${version} cannot be upgraded to ${wanted}`;
  const refused = (why: string, hint: string) => [error('rabbitmq-version', `${jump}${why}`, { hint })];
  if (verdict.kind === 'allowed') return [];
  if (verdict.kind === 'too-far') {
    const stops = verdict.via.join(', then ');
    return refused(
      ` at once: it must run ${stops} in between`,
      `give rabbitmq_tag an image of each of them, one after the other; or give its messages up and begin anew with the new one: deploy destroy --tags rabbitmq, then deploy deploy --tags rabbitmq`,
    );
  }
  if (verdict.kind === 'downgrade') {
    return refused(
      ': it is older, and what the newer one has written it cannot read',
      'RabbitMQ goes back to an older series only without its data',
    );
  }
  if (verdict.kind === 'unknown') {
    return refused(': no way from the one to the other is known here', "see RabbitMQ's table of upgrades");
  }
  if (verdict.by === 'khepri') {
    return refused(
      ' while its feature flag khepri_db is enabled',
      'only a new cluster can take over from it: deploy destroy --tags rabbitmq, then deploy deploy --tags rabbitmq',
    );
  }
  return refused(
    `: it has no mirrored queues, and ${mirrored.length} are (${mirrored.slice(0, 3).join(', ')})`,
    'remove the policies that mirror queues (rabbitmqctl list_policies), or let their services declare quorum queues',
  );
}
