import type { DesiredContainer, DesiredService } from '../core/desired/model.ts';
import { answering, strangers } from '../core/galera/check.ts';
import type { MemberEvidence, Recovered } from '../core/galera/evidence.ts';
import { keptNotice } from '../core/galera/kept-data.ts';
import { dataVolume, type GaleraMember } from '../core/galera/member.ts';
import { type RecoveryMember, recoveredMarker } from '../core/galera/recover-plan.ts';
import { withCommonViews } from '../core/galera/views.ts';
import { DeployError, type Diagnostic, error, exitCode } from '../core/model/diagnostic.ts';
import { recordedDigest } from '../core/model/generation.ts';
import type { LockHolder } from '../core/model/lock.ts';
import { type HostName, imageName, label, type PinnedImage } from '../core/model/node.ts';
import { Secret } from '../core/model/secret.ts';
import { runningImage } from '../core/plan/policy.ts';
import { mergedError } from './nodes.ts';
import type { SelectionOptions } from './options.ts';
import type { Output } from './output.ts';
import { openSiteRegistry, resolveDigests } from './registry.ts';
import { type Survey, takeSurvey } from './survey.ts';

/** The service whose members these commands are about. */
const service = 'mariadb';

/** A look at the hosts of the cluster and its load balancers. Members that do not answer are evidence, not an error. */
export async function surveyCluster(options: SelectionOptions, output: Output, holder?: LockHolder): Promise<Survey> {
  const asked = { ...options, tags: [service], skipTags: [], limit: undefined, skipUnreachable: true };
  return takeSurvey(asked, output, {}, holder !== undefined, holder);
}

/** Every member of the group, in the inventory's order, with what is known of it. */
export async function readCluster(
  survey: Survey,
  recovered: ReadonlyMap<HostName, Recovered> = new Map(),
): Promise<readonly MemberEvidence[]> {
  const { readMember } = await import('../edge/mariadb/evidence.ts');
  const results = await Promise.allSettled(
    groupHosts(survey).map(async (host): Promise<MemberEvidence> => {
      const [node, observed] = [survey.nodes.get(host), survey.observed.get(host)];
      const container = containerOf(survey, host);
      if (node === undefined || observed === undefined || container === undefined) {
        const why = survey.skipped?.find((one) => one.host === host)?.why ?? 'it was not looked at';
        return { kind: 'unreachable', host, why };
      }
      return readMember(node, placeOf(survey, container), observed, recovered.get(host));
    }),
  );
  const failures = results.flatMap((result) => (result.status === 'rejected' ? [result.reason as unknown] : []));
  if (failures.length > 0) throw mergedError(failures);
  return withCommonViews(results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : [])));
}

/** The members that can be reached, as their nodes have them and as they should be. */
export async function recoveryMembers(
  survey: Survey,
  evidence: readonly MemberEvidence[],
  output: Output,
): Promise<RecoveryMember[]> {
  const answers = new Set(answering(evidence));
  const image = await imageOf(survey, output);
  return groupHosts(survey).flatMap((host) => {
    const [container, node] = [containerOf(survey, host), survey.observed.get(host)];
    if (container === undefined || node === undefined) return [];
    const foreign = node.containers.find(
      (c) => c.name === container.name && c.labels[label.site] !== survey.desired.site,
    );
    if (foreign !== undefined) {
      const message = `container ${container.name} was not created by this site`;
      const hint = 'nothing is changed that is not ours: recover the cluster with the tool that made it';
      throw new DeployError([error('foreign-container', message, { host, hint })], exitCode.nodeNotUsable);
    }
    return [
      { place: placeOf(survey, container), container, node, answers: answers.has(host), image: image(container) },
    ];
  });
}

/** Members of the cluster whose host is not in the group; one error each. */
export function strangersOf(survey: Survey, evidence: readonly MemberEvidence[]): Diagnostic[] {
  const { site } = survey.loaded;
  const hostOf = new Map(
    [...site.inventory.hosts.keys()].flatMap((host) => {
      const scope = site.scope(host);
      return scope.has('api_interface_address') ? [[String(scope.get('api_interface_address')), host] as const] : [];
    }),
  );
  const group = groupHosts(survey);
  const addresses = [...hostOf].flatMap(([address, host]) => (group.includes(host) ? [address] : []));
  return strangers(evidence, new Set(addresses), hostOf);
}

/** Copies of data that earlier recoveries have left. */
export function keptNotices(survey: Survey): string[] {
  return serviceOf(survey)
    .containers.filter(isMember)
    .flatMap((container) => {
      const node = survey.observed.get(container.host);
      return node ? keptNotice(container.host, placeOf(survey, container).volume, node) : [];
    });
}

/** Seconds since a recovery last formed the cluster here, by the clocks of its nodes. */
export async function lastRecovery(survey: Survey): Promise<number | undefined> {
  const hosts = groupHosts(survey).filter(
    (host) => survey.observed.get(host)?.markers[recoveredMarker.key] !== undefined,
  );
  const ages = await Promise.all(hosts.map(async (host) => survey.nodes.get(host)?.markerAge(recoveredMarker.key)));
  const known = ages.flatMap((age) => age ?? []);
  // A clock that was set back makes it lie ahead: then it may have been a moment ago.
  return known.length === 0 ? undefined : Math.max(0, Math.min(...known));
}

/** Hosts of the whole group, in the inventory's order. */
export function groupHosts(survey: Survey): readonly HostName[] {
  const found = serviceOf(survey);
  const name = found.containers.find(isMember)?.name ?? '';
  return found.groupHosts.get(name) ?? [];
}

function serviceOf({ desired }: Survey): DesiredService {
  const found = desired.services.find(({ name, containers }) => name === service && containers.some(isMember));
  if (found) return found;
  const hint = 'see the group mariadb of the inventory';
  throw new DeployError(
    [error('no-cluster', 'no host holds a member of a Galera cluster', { hint })],
    exitCode.badInput,
  );
}

function isMember({ rollout }: DesiredContainer): boolean {
  return rollout.strategy === 'galera';
}

function containerOf(survey: Survey, host: HostName): DesiredContainer | undefined {
  return serviceOf(survey).containers.find((container) => isMember(container) && container.host === host);
}

function placeOf({ loaded }: Survey, { host, name, spec }: DesiredContainer): GaleraMember {
  const scope = loaded.site.scope(host);
  const server = {
    address: String(scope.get('api_interface_address')),
    port: Number(scope.get('mariadb_port')),
    user: String(scope.get('database_user')),
    password: new Secret(String(scope.get('database_password'))),
  };
  return { host, container: name, volume: dataVolume(spec), server };
}

/**
 * A member that has to be made anew gets the image the cluster runs, whatever the variables say by now. Where no
 * container is left anywhere the nodes have noted it; the registry is asked last.
 */
async function imageOf(survey: Survey, output: Output): Promise<(container: DesiredContainer) => PinnedImage> {
  const { desired, observed, loaded } = survey;
  const members = desired.services.flatMap(({ containers }) => containers.filter(isMember));
  const [seen] = members.flatMap((member) => runningImage(member, observed) ?? []);
  const noted = members.flatMap(({ host, name }) => recordedDigest(observed.get(host)?.markers ?? {}, name) ?? []);
  const [first] = members;
  const [digest] = noted;
  const fallback = seen || first === undefined ? undefined : (digest ?? (await resolved(first)));
  return (container) => runningImage(container, observed) ?? seen ?? { ...container.image, digest: fallback ?? '' };

  async function resolved({ host, image }: DesiredContainer): Promise<string | undefined> {
    const registry = await openSiteRegistry(loaded.site.scope(host), (text) => output.note(text));
    return (await resolveDigests(registry, [image])).get(imageName(image));
  }
}
