import type { Desired, DesiredContainer, DesiredService } from '../desired/model.ts';
import { sha256 } from '../hash.ts';
import { type Diagnostic, error, type Result, resultOf } from '../model/diagnostic.ts';
import { formOf, type Generation, type StoredGeneration } from '../model/generation.ts';
import { type ContainerName, type HostName, label } from '../model/node.ts';
import type { Phase } from '../schema/service.ts';
import { formOfSeen } from './generations.ts';
import { oneShotMarkerKey } from './one-shot.ts';
import type { Observed } from './policy.ts';

/** What was read from the nodes, by `host container`. */
export type Recorded = ReadonlyMap<string, StoredGeneration | undefined>;

export function recordedKey(host: HostName, container: ContainerName): string {
  return `${host} ${container}`;
}

/** Whether a recorded form is the one that runs, so that before it means the one before that. */
export function runsAs(observed: Observed, { host, name }: DesiredContainer, generation: Generation): boolean {
  const node = observed.get(host);
  const seen = node?.containers.find((c) => c.name === name);
  if (node === undefined || seen === undefined) return true;
  return formOfSeen(node, seen) === formOf(generation);
}

/**
 * The selected containers as they were before: image, settings and files of what is recorded. Nothing is migrated or
 * registered. Errors name what has no record, what disagrees, and what cannot go back.
 */
export function rolledBack(
  desired: Desired,
  observed: Observed,
  recorded: Recorded,
): Result<{ readonly desired: Desired; readonly notices: readonly string[] }> {
  const diagnostics: Diagnostic[] = [];
  const notices: string[] = [];
  const services = desired.services.map((service) => {
    diagnostics.push(...incomplete(service, recorded), ...noReturn(service, observed, recorded));
    notices.push(...staying(service, observed, recorded));
    return serviceBefore(service, desired, observed, recorded);
  });
  return resultOf({ desired: { ...desired, services: inOrder(services) }, notices }, diagnostics);
}

function target(container: DesiredContainer, recorded: Recorded): StoredGeneration | undefined {
  return recorded.get(recordedKey(container.host, container.name));
}

function incomplete(service: DesiredService, recorded: Recorded): Diagnostic[] {
  return [...new Set(service.containers.map((c) => c.name))].flatMap((name) => {
    const replicas = service.containers.filter((c) => c.name === name);
    const without = replicas.filter((c) => target(c, recorded) === undefined).map((c) => c.host);
    if (without.length > 0) {
      const message = `nothing is recorded of what ${name} was before on ${without.join(', ')}`;
      return [error('no-generation', message, { hint: `select other containers with --tags, or --skip-tags ${name}` })];
    }
    const images = new Map<string, string[]>();
    for (const replica of replicas) {
      const image = target(replica, recorded)?.generation.image;
      if (image === undefined) continue;
      const text = `${image.tag} (${image.digest.slice(0, 19)})`;
      images.set(text, [...(images.get(text) ?? []), replica.host]);
    }
    if (images.size < 2) return [];
    const words = [...images].map(([image, hosts]) => `${image} on ${hosts.join(', ')}`).join('; ');
    const hint = `bring all to one version first: set ${name}_tag and run deploy upgrade --tags ${name}`;
    return [error('generations-differ', `the replicas of ${name} were not the same before: ${words}`, { hint })];
  });
}

/** What would get another image, with that image's digest. */
function goesTo(container: DesiredContainer, observed: Observed, recorded: Recorded): string | undefined {
  const seen = observed.get(container.host)?.containers.find((c) => c.name === container.name);
  const digest = target(container, recorded)?.generation.image.digest;
  return seen !== undefined && seen.labels[label.imageDigest] !== digest ? digest : undefined;
}

/** Migrations that ran with another image than the one their container goes to. */
function ranSince(service: DesiredService, observed: Observed, recorded: Recorded) {
  return [...service.oneShots.values()].filter((oneShot) => {
    if (!oneShot.definition.per_image) return false;
    const owner = service.containers.find((c) => c.name === oneShot.container && c.host === oneShot.host);
    const digest = owner && goesTo(owner, observed, recorded);
    if (digest === undefined) return false;
    const values = [...observed.values()].flatMap(({ markers }) => markers[oneShotMarkerKey(oneShot.name)] ?? []);
    return values.length > 0 && !values.some((value) => value.startsWith(`${digest} `));
  });
}

function noReturn(service: DesiredService, observed: Observed, recorded: Recorded): Diagnostic[] {
  const migrations = ranSince(service, observed, recorded)
    .filter((oneShot) => !oneShot.definition.way_back)
    .map(({ name }) => {
      const message = `${service.name} cannot go back to its old version: ${name} has run since and cannot be undone`;
      return error('no-way-back', message, { hint: 'restore its database from a backup first' });
    });
  const members = service.containers.filter(
    (c) => c.rollout.strategy === 'galera' && goesTo(c, observed, recorded) !== undefined,
  );
  const [member] = members;
  if (member === undefined) return migrations;
  const message = `${member.name} cannot go back to its old version: a database member that has run the new one cannot`;
  return [...migrations, error('no-way-back', message, { hint: `--skip-tags ${member.name} leaves it as it is` })];
}

function staying(service: DesiredService, observed: Observed, recorded: Recorded): string[] {
  return ranSince(service, observed, recorded)
    .filter((oneShot) => oneShot.definition.way_back)
    .map(({ name }) => `${name} has run with the newer image and is not undone: the old version runs on what it left`);
}

function serviceBefore(
  service: DesiredService,
  desired: Desired,
  observed: Observed,
  recorded: Recorded,
): DesiredService {
  const phases: readonly Phase[] =
    service.phases.length > 0 ? service.phases : [...service.groupHosts.keys()].map((name) => ({ replace: [name] }));
  const replacements = phases.filter((phase) => typeof phase !== 'string' && 'replace' in phase);
  return {
    name: service.name,
    requires: service.requires,
    whole: service.whole,
    home: service.home,
    groupHosts: service.groupHosts,
    galera: service.galera,
    phases: forward(service, observed, recorded) ? replacements : replacements.toReversed(),
    containers: service.containers.flatMap((container) => {
      const stored = target(container, recorded);
      return stored ? [containerBefore(container, stored, desired.fragmentPaths.get(container.host))] : [];
    }),
    oneShots: new Map(),
    gates: service.gates,
    migrating: new Set(),
    // Load balancer entries are shared by all services and stay as they are.
    fragments: [],
  };
}

function containerBefore(
  container: DesiredContainer,
  { generation, files }: StoredGeneration,
  fragments: ReadonlySet<string> | undefined,
): DesiredContainer {
  const own = files.filter(({ path }) => fragments?.has(path) !== true);
  return {
    ...container,
    image: generation.image,
    spec: generation.spec,
    specHash: generation.specHash,
    sources: () => new Map(Object.entries(generation.sources).map(([name, hash]) => [name, { hash }])),
    files: own.map((file) => ({ ...file, sha256: sha256(file.content), service: container.service })),
  };
}

/** A rollback of a rollback leads to the version the database is migrated to, in the order of an upgrade. */
function forward(service: DesiredService, observed: Observed, recorded: Recorded): boolean {
  const migrations = [...service.oneShots.values()].filter((oneShot) => oneShot.definition.per_image);
  const going = service.containers.some((c) => goesTo(c, observed, recorded) !== undefined);
  return going && migrations.length > 0 && ranSince(service, observed, recorded).length === 0;
}

/** What others need goes back after them. */
function inOrder(services: readonly DesiredService[]): DesiredService[] {
  return services.toReversed().map((service) => ({
    ...service,
    requires: services.filter((other) => other.requires.includes(service.name)).map((other) => other.name),
  }));
}
