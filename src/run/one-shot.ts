import { label } from '../core/model/node.ts';
import type { StepOf } from '../core/plan/steps.ts';
import { failed, indent, type StepContext } from './step-context.ts';

type ShortLived = Pick<StepOf<'one-shot'>, 'host' | 'name' | 'spec' | 'labels' | 'timeoutSeconds'>;

/** Runs a short-lived container to its end and removes it; one that fails is kept, for its log. */
export async function runToEnd(step: ShortLived, { node, runId, progress }: StepContext): Promise<void> {
  // One of an interrupted run may still be at it: a migration is never killed half-way.
  if ((await node.inspect(step.name))?.running === true) {
    progress(`waiting for the ${step.name} of an earlier run`);
    await node.wait(step.name, step.timeoutSeconds * 1000);
  }
  await node.remove(step.name);
  await node.create(step.name, step.spec, { ...step.labels, [label.run]: runId });
  await node.start(step.name);
  const code = await node.wait(step.name, step.timeoutSeconds * 1000);
  if (code !== 0) {
    const logs = await node.logs(step.name, 20);
    throw failed(
      step,
      `${step.name} ended with ${code}; it logged last:\n${indent(logs)}`,
      'the container is kept: docker logs',
    );
  }
  await node.remove(step.name);
}
