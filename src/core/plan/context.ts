import type { Desired, DesiredContainer } from '../desired/model.ts';
import type { Diagnostic } from '../model/diagnostic.ts';
import type { Hooks } from '../model/hook.ts';
import { type HostName, imageName, type ObservedNode, type PinnedImage } from '../model/node.ts';
import type { NodeDetails } from './details.ts';
import type { Comparer, DiffMode } from './file-diff.ts';
import type { LeftoverInput } from './leftovers.ts';
import { type ChangeVerb, type Observed, runningImage, verbPolicy } from './policy.ts';
import type { Change } from './replace.ts';
import type { RolloutLimits } from './rollout-limits.ts';
import type { PlanBuilder, StepId } from './steps.ts';

export interface PlanInput {
  readonly verb: ChangeVerb;
  readonly desired: Desired;
  readonly observed: Observed;
  /** `repository:tag` → digest, for every image `imagesToResolve` named. */
  readonly digests: ReadonlyMap<string, string>;
  readonly limits?: RolloutLimits | undefined;
  /** Selected hosts that did not answer and are gone on without: they hold none of `desired` and are not `observed`. */
  readonly unreachable?: readonly HostName[] | undefined;
  /** What is known before anything is planned and should be said with the plan. */
  readonly notices?: readonly string[] | undefined;
  /** The operator's, to be made steps of the plan. */
  readonly hooks?: Hooks | undefined;
  /** Where to look for what is no longer wanted; nothing is looked for without it. */
  readonly leftovers?: LeftoverInput | undefined;
  /** What a second look has found where something differs; without it reasons are coarser. */
  readonly details?: ReadonlyMap<HostName, NodeDetails> | undefined;
  /** Values that must not be shown; needed with `details` and with `diff`. */
  readonly secrets?: readonly string[] | undefined;
  readonly diff?: DiffMode | undefined;
}

export interface Context extends PlanInput {
  readonly plan: PlanBuilder;
  readonly diagnostics: Diagnostic[];
  readonly comparer: Comparer;
  /** Containers that are not what they should be. */
  readonly changed: Change[];
  /** `host image` → the step that brings it there. */
  readonly pulls: Map<string, StepId>;
}

export function keptFragments(context: Context, container: DesiredContainer): ReadonlySet<string> {
  return context.desired.fragmentPaths.get(container.host) ?? new Set();
}

export function nodeOf(context: Context, host: HostName): ObservedNode | undefined {
  return context.observed.get(host);
}

export function lookedAt(context: Context, host: HostName): ObservedNode {
  const node = nodeOf(context, host);
  if (node === undefined) throw new Error(`${host} was selected but not looked at`);
  return node;
}

/** The image a container gets: the wanted one, or under a reconfigure the one that runs. */
export function imageFor(context: Context, container: DesiredContainer): PinnedImage {
  const running = runningImage(container, context.observed);
  if (verbPolicy[context.verb].images === 'wanted' || running === undefined) return wantedImage(context, container);
  const wanted = container.image;
  if (running.tag !== wanted.tag || running.repository !== wanted.repository) {
    const note = `${container.name} runs ${running.tag}, the variables say ${wanted.tag}: deploy upgrade --tags ${container.service} carries that out`;
    if (!context.plan.notices.includes(note)) context.plan.notices.push(note);
  }
  return running;
}

export function wantedImage(context: Context, container: DesiredContainer): PinnedImage {
  const digest = container.image.digest ?? context.digests.get(imageName(container.image));
  if (digest === undefined) throw new Error(`no digest was resolved for ${imageName(container.image)}`);
  return { ...container.image, digest };
}

/** The step that brings an image to a host; none when the look has shown that it is there. */
export function pullFor(
  context: Context,
  container: DesiredContainer,
  image: PinnedImage,
  retagged = false,
): StepId | undefined {
  const node = nodeOf(context, container.host);
  const reference = `${image.repository}@${image.digest}`;
  const known = node?.images?.find((i) => i.digests.includes(reference));
  if (known?.tags.includes(imageName(image))) return undefined;
  const key = `${container.host} ${reference}`;
  const existing = context.pulls.get(key);
  if (existing) return existing;
  const id = context.plan.add(
    {
      service: container.service,
      host: container.host,
      needs: [],
      reason: known || retagged ? 'the tag points elsewhere on this node' : 'not on this node',
      impact: 'none',
    },
    { kind: 'pull', image },
    image.repository.slice(image.repository.lastIndexOf('/') + 1),
  );
  context.pulls.set(key, id);
  return id;
}
