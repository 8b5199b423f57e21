import { join } from 'node:path';
import { contentHashLabel } from '../../core/images/definition.ts';
import { selectImages } from '../../core/images/select.ts';
import { DeployError, type ExitCode, exitCode, formatDiagnostic } from '../../core/model/diagnostic.ts';
import { imageName } from '../../core/model/node.ts';
import { type ChangeVerb, imagesToResolve, verbPolicy } from '../../core/plan/policy.ts';
import { earlierStages } from '../../core/runbook/earlier.ts';
import type { Start } from '../../core/runbook/progress.ts';
import type { Stage } from '../../core/runbook/stage.ts';
import { readImages } from '../../edge/store/read-images.ts';
import {
  type PlannedBuild,
  type PlannedPart,
  type PlannedStage,
  plannedStageJson,
  plannedStageText,
} from '../../report/runbook-plan.ts';
import { buildHost, planImages } from '../commands/build.ts';
import { closeAll, observeAll, openNodes } from '../nodes.ts';
import type { Output } from '../output.ts';
import { openSiteRegistry } from '../registry.ts';
import { desiredState, programDirectory, type Target, unwrap } from '../site.ts';
import { planFor, prechecks, type Survey } from '../survey.ts';
import type { LoadedRunbook } from './load.ts';
import { changes, type RunOptions } from './options.ts';

/** Not a digest of anything, and so different from every one that runs: the image is made by an earlier stage. */
const notBuiltYet = 'sha256:not-built-yet';

/**
 * Every stage with what it would do if it were carried out now, from one look at the nodes. What an earlier stage
 * makes or changes is said instead of being an error. Exit 2 when there is anything to do, else 0.
 */
export async function planRunbook(
  runbook: LoadedRunbook,
  { index, notice }: Start,
  options: RunOptions,
  output: Output,
): Promise<ExitCode> {
  const planner = await openPlanner(runbook, runbook.stages.slice(index), options, output);
  try {
    if (notice !== undefined) output.note(notice);
    if (!output.json) output.line(`runbook ${runbook.name}: ${runbook.summary}`);
    let pending = false;
    for (const stage of runbook.stages.slice(index)) {
      const planned = await planStage(stage, planner);
      if (output.json) output.data(plannedStageJson(planned));
      else output.line(plannedStageText(planned, runbook.stages.length));
      pending ||= planned.pending;
    }
    return pending ? exitCode.changesPending : exitCode.ok;
  } finally {
    await closeAll(planner.nodes);
  }
}

interface Planner extends Pick<Survey, 'nodes' | 'observed' | 'digests'> {
  readonly runbook: LoadedRunbook;
  readonly output: Output;
  /** Stages planned so far. */
  readonly before: Stage[];
  /** Images that stages planned so far push, by name, while the registry does not hold them yet. */
  readonly awaited: Map<string, string>;
}

/** One connection and one look for each node that any stage selects. */
async function openPlanner(
  runbook: LoadedRunbook,
  stages: readonly Stage[],
  options: RunOptions,
  output: Output,
): Promise<Planner> {
  const { loaded, targets } = runbook;
  const wanted = new Set(stages.flatMap(({ name }) => targets.get(name)?.hosts ?? []));
  const hosts = [...loaded.site.inventory.hosts.keys()].filter((host) => wanted.has(host));
  const nodes = await openNodes(loaded, hosts, options);
  try {
    const listening = stages.some(({ verb }) => verb?.verb === 'deploy');
    const observed = await observeAll(nodes, { images: true, listening });
    return { runbook, output, nodes, observed, digests: new Map(), before: [], awaited: new Map() };
  } catch (cause) {
    await closeAll(nodes);
    throw cause;
  }
}

async function planStage(stage: Stage, planner: Planner): Promise<PlannedStage> {
  if (stage.skipped) return { stage, builds: [], parts: [], pending: false };
  const builds = await plannedBuilds(stage, planner);
  const pull = stage.pull ? await plannedPart('pull', 'pull', stage, planner) : [];
  const verb = stage.verb ? await plannedPart(stage.verb.command, stage.verb.verb, stage, planner) : [];
  planner.before.push(stage);
  const parts = [...pull, ...verb];
  // A stage that only shows a plan changes nothing, whatever the plan says.
  const changing = parts.some((part) => part.changing && (part.plan === undefined || part.plan.steps.length > 0));
  return { stage, builds, parts, pending: changing || builds.some((build) => build.needed) };
}

/** What `build` would be asked for, and whether the registry holds it already with that content. */
async function plannedBuilds(stage: Stage, { runbook, output, awaited }: Planner): Promise<PlannedBuild[]> {
  if (stage.build === undefined) return [];
  const { loaded } = runbook;
  const definitions = unwrap(await readImages(join(programDirectory, 'services')), output, exitCode.badInput);
  const enabled = new Set(loaded.services.map((s) => s.definition.service));
  const selected = unwrap(selectImages(stage.build.images, definitions, enabled), output, exitCode.badInput);
  const scope = loaded.site.scope(buildHost(loaded));
  const registry = await openSiteRegistry(scope);
  const { images } = await planImages(loaded, scope, registry, definitions, selected, output);
  return Promise.all(
    images.map(async (image) => {
      const found = await registry.inspect(image);
      const needed = found?.labels[contentHashLabel] !== image.contentHash;
      if (needed && stage.build?.push) awaited.set(image.reference, stage.name);
      return { reference: image.reference, needed: needed && image.selected, parent: !image.selected };
    }),
  );
}

async function plannedPart(command: string, verb: string, stage: Stage, planner: Planner): Promise<PlannedPart[]> {
  const target = planner.runbook.targets.get(stage.name);
  if (target === undefined) return [];
  const selectionOf = (name: string) => planner.runbook.targets.get(name)?.selection;
  const { changing: earlier, overlapping } = earlierStages(planner.before, stage, selectionOf, changes);
  const part = { command, verb, changing: changes(command), after: overlapping };
  if (!Object.hasOwn(verbPolicy, verb)) return [{ ...part, awaited: [] }];
  const survey = await surveyOf(target, planner);
  const awaited = awaitImages(verb as ChangeVerb, survey, planner);
  try {
    const plan = await planFor(verb as ChangeVerb, survey, planner.output, await prechecks(verb as ChangeVerb, survey));
    return [{ ...part, plan, awaited }];
  } catch (cause) {
    if (!(cause instanceof DeployError) || earlier.length === 0) throw cause;
    return [{ ...part, after: earlier, awaited, problems: cause.diagnostics.map(formatDiagnostic) }];
  }
}

async function surveyOf(target: Target, { runbook, nodes, observed, digests, output }: Planner): Promise<Survey> {
  const { loaded } = runbook;
  const quiet = { ...output, diagnostics: () => undefined };
  const only = <V>(map: ReadonlyMap<string, V>) => new Map([...map].filter(([host]) => target.hosts.includes(host)));
  const desired = await desiredState(loaded, target, quiet);
  return { loaded, target, desired, observed: only(observed), nodes: only(nodes), digests };
}

/** Images of this plan that an earlier stage makes: the registry is not asked for them. */
function awaitImages(verb: ChangeVerb, { desired, observed, digests }: Survey, { awaited }: Planner): string[] {
  const names = imagesToResolve(verb, desired, observed).map(imageName);
  const missing = names.filter((name) => awaited.has(name));
  for (const name of missing) digests.set(name, notBuiltYet);
  return missing.map((name) => `${name.slice(name.lastIndexOf('/') + 1)} after stage ${awaited.get(name)}`);
}
