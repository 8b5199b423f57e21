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
import { closeAll } from '../nodes.ts';
import type { Output } from '../output.ts';
import { openSiteRegistry } from '../registry.ts';
import { desiredState, programDirectory, type Target, unwrap } from '../site.ts';
import { planFor, prechecks, type Survey, takeSurvey } from '../survey.ts';
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
  const stages = runbook.stages.slice(index);
  const survey = await commonSurvey(runbook, stages, options, output);
  try {
    if (notice !== undefined) output.note(notice);
    if (!output.json) output.line(`runbook ${runbook.name}: ${runbook.summary}`);
    const { targets } = runbook;
    let pending = false;
    for await (const planned of planStages(stages, {
      targets,
      output,
      survey,
      builds: (stage) => plannedBuilds(stage, runbook, output),
    })) {
      if (output.json) output.data(plannedStageJson(planned));
      else output.line(plannedStageText(planned, runbook.stages.length));
      pending ||= planned.pending;
    }
    return pending ? exitCode.changesPending : exitCode.ok;
  } finally {
    if (survey !== undefined) await closeAll(survey.nodes);
  }
}

/** One connection and one look for each node that any stage selects; undefined when none selects anything. */
async function commonSurvey(
  { targets }: LoadedRunbook,
  stages: readonly Stage[],
  options: RunOptions,
  output: Output,
): Promise<Survey | undefined> {
  const selecting = stages.filter(({ name }) => targets.has(name));
  if (selecting.length === 0) return undefined;
  const hosts = new Set(selecting.flatMap(({ name }) => targets.get(name)?.hosts ?? []));
  const everything = selecting.some(({ tags }) => tags.length === 0);
  const tags = everything ? [] : [...new Set(selecting.flatMap((stage) => stage.tags))];
  const listening = selecting.some(({ verb }) => verb?.verb === 'deploy');
  const wanted = { ...options, tags, skipTags: [], limit: [...hosts].join(',') };
  return takeSurvey(wanted, quiet(output), { images: true, listening }, false);
}

/** What was told when the runbook was loaded is not told again for each stage. */
function quiet(output: Output): Output {
  return { ...output, diagnostics: () => undefined };
}

/** What the plans of stages are made from. */
export interface PlanningInput {
  /** What the stages select, by their names. */
  readonly targets: ReadonlyMap<string, Target>;
  readonly output: Output;
  /** Of everything the stages select together; undefined when they select nothing. */
  readonly survey: Survey | undefined;
  builds(stage: Stage): Promise<readonly PlannedBuild[]>;
}

interface Planner extends PlanningInput {
  /** Stages planned so far. */
  readonly before: Stage[];
  /** Images that stages planned so far push, by name, while the registry does not hold them yet: the stage's name. */
  readonly awaited: Map<string, string>;
}

/** The stages in their order, each planned with what the earlier ones will have made in mind. */
export async function* planStages(stages: readonly Stage[], input: PlanningInput): AsyncGenerator<PlannedStage> {
  const planner: Planner = { ...input, before: [], awaited: new Map() };
  for (const stage of stages) yield await planStage(stage, planner);
}

async function planStage(stage: Stage, planner: Planner): Promise<PlannedStage> {
  if (stage.skipped) return { stage, builds: [], parts: [], pending: false };
  const builds = stage.build ? await planner.builds(stage) : [];
  for (const { reference, needed } of builds) {
    if (needed && stage.build?.push) planner.awaited.set(reference, stage.name);
  }
  const pull = stage.pull ? await plannedPart('pull', 'pull', stage, planner) : [];
  const verb = stage.verb ? await plannedPart(stage.verb.command, stage.verb.verb, stage, planner) : [];
  planner.before.push(stage);
  const parts = [...pull, ...verb];
  // A stage that only shows a plan changes nothing, whatever the plan says.
  const changing = parts.some((part) => part.changing && (part.plan === undefined || part.plan.steps.length > 0));
  return { stage, builds, parts, pending: changing || builds.some((build) => build.needed) };
}

/** What `build` would be asked for, and whether the registry holds it already with that content. */
async function plannedBuilds(stage: Stage, { loaded }: LoadedRunbook, output: Output): Promise<PlannedBuild[]> {
  const definitions = unwrap(await readImages(join(programDirectory, 'services')), output, exitCode.badInput);
  const enabled = new Set(loaded.services.map((s) => s.definition.service));
  const patterns = stage.build?.images ?? [];
  const selected = unwrap(selectImages(patterns, definitions, enabled), output, exitCode.badInput);
  const scope = loaded.site.scope(buildHost(loaded));
  const registry = await openSiteRegistry(scope, (text) => output.note(text));
  const { images } = await planImages(loaded, scope, registry, definitions, selected, output);
  return Promise.all(
    images.map(async (image) => {
      const found = await registry.inspect(image);
      const needed = found?.labels[contentHashLabel] !== image.contentHash;
      // A parent is built only when a child has to be.
      return { reference: image.reference, needed: needed && image.selected, parent: !image.selected };
    }),
  );
}

async function plannedPart(command: string, verb: string, stage: Stage, planner: Planner): Promise<PlannedPart[]> {
  const target = planner.targets.get(stage.name);
  if (target === undefined || planner.survey === undefined) return [];
  const selectionOf = (name: string) => planner.targets.get(name)?.selection;
  const { changing: earlier, overlapping } = earlierStages(planner.before, stage, selectionOf, changes);
  const part = { command, verb, changing: changes(command), after: overlapping };
  if (!Object.hasOwn(verbPolicy, verb)) return [{ ...part, awaited: [] }];
  const survey = await surveyOf(stage, target, planner.survey, planner.output);
  const awaited = awaitImages(verb as ChangeVerb, survey, planner);
  try {
    const plan = await planFor(verb as ChangeVerb, survey, planner.output, await prechecks(verb as ChangeVerb, survey));
    return [{ ...part, plan, awaited }];
  } catch (cause) {
    if (!(cause instanceof DeployError) || earlier.length === 0) throw cause;
    return [{ ...part, after: earlier, awaited, problems: cause.diagnostics.map(formatDiagnostic) }];
  }
}

/** The part of the common look that a stage selects. */
async function surveyOf(stage: Stage, selected: Target, survey: Survey, output: Output): Promise<Survey> {
  const skipped = survey.skipped?.filter(({ host }) => selected.hosts.includes(host)) ?? [];
  const target = { ...selected, hosts: selected.hosts.filter((host) => !skipped.some((one) => one.host === host)) };
  const only = <V>(map: ReadonlyMap<string, V>) => new Map([...map].filter(([host]) => target.hosts.includes(host)));
  const desired = await desiredState(survey.loaded, target, quiet(output));
  const options = { ...survey.options, tags: stage.tags, skipTags: stage.skipTags };
  return { ...survey, options, target, desired, skipped, observed: only(survey.observed), nodes: only(survey.nodes) };
}

/** Images of this plan that an earlier stage makes: the registry is not asked for them. */
function awaitImages(verb: ChangeVerb, { desired, observed, digests }: Survey, { awaited }: Planner): string[] {
  const names = imagesToResolve(verb, desired, observed).map(imageName);
  const missing = names.filter((name) => awaited.has(name));
  for (const name of missing) digests.set(name, notBuiltYet);
  return missing.map((name) => `${name.slice(name.lastIndexOf('/') + 1)} after stage ${awaited.get(name)}`);
}
