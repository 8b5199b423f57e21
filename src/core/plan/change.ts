import type { DesiredContainer } from '../desired/model.ts';
import { error } from '../model/diagnostic.ts';
import { imageName, label, nameless, type ObservedNode, type PinnedImage } from '../model/node.ts';
import { compareFiles, judgeContainer, madeByHand } from './compare.ts';
import { type Context, imageFor, keptFragments, nodeOf, pullFor } from './context.ts';
import { explainerFor } from './reasons.ts';
import type { Change } from './replace.ts';
import type { StepId } from './steps.ts';

/**
 * A container as it should be beside what its node has. None where the node was not looked at, and none, but an error,
 * where another's container has its name.
 */
export function changeOf(context: Context, container: DesiredContainer): Change | undefined {
  const node = nodeOf(context, container.host);
  if (node === undefined) return undefined;
  const image = imageFor(context, container);
  const files = compareFiles(container.directory, container.files, node.files, keptFragments(context, container));
  if (isTaken(context, container, node)) return undefined;
  const explain = explainerFor(container, node, files, context.details, context.comparer);
  const verdict = judgeContainer(container, image, files, node, explain);
  const creates = verdict.kind === 'missing' || verdict.kind === 'replace';
  const pull = pullOf(context, container, image, node, creates);
  return { container, image, files, verdict, node, pull };
}

function isTaken({ desired, diagnostics }: Context, { name, host }: DesiredContainer, node: ObservedNode): boolean {
  const foreign = node.containers.find((c) => c.name === name && c.labels[label.site] !== desired.site);
  if (foreign === undefined) return false;
  const owner = foreign.labels[label.site];
  // Where one of ours stood before, what stands there now was put in its place.
  if (owner === undefined && madeByHand(foreign, node) !== undefined) return false;
  const message = `container ${name} was not created by this site${owner ? ` but by ${owner}` : ''}`;
  const hint = 'nothing is changed that is not ours: remove or rename that container, then run this again';
  diagnostics.push(error('foreign-container', message, { host, hint }));
  return true;
}

/** An image that a container here was made from is here, and under its name as long as the engine tells the name. */
function pullOf(
  context: Context,
  container: DesiredContainer,
  image: PinnedImage,
  node: ObservedNode,
  creates: boolean,
): StepId | undefined {
  const made = node.containers.filter((c) => c.labels[label.imageDigest] === image.digest);
  const retagged = made.some((c) => c.name === container.name && nameless(c));
  const present = made.some((c) => c.image === imageName(image));
  return retagged || (creates && !present) ? pullFor(context, container, image, retagged) : undefined;
}
