import type { DesiredContainer } from '../desired/model.ts';
import { label, type ObservedContainer, type ObservedNode } from '../model/node.ts';
import { temporarySuffix } from '../plan/compare.ts';

/** Whether a member's container runs on its node. */
export function runs(node: ObservedNode, container: DesiredContainer): boolean {
  return node.containers.some(({ name, state }) => name === container.name && state === 'running');
}

/** It would form a new cluster at its next start. */
export function isTemporary(container: ObservedContainer): boolean {
  return container.labels[label.specHash]?.endsWith(temporarySuffix) === true;
}
