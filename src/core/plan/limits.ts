import type { Desired, DesiredService } from '../desired/model.ts';
import { type Diagnostic, error } from '../model/diagnostic.ts';
import { type HostName, label } from '../model/node.ts';
import { setAside } from './generations.ts';
import type { Observed } from './policy.ts';
import type { Change } from './replace.ts';

/**
 * What a limit must not cut in two: replicas whose versions may not mix, and a new image from the host that runs its
 * migrations.
 */
export function checkLimit(
  service: DesiredService,
  changes: ReadonlyMap<string, readonly Change[]>,
  observed: Observed,
  unreachable: readonly HostName[] = [],
): Diagnostic[] {
  return [...changes].flatMap(([name, ofContainer]) => {
    if (!ofContainer.some(changesImage)) return [];
    const hosts = service.groupHosts.get(name) ?? [];
    const left = hosts.filter((host) => !observed.has(host));
    const [home] = hosts;
    const together = ofContainer[0]?.container.rollout.strategy === 'together';
    if (together && left.length > 0) {
      const message = `versions of ${name} must not mix, and ${absence(left, unreachable)}`;
      return [error('limit-mixes-versions', message, { hint: remedy(left, hosts, unreachable, service.name) })];
    }
    if (home !== undefined && !observed.has(home) && service.migrating.has(name)) {
      const message = `${name} changes its image, and ${absence([home], unreachable)}, where its migrations are run`;
      return [error('limit-without-migrations', message, { hint: remedy([home], [home], unreachable, service.name) })];
    }
    return [];
  });
}

/** Why hosts are not part of a plan: the operator's limit, or their silence. */
function absence(hosts: readonly HostName[], unreachable: readonly HostName[]): string {
  const silent = hosts.filter((host) => unreachable.includes(host));
  const limited = hosts.filter((host) => !unreachable.includes(host));
  return [
    ...(limited.length > 0 ? [`the limit leaves out ${limited.join(', ')}`] : []),
    ...(silent.length > 0 ? [`${silent.join(', ')} cannot be reached`] : []),
  ].join(' and ');
}

function remedy(
  left: readonly HostName[],
  all: readonly HostName[],
  unreachable: readonly HostName[],
  service: string,
): string {
  const silent = left.filter((host) => unreachable.includes(host));
  if (silent.length === 0) return `include ${all.join(', ')}`;
  return `bring ${silent.join(', ')} back first, or leave this out with --skip-tags ${service}`;
}

/**
 * An interrupted upgrade may have replaced replicas beside the phase before theirs. A verb that keeps images cannot know
 * which version that phase is to have.
 */
export function checkUnfinished(
  service: DesiredService,
  changes: ReadonlyMap<string, readonly Change[]>,
): Diagnostic[] {
  const early = service.phases.flatMap((phase) =>
    typeof phase !== 'string' && 'replace' in phase && phase.begin_early ? phase.replace : [],
  );
  const unfinished = early
    .flatMap((name) => changes.get(name) ?? [])
    .filter((change) => {
      const before = setAside(change);
      return before !== undefined && before.labels[label.imageDigest] !== change.image.digest;
    });
  const { name } = service;
  return unfinished.map(({ container }) =>
    error('upgrade-unfinished', `an upgrade of ${name} was interrupted while it replaced ${container.name}`, {
      host: container.host,
      hint: `deploy upgrade --tags ${name} finishes it, deploy rollback --tags ${name} takes it back`,
    }),
  );
}

function changesImage({ container, image, node }: Change): boolean {
  const running = node.containers.find((c) => c.name === container.name);
  return running !== undefined && running.labels[label.imageDigest] !== image.digest;
}

/** One sentence for each host that a limit or its silence leaves out although something of selected services is recorded there. */
export function leftOutHomes(desired: Desired, observed: Observed, unreachable: readonly HostName[] = []): string[] {
  const services = new Map<HostName, string[]>();
  for (const { name, home, whole, migrating } of desired.services) {
    if (home === undefined || !whole || migrating.size === 0 || observed.has(home)) continue;
    services.set(home, [...(services.get(home) ?? []), name]);
  }
  return [...services].map(
    ([home, names]) =>
      `${home} ${unreachable.includes(home) ? 'cannot be reached' : 'is left out'}: databases, Keystone records and migrations of ${names.join(', ')} are recorded there and not looked at`,
  );
}
