import type { Desired } from '../core/desired/model.ts';
import { clusterProblems } from '../core/galera/check.ts';
import { dataVolume } from '../core/galera/member.ts';
import { backupProblems, roomProblems, versionProblems } from '../core/galera/prechecks.ts';
import { dataVersionFiles, dataVersionIn, parseDataVersion } from '../core/galera/state-files.ts';
import { newestGoodBackup } from '../core/mariadb-backup/chains.ts';
import { type Diagnostic, error } from '../core/model/diagnostic.ts';
import { recordedDigest } from '../core/model/generation.ts';
import { type HostName, imageName, label, type PinnedImage } from '../core/model/node.ts';
import { pendingMarker } from '../core/plan/galera-members.ts';
import type { Observed } from '../core/plan/policy.ts';
import type { Plan, StepOf } from '../core/plan/steps.ts';
import type { OpenNode } from '../edge/node/node.ts';
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
  const changed = imageChanges(plan, survey);
  if (changed.length === 0) return [];
  const found = await Promise.all([versions(changed, survey), rooms(changed), backups(changed, survey)]);
  return found.flat();
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

interface ImageChange {
  readonly host: HostName;
  readonly node: OpenNode;
  readonly container: string;
  readonly volume: string;
  readonly image: PinnedImage;
  readonly runs: boolean;
}

/** Members that get an image other than the one they have. */
function imageChanges({ steps }: Plan, { desired, observed, nodes }: Seen): readonly ImageChange[] {
  const members = desired.services.flatMap((s) => s.containers.filter((c) => c.rollout.strategy === 'galera'));
  return members.flatMap(({ host, name, spec }) => {
    const create = steps.find((s) => s.kind === 'create' && s.container === name && s.host === host);
    const node = nodes.get(host);
    const volume = dataVolume(spec);
    if (create?.kind !== 'create' || node === undefined || !observed.get(host)?.volumes.includes(volume)) return [];
    const { image } = create.spec;
    const seen = observed.get(host)?.containers.find((c) => c.name === name);
    const markers = observed.get(host)?.markers ?? {};
    // Of a container that is gone the node knows the image; not whether the data went on to another one meanwhile.
    const recorded = markers[pendingMarker.key] === undefined ? recordedDigest(markers, name) : undefined;
    if ((seen ? seen.labels[label.imageDigest] : recorded) === image.digest) return [];
    return [{ host, node, container: name, volume, image, runs: seen?.state === 'running' }];
  });
}

async function versions(changes: readonly ImageChange[], seen: Seen): Promise<readonly Diagnostic[]> {
  const [first] = changes;
  if (first === undefined) return [];
  const scope = seen.loaded.site.scope(first.host);
  const registry = await openSiteRegistry(scope);
  const { repository, digest } = first.image;
  const text = await registry.smallFile({ repository, tag: digest }, versionFile);
  const wanted = text?.trim() || String(scope.get('mariadb_image_version'));
  if (wanted === '') {
    const message = `${imageName(first.image)} does not say which version of MariaDB it holds: nobody knows whether it may take over the data that is there`;
    const hint = 'say it with mariadb_image_version (11.8.6); an older version than that of the data destroys it';
    return [error('mariadb-version', message, { hint })];
  }
  const found = await Promise.all(changes.map(memberVersion));
  const unknown = isInUse(first.image, seen)
    ? []
    : found.filter(({ server, data }) => server === undefined && data === undefined);
  const untold = unknown.map(({ host }) =>
    error('mariadb-version', `nobody tells which version the data of MariaDB is of`, {
      host,
      hint: 'deploy mariadb recover brings the member back with the image that the others have',
    }),
  );
  return [...versionProblems(found, wanted), ...untold];
}

/**
 * A member runs this image already. Then what has left the cluster before is not newer, whatever it says of itself; data of
 * another cluster is refused as it joins.
 */
function isInUse({ digest }: PinnedImage, { desired, observed }: Seen): boolean {
  const members = desired.services.flatMap((s) => s.containers.filter((c) => c.rollout.strategy === 'galera'));
  return members.some(({ host, name }) =>
    observed
      .get(host)
      ?.containers.some((c) => c.name === name && c.state === 'running' && c.labels[label.imageDigest] === digest),
  );
}

async function memberVersion({ host, node, container, volume, runs }: ImageChange) {
  const argv = ['mariadb', '--protocol=socket', '-N', '-B', '-e', 'SELECT VERSION()'];
  const [said, look] = await Promise.all([
    runs ? node.exec(container, argv, { timeoutMs: 20_000 }) : undefined,
    node.readVolume(volume, dataVersionFiles),
  ]);
  return { host, server: said && parseDataVersion(said.stdout), data: look && dataVersionIn(look.texts) };
}

/** Only where the data goes to another series nothing else leads back; it is asked before any other image, though. */
async function backups(changes: readonly ImageChange[], { loaded }: Seen): Promise<readonly Diagnostic[]> {
  const [first] = changes;
  if (first === undefined) return [];
  const scope = loaded.site.scope(first.host);
  const { readBackups } = await import('../edge/mariadb/backups.ts');
  const volume = String(scope.get('mariadb_backup_volume'));
  const found = await Promise.all(changes.map(({ node }) => readBackups(node, volume)));
  const newest = newestGoodBackup(found.flatMap((one) => one.backups));
  return backupProblems(newest?.ageSeconds, Number(scope.get('mariadb_backup_wanted_hours')));
}

/** Asked in the containers, which see the filesystem of their data. */
async function rooms(changes: readonly ImageChange[]): Promise<readonly Diagnostic[]> {
  const script = 'df -Pk /var/lib/mysql | tail -n 1; du -sk /var/lib/mysql';
  const found = await Promise.all(
    changes
      .filter(({ runs }) => runs)
      .map(async ({ host, node, container }) => {
        const { stdout } = await node.exec(container, ['/bin/sh', '-c', script], { timeoutMs: 60_000 });
        const [df = '', du = ''] = stdout.trim().split('\n');
        const [free, data] = [Number(df.split(/\s+/)[3]), Number(du.split(/\s+/)[0])];
        return Number.isFinite(free) && Number.isFinite(data) ? [{ host, free, data }] : [];
      }),
  );
  return roomProblems(found.flat());
}
