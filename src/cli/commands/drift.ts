import type { DesiredContainer } from '../../core/desired/model.ts';
import { type ExitCode, exitCode } from '../../core/model/diagnostic.ts';
import { label } from '../../core/model/node.ts';
import { madeByHand } from '../../core/plan/compare.ts';
import { type DriftEntry, findDrift } from '../../core/plan/drift.ts';
import { findLeftovers } from '../../core/plan/leftovers.ts';
import { runningImage } from '../../core/plan/policy.ts';
import { driftText } from '../../report/drift-text.ts';
import { leftoverInput } from '../leftovers.ts';
import { closeAll } from '../nodes.ts';
import type { SelectionOptions } from '../options.ts';
import type { Output } from '../output.ts';
import { type Survey, selectedOnly, takeSurvey } from '../survey.ts';

/**
 * `status --drift`: everything on the nodes that no run has left there so. Exit 0 when there is nothing, else 1.
 * Unlike a plan it inspects each container, and without tags it looks at every host of the inventory.
 */
export async function showDrift(options: SelectionOptions, output: Output): Promise<ExitCode> {
  const survey = await takeSurvey({ ...options, prune: true }, output, {}, false);
  try {
    const entries = await allDrift(survey);
    if (output.json) output.data({ drift: entries });
    else output.line(driftText(entries, survey.observed.size));
    return entries.length === 0 ? exitCode.ok : exitCode.failed;
  } finally {
    await closeAll(survey.nodes);
  }
}

export async function allDrift(survey: Survey): Promise<DriftEntry[]> {
  const { desired, loaded, target, options } = survey;
  const observed = selectedOnly(survey);
  const containers = desired.services.flatMap((service) => service.containers);
  const settings = new Map<string, string>();
  await Promise.all(
    containers.map(async (container) => {
      const differing = await settingsDiffering(container, survey);
      if (differing.length > 0) settings.set(`${container.host} ${container.name}`, differing.join(', '));
    }),
  );
  const entries = findDrift(desired, observed).map((entry): DriftEntry => {
    const key = `${entry.host} ${entry.container}`;
    const more = settings.get(key);
    if (entry.what !== 'recreated by hand' || more === undefined) return entry;
    settings.delete(key);
    return { ...entry, detail: entry.detail === '' ? more : `${entry.detail}; ${more}` };
  });
  const updated = containers.flatMap(({ host, name }): DriftEntry[] => {
    const detail = settings.get(`${host} ${name}`);
    return detail === undefined ? [] : [{ host, container: name, what: 'settings changed', detail }];
  });
  const leftovers = findLeftovers(desired, leftoverInput(loaded, target, options, survey.observed));
  return [
    ...entries,
    ...updated,
    ...leftovers.map(({ host, container, why }) => ({ host, container, what: 'left over', detail: why })),
  ];
}

/** What differs in a container's settings and cannot be told from a change of the configuration that is still to come. */
async function settingsDiffering(container: DesiredContainer, survey: Survey): Promise<readonly string[]> {
  const node = survey.observed.get(container.host);
  const seen = node?.containers.find((c) => c.name === container.name);
  if (node === undefined || seen === undefined) return [];
  const asMade = seen.labels[label.specHash] === container.specHash && seen.labels[label.site] === survey.desired.site;
  if (!asMade && madeByHand(seen, node) === undefined) return [];
  const image = runningImage(container, survey.observed) ?? { ...container.image, digest: '' };
  return (
    (await survey.nodes.get(container.host)?.settingsDiffering(container.name, { ...container.spec, image })) ?? []
  );
}
