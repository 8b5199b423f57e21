import type { DesiredFile, DesiredService } from '../desired/model.ts';
import { type Diagnostic, error } from '../model/diagnostic.ts';
import type { ContainerName, HostName } from '../model/node.ts';
import { configHashOf, loadedConfigHash } from './compare.ts';
import type { Context } from './context.ts';
import { type Change, isServing, seen } from './replace.ts';

/** The members of one cluster that a plan concerns, by what they know each other by. */
interface Members {
  readonly service: DesiredService;
  /** They hold, or run with, another secret than the one that is wanted. */
  readonly others: readonly Change[];
  /** Hosts of the group whose members nobody has seen. */
  readonly unseen: readonly HostName[];
}

/**
 * Why the secret of a cluster is not changed now: most of the members that run were started with another one, and one
 * that gets the new one does not get in with them. A few that were are brought to what the rest has. While no member
 * runs all of them get it, if all of them are part of the plan.
 */
export function checkClusterSecrets(
  { observed, unreachable, verb }: Pick<Context, 'observed' | 'unreachable' | 'verb'>,
  service: DesiredService,
  changes: ReadonlyMap<ContainerName, readonly Change[]>,
): Diagnostic[] {
  return [...changes].flatMap(([name, all]) => {
    const hosts = service.groupHosts.get(name) ?? [];
    // Whoever is alone has nobody to join.
    if (hosts.length < 2) return [];
    const others = all.filter((change) => hasWanted(change) === false);
    const unseen = hosts.filter((host) => !observed.has(host) && unreachable?.includes(host) !== true);
    const members = { service, others, unseen };
    const running = all.filter(isServing);
    const strangers = running.filter((change) => others.includes(change));
    const most = strangers.length >= running.filter((change) => hasWanted(change) === true).length;
    if (strangers.length > 0 && most) return [runsWithAnother({ ...members, others: strangers }, verb)];
    return running.length === 0 && others.length > 0 && unseen.length > 0 ? [notAllSeen(members)] : [];
  });
}

/** The file with the secret of a cluster, as it is wanted; undefined for what has none. */
export function clusterSecretFile({ container }: Pick<Change, 'container'>): DesiredFile | undefined {
  const file = container.rollout.cluster_secret?.file;
  return file === undefined ? undefined : container.files.find(({ path }) => path === container.directory + file);
}

/**
 * Whether a member runs with the wanted secret, or would if it were started. The file of one that runs may have been
 * changed behind its back: then its label tells, as long as nothing else was changed too. Undefined without a file.
 */
function hasWanted(change: Change): boolean | undefined {
  const wanted = clusterSecretFile(change);
  if (wanted === undefined) return undefined;
  const { container, files, node } = change;
  const running = seen(change);
  const loaded = running && loadedConfigHash(running, node);
  const { directory } = container;
  const here = node.files.filter(({ path }) => path.startsWith(directory));
  const rest = here.filter(({ path }) => path !== wanted.path);
  const forms = [files.configHash, configHashOf(directory, [...rest, wanted])];
  if (loaded !== undefined && forms.includes(loaded)) return true;
  const found = here.find(({ path }) => path === wanted.path);
  return found && found.sha256 === wanted.sha256;
}

function runsWithAnother({ service, others, unseen }: Members, verb: Context['verb']): Diagnostic {
  const [first] = others;
  const { password = '', file = '' } = first?.container.rollout.cluster_secret ?? {};
  const source = first?.container.sources().get(`var:${password}`);
  const message = `${service.name}: the members on ${hostsOf(others)} run with another ${password} than the one that is wanted: a member that starts with it cannot join them`;
  const again = verb === 'rollback' ? verb : 'reconfigure';
  const down = `take the whole cluster down and start it with the wanted one: deploy stop --tags ${service.name}, then deploy ${again} --tags ${service.name}`;
  // What is recorded is not in the operator's files.
  if (verb === 'rollback') return error('cluster-secret-changed', message, { hint: down });
  const where = `${first?.container.host} has it in ${first?.container.directory}${file}`;
  const back = `put theirs back into ${source?.layer ?? 'passwords.yml'} (${where}), or ${down}`;
  const hint = unseen.length > 0 ? `${unlooked(unseen)}: run without --limit; or ${back}` : back;
  return error('cluster-secret-changed', message, { at: source?.at, hint });
}

function notAllSeen({ service, others, unseen }: Members): Diagnostic {
  const { password = '' } = others[0]?.container.rollout.cluster_secret ?? {};
  const message = `${service.name}: the members on ${hostsOf(others)} would get another ${password}, and ${unlooked(unseen)}, where the old one may be in use`;
  return error('cluster-secret-changed', message, { hint: 'run without --limit: all members get it at once' });
}

function hostsOf(changes: readonly Change[]): string {
  return changes.map(({ container }) => container.host).join(', ');
}

function unlooked(hosts: readonly HostName[]): string {
  return `${hosts.join(', ')} ${hosts.length > 1 ? 'were' : 'was'} not looked at`;
}
