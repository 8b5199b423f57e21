import { copyingMarker, howToRemove, keptVolume } from '../core/galera/kept-data.ts';
import { label } from '../core/model/node.ts';
import type { StepOf } from '../core/plan/steps.ts';
import { failed, indent, type StepContext } from './step-context.ts';

const lastWords = 10;

/**
 * A copy that an interrupted run began is begun anew in the same volume: what is there may be half of it, and the data
 * may have changed since.
 */
export async function copyData(step: StepOf<'galera-copy'>, { node, runId, progress }: StepContext): Promise<string> {
  const { name } = step;
  const target = step.begun ?? keptVolume(step.volume, runId, step.own);
  await node.stop(name, 0);
  await node.remove(name);
  await node.writeMarker(copyingMarker, target);
  const spec = { ...step.spec, volumes: [...step.spec.volumes, `${target}:${step.into}`] };
  await node.create(name, spec, { ...step.labels, [label.run]: runId });
  progress(`into the volume ${target}`);
  await node.start(name);
  const code = await node.wait(name, step.timeoutSeconds * 1000);
  const said = await node.logs(name, lastWords);
  await node.remove(name);
  if (code !== 0)
    throw failed(step, `the copy in ${target} ended with ${code}:\n${indent(said)}`, 'its data was not touched');
  await node.removeMarkers([copyingMarker]);
  return `in ${target}; ${howToRemove([target])} removes it`;
}
