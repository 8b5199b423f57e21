import type { Desired, DesiredContainer, ImageRef } from '../desired/model.ts';
import {
  createdFrom,
  type HostName,
  imageName,
  label,
  nameless,
  type ObservedContainer,
  type ObservedNode,
  type PinnedImage,
} from '../model/node.ts';
import { isOurs, nextSuffix, previousSuffix } from './compare.ts';

export type ChangeVerb = 'pull' | 'deploy' | 'reconfigure' | 'upgrade' | 'reconcile' | 'rollback';

export interface VerbPolicy {
  /** `wanted`: the tag of the variables; `keep`: whatever runs. */
  readonly images: 'wanted' | 'keep';
  /** Migrations and bootstraps may run. */
  readonly oneShots: boolean;
  /** A service of which nothing is there yet is brought up; otherwise it is left alone and named. */
  readonly newServices: boolean;
}

/** The table of verbs; a pull only fetches what a later deploy or upgrade will want. */
export const verbPolicy: Readonly<Record<ChangeVerb, VerbPolicy>> = {
  pull: { images: 'wanted', oneShots: false, newServices: true },
  deploy: { images: 'wanted', oneShots: true, newServices: true },
  upgrade: { images: 'wanted', oneShots: true, newServices: false },
  reconfigure: { images: 'keep', oneShots: false, newServices: false },
  // Whatever differs, from whatever cause: like a deploy, but its prechecks of ports, which are for what is yet to come.
  reconcile: { images: 'wanted', oneShots: true, newServices: true },
  /** Wanted is what the nodes have recorded. */
  rollback: { images: 'wanted', oneShots: false, newServices: false },
};

export type Observed = ReadonlyMap<HostName, ObservedNode>;

/**
 * The image a container of ours runs now, from its labels. One that is away here (removed, or an interrupted run has
 * set it aside) counts with the image of a replica that runs elsewhere, or else with that of what was set aside.
 */
export function runningImage(container: DesiredContainer, observed: Observed): PinnedImage | undefined {
  const traces = tracesOf(container, observed);
  const here = traces.find((c) => c.name === container.name);
  const elsewhere = [...observed.values()].flatMap((node) =>
    node.containers.filter((c) => c.name === container.name && c.state === 'running' && isOurs(c)),
  );
  const seen = here ?? elsewhere[0] ?? traces[0];
  const digest = seen?.labels[label.imageDigest];
  if (seen === undefined || digest === undefined) return undefined;
  // Its name is another image's now and was not noted: the wanted one is the best guess, the digest is what counts.
  const name = createdFrom(seen);
  if (name === seen.image && nameless(seen)) return { ...container.image, digest };
  const colon = name.lastIndexOf(':');
  const tagged = colon > name.lastIndexOf('/');
  return { repository: tagged ? name.slice(0, colon) : name, tag: tagged ? name.slice(colon + 1) : '', digest };
}

/** Images whose digest the registry has to be asked for before planning; each once, in a stable order. */
export function imagesToResolve(verb: ChangeVerb, desired: Desired, observed: Observed): ImageRef[] {
  const policy = verbPolicy[verb];
  const needed = new Map<string, ImageRef>();
  for (const service of desired.services) {
    if (!policy.newServices && !isDeployed(service.containers, observed)) continue;
    for (const container of service.containers) {
      if (policy.images === 'keep' && runningImage(container, observed) !== undefined) continue;
      needed.set(imageName(container.image), container.image);
    }
  }
  return [...needed.keys()].sort().flatMap((name) => needed.get(name) ?? []);
}

/** Whether any of a service's containers exists on the nodes that were looked at, in the middle of its replacement too. */
export function isDeployed(containers: readonly DesiredContainer[], observed: Observed): boolean {
  return containers.some((container) => tracesOf(container, observed).length > 0);
}

/** A container of ours on its host under its own name and the names it has during a replacement, in this order. */
function tracesOf({ host, name }: DesiredContainer, observed: Observed): ObservedContainer[] {
  const ours = observed.get(host)?.containers.filter(isOurs) ?? [];
  return [name, `${name}${previousSuffix}`, `${name}${nextSuffix}`].flatMap((one) =>
    ours.filter((c) => c.name === one),
  );
}
