import { DeployError, error, exitCode } from '../core/model/diagnostic.ts';
import type { StoredGeneration } from '../core/model/generation.ts';
import { type Recorded, recordedKey, rolledBack, runsAs } from '../core/plan/rollback.ts';
import type { SelectionOptions } from './options.ts';
import type { Output } from './output.ts';
import { unwrap } from './site.ts';
import type { Survey } from './survey.ts';

/** Going back is asked for by name; the whole site at once is nobody's wish. */
export function requireTags(options: SelectionOptions): void {
  if (options.tags.length > 0) return;
  const hint = 'name what goes back to what it was before: deploy rollback --tags magnum';
  throw new DeployError([error('needs-tags', 'rollback needs --tags', { hint })], exitCode.badInput);
}

/** The survey with the desired state of before, as the nodes have recorded it. */
export async function surveyBefore(survey: Survey, output: Output): Promise<Survey> {
  const recorded = await readGenerations(survey);
  const { desired, notices } = unwrap(
    rolledBack(survey.desired, survey.observed, recorded),
    output,
    exitCode.nodeNotUsable,
  );
  return { ...survey, desired, notices };
}

/** All hosts at once, on each one container after the other. */
async function readGenerations({ desired, observed, nodes }: Survey): Promise<Recorded> {
  const recorded = new Map<string, StoredGeneration | undefined>();
  const containers = desired.services.flatMap((service) => service.containers);
  await Promise.all(
    [...nodes].map(async ([host, node]) => {
      for (const container of containers.filter((c) => c.host === host)) {
        const { name, directory } = container;
        const current = await node.readGeneration(name, directory, 'current');
        // What an interrupted run has started is not recorded, and then the current one is the one before.
        const runs = current === undefined || runsAs(observed, container, current.generation);
        const stored = runs ? await node.readGeneration(name, directory, 'previous') : current;
        recorded.set(recordedKey(host, name), stored);
      }
    }),
  );
  return recorded;
}
