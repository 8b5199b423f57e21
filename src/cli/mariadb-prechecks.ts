import type { Desired } from '../core/desired/model.ts';
import { clusterProblems } from '../core/galera/check.ts';
import { type ImageChange, imageChanges, isInUse, wantedMembers } from '../core/galera/image-changes.ts';
import { backupProblems, imageProblems, type RoomLook, roomOf, roomProblems } from '../core/galera/prechecks.ts';
import { dataVersionFiles, dataVersionIn, parseDataVersion } from '../core/galera/state-files.ts';
import { newestGoodBackup } from '../core/mariadb-backup/chains.ts';
import { DeployError, type Diagnostic } from '../core/model/diagnostic.ts';
import { type HostName, imageName, type PinnedImage } from '../core/model/node.ts';
import type { Observed } from '../core/plan/policy.ts';
import type { Plan, StepOf } from '../core/plan/steps.ts';
import type { Scope } from '../core/site/variables.ts';
import type { OpenNode } from '../edge/node/node.ts';
import type { Registry } from '../edge/registry/registry.ts';
import { lostHosts } from '../run/way-back.ts';
import { openSiteRegistry } from './registry.ts';
import type { LoadedSite } from './site.ts';

/** Where an image of ours says what is in it; its own last layer, so that nothing large is fetched for it. */
const versionFile = '/usr/local/share/kolla/mariadb-version';

/** What is needed of a survey. */
interface Seen {
  readonly loaded: LoadedSite;
  readonly desired: Desired;
  readonly observed: Observed;
  readonly nodes: ReadonlyMap<HostName, OpenNode>;
}

type Check = StepOf<'galera-check'>;

/**
 * What is in the way of changing members of a Galera cluster: others that are not well, a version that must not take
 * the data over, a full disk. Asks the members from one of their nodes, and for another image each node and the
 * registry. Nothing is asked where the plan touches no member.
 */
export async function memberProblems(plan: Plan, survey: Seen): Promise<readonly Diagnostic[]> {
  const checks = plan.steps.filter((step): step is Check => step.kind === 'galera-check');
  const taken = checks.find((step) => isTaken(plan, step));
  const problems = taken ? await notWhole(taken, survey) : [];
  if (problems.length > 0) return problems;
  return upgradeProblems(plan, survey);
}

/** A member that runs is stopped after this check; a fresh cluster is formed first and asked then. */
function isTaken({ steps }: Plan, { host, container, members }: Check): boolean {
  const forms = steps.some((step) => step.kind === 'one-shot' && step.service === 'mariadb');
  return !forms && members > 1 && steps.some((s) => s.kind === 'stop' && s.container === container && s.host === host);
}

/** Whom the plan itself brings up first is not missed. */
async function notWhole({ host, servers }: Check, { nodes, observed, desired }: Seen) {
  const node = nodes.get(host);
  if (node === undefined) return [];
  const { askMembers } = await import('../edge/mariadb/evidence.ts');
  const asked = servers.filter((one) => !observed.has(one.host) || runsOn(one.host));
  const answers = await askMembers((address, port) => node.connect(address, port), asked);
  return clusterProblems(
    answers.map(({ host: of, said }) => {
      if ('why' in said) return { kind: 'unreachable' as const, host: of, why: said.why };
      // One that has left the group and not yet the cluster is one more: that is a member too many, and none too few.
      const live = { ...said, clusterSize: Math.min(said.clusterSize, asked.length) };
      return { kind: 'seen' as const, host: of, container: 'running' as const, data: 'unknown' as const, live };
    }),
  );

  function runsOn(of: HostName): boolean {
    const name = desired.services.flatMap((s) => s.containers).find((c) => c.rollout.strategy === 'galera')?.name;
    return observed.get(of)?.containers.some((c) => c.name === name && c.state === 'running') === true;
  }
}

/**
 * What is in the way of another image: a version that must not take the data over, a full disk, no backup. Nothing is
 * asked where no member gets one.
 */
export async function upgradeProblems(
  plan: Plan,
  survey: Seen,
  open: (scope: Scope) => Promise<Pick<Registry, 'smallFile'>> = openSiteRegistry,
): Promise<readonly Diagnostic[]> {
  const changed = imageChanges(plan, survey).flatMap((change) => {
    const node = survey.nodes.get(change.host);
    return node ? [{ ...change, node }] : [];
  });
  const [first] = changed;
  if (first === undefined) return [];
  const scope = survey.loaded.site.scope(first.host);
  const version = async () => wantedVersion(await open(scope), first.image, scope);
  const [wanted, members, rooms, backups] = await Promise.all([
    version(),
    Promise.all(changed.map(memberVersion)),
    Promise.all(changed.map(roomAt)),
    newestBackup(survey, scope),
  ]);
  const image = { name: imageName(first.image), wanted, inUse: isInUse(first.image, survey) };
  return [...imageProblems(image, members), ...roomProblems(rooms), ...backups];
}

interface OpenChange extends ImageChange {
  readonly node: OpenNode;
}

/** What the image says of itself, or the operator; empty when neither does. */
async function wantedVersion(registry: Pick<Registry, 'smallFile'>, image: PinnedImage, scope: Scope) {
  const { repository, digest } = image;
  const text = await registry.smallFile({ repository, tag: digest }, versionFile);
  return text?.trim() || String(scope.get('mariadb_image_version'));
}

async function memberVersion({ host, node, container, volume, runs }: OpenChange) {
  const argv = ['mariadb', '--protocol=socket', '-N', '-B', '-e', 'SELECT VERSION()'];
  const [said, look] = await Promise.all([
    runs ? node.exec(container, argv, { timeoutMs: 20_000 }) : undefined,
    node.readVolume(volume, dataVersionFiles),
  ]);
  return { host, server: said && parseDataVersion(said.stdout), data: look && dataVersionIn(look.texts) };
}

/** Asked in the container, which sees the filesystem of its data. */
async function roomAt({ host, node, container, runs }: OpenChange): Promise<RoomLook> {
  if (!runs) return { host, why: `${container} does not run` };
  const script = 'df -Pk /var/lib/mysql; du -sk /var/lib/mysql';
  try {
    return roomOf(host, await node.exec(container, ['/bin/sh', '-c', script], { timeoutMs: 60_000 }));
  } catch (cause) {
    // A node that is lost is told as such.
    if (!(cause instanceof DeployError) || lostHosts(cause.diagnostics, host).length > 0) throw cause;
    return { host, why: cause.diagnostics.map(({ message }) => message).join('; ') };
  }
}

/**
 * Only where the data goes to another series nothing else leads back; it is asked before any other image, though. A backup
 * lies on any member, also on one that has the image already.
 */
async function newestBackup({ desired, nodes }: Seen, scope: Scope): Promise<readonly Diagnostic[]> {
  const { readBackups } = await import('../edge/mariadb/backups.ts');
  const volume = String(scope.get('mariadb_backup_volume'));
  const holders = wantedMembers(desired).flatMap(({ host }) => nodes.get(host) ?? []);
  const found = await Promise.all(holders.map((node) => readBackups(node, volume)));
  const newest = newestGoodBackup(found.flatMap(({ backups }) => backups));
  // Whether that matters is told by what is left.
  const unread = found.flatMap(({ problems }) => problems).map((one) => ({ ...one, severity: 'warning' as const }));
  return [...unread, ...backupProblems(newest, Number(scope.get('mariadb_backup_wanted_hours')))];
}
