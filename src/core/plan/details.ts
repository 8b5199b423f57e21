import { decodeGeneration, type Generation } from '../model/generation.ts';
import { type ContainerName, type HostName, label } from '../model/node.ts';
import type { Observed } from './policy.ts';
import type { Plan } from './steps.ts';

/** What a second command finds out about a node where something differs. */
export interface NodeDetails {
  /** Old texts of the files that change or go away, by path. */
  readonly files: ReadonlyMap<string, string>;
  /** What the containers that change were made of, where the node has kept that. */
  readonly generations: ReadonlyMap<ContainerName, Generation>;
}

export interface WantedDetails {
  readonly files: readonly string[];
  readonly generations: readonly ContainerName[];
}

/** Where a node keeps what a container that serves was made of. */
export function generationPath(container: ContainerName): string {
  return `/etc/kolla/.deploy/generations/${container}/current/container.json`;
}

/**
 * What is worth knowing of each node beyond the first look, for a plan made without: the texts of files it replaces
 * or removes, and what the containers it changes were made of. Hosts of which nothing is wanted are left out.
 */
export function wantedDetails(plan: Plan, observed: Observed): ReadonlyMap<HostName, WantedDetails> {
  const wanted = new Map<HostName, { files: Set<string>; generations: Set<ContainerName> }>();
  for (const step of plan.steps) {
    const node = observed.get(step.host);
    if (node === undefined) continue;
    const here = wanted.get(step.host) ?? { files: new Set(), generations: new Set() };
    wanted.set(step.host, here);
    if (step.kind === 'write') {
      const changed = new Set([...step.files.map((file) => file.path), ...step.remove]);
      for (const { path } of node.files) if (changed.has(path)) here.files.add(path);
    }
    if (step.kind === 'create' || step.kind === 'reload' || step.kind === 'start') {
      const ours = node.containers.some((c) => c.name === step.container && c.labels[label.container] !== undefined);
      if (ours) here.generations.add(step.container);
    }
  }
  return new Map(
    [...wanted]
      .filter(([, { files, generations }]) => files.size + generations.size > 0)
      .map(([host, { files, generations }]) => [host, { files: [...files], generations: [...generations] }]),
  );
}

/** All paths to fetch from a node, in one command. */
export function pathsOf({ files, generations }: WantedDetails): string[] {
  return [...files, ...generations.map(generationPath)];
}

/** What came back. A record that cannot be read is as good as none: the plan then says less. */
export function detailsOf(wanted: WantedDetails, texts: ReadonlyMap<string, string>): NodeDetails {
  const files = wanted.files.flatMap((path) => {
    const text = texts.get(path);
    return text === undefined ? [] : [[path, text] as const];
  });
  const generations = wanted.generations.flatMap((name) => {
    const generation = decodeGeneration(texts.get(generationPath(name)) ?? '');
    return generation?.container === name ? [[name, generation] as const] : [];
  });
  return { files: new Map(files), generations: new Map(generations) };
}
