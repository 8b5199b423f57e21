import { copyingMarker, howToRemove, keptVolume } from '../core/galera/kept-data.ts';
import { label } from '../core/model/node.ts';
import type { StepOf } from '../core/plan/steps.ts';
import { failed, indent, type StepContext } from './step-context.ts';

const lastWords = 10;

type Short = Pick<StepOf<'galera-copy'>, 'host' | 'name' | 'spec' | 'labels' | 'timeoutSeconds'>;

/** A container of its own does it from the beginning, whatever one of an interrupted run has done. */
async function runShort(step: Short, { node, runId }: StepContext, what: string): Promise<void> {
  const { name } = step;
  await node.stop(name, 0);
  await node.remove(name);
  await node.create(name, step.spec, { ...step.labels, [label.run]: runId });
  await node.start(name);
  const code = await node.wait(name, step.timeoutSeconds * 1000);
  const said = await node.logs(name, lastWords);
  await node.remove(name);
  if (code !== 0) throw failed(step, `${what} ended with ${code}:\n${indent(said)}`, 'the member was not started');
}

/**
 * A copy that an interrupted run began is begun anew in the same volume: what is there may be half of it, and the data
 * may have changed since.
 */
export async function copyData(step: StepOf<'galera-copy'>, context: StepContext): Promise<string> {
  const { node, runId, progress } = context;
  const target = step.begun ?? keptVolume(step.volume, runId, step.own);
  await node.writeMarker(copyingMarker, target);
  progress(`into the volume ${target}`);
  const spec = { ...step.spec, volumes: [...step.spec.volumes, `${target}:${step.into}`] };
  await runShort({ ...step, spec }, context, `the copy in ${target}`);
  await node.removeMarkers([copyingMarker]);
  return `in ${target}; ${howToRemove([target])} removes it`;
}

export async function clearData(step: StepOf<'galera-clear'>, context: StepContext): Promise<undefined> {
  await runShort(step, context, `removing what is in ${step.volume}`);
}
