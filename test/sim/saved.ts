import type { Output } from '../../src/cli/output.ts';
import { absoluteOptions, planToSave, samePlan } from '../../src/cli/saved-plan.ts';
import type { LoadedSite } from '../../src/cli/site.ts';
import type { Survey } from '../../src/cli/survey.ts';
import { imagesWanted, type PlannedVerb, planOf } from '../../src/cli/verbs.ts';
import { DeployError, formatDiagnostic } from '../../src/core/model/diagnostic.ts';
import { imageName } from '../../src/core/model/node.ts';
import { parseSavedPlan, type SavedPlan } from '../../src/core/plan/saved.ts';
import type { Plan } from '../../src/core/plan/steps.ts';
import type { SimulatedNode } from './node.ts';
import { copyOf, observe } from './scenario.ts';
import { type Choice, digestOf, must, type SimulatedSite } from './site.ts';
import type { SimulatedWorld } from './world.ts';

const silent: Output = {
  json: false,
  line() {},
  note() {},
  data() {},
  diagnostics() {},
  failure() {},
  redactWith() {},
};

/** What the command line would know of a simulated world. */
export function surveyOf(site: SimulatedSite, world: SimulatedWorld, choice: Choice = {}): Survey {
  const { target, desired } = site.desired(choice);
  const observed = new Map([...observe(world)].filter(([host]) => target.hosts.includes(host)));
  const loaded: LoadedSite = site.loaded;
  return {
    loaded,
    target,
    desired,
    observed,
    nodes: new Map(),
    digests: new Map(),
    options: { tags: choice.tags ?? [], skipTags: choice.skipTags ?? [], rollout: {} },
    hooks: new Map(),
    hookTimeout: 600,
  };
}

/** Plans and saves as the command line does; what was written is read back. */
export async function save(
  site: SimulatedSite,
  world: SimulatedWorld,
  verb: PlannedVerb,
  choice: Choice = {},
  settings: { readonly extraVars?: readonly string[]; readonly keepVolumes?: boolean } = {},
): Promise<{ plan: Plan; saved: SavedPlan; text: string }> {
  const survey = surveyOf(site, world, choice);
  for (const image of imagesWanted(verb, survey)) survey.digests.set(imageName(image), digestOf(imageName(image)));
  const plan = await planOf(verb, survey, { keepVolumes: settings.keepVolumes === true }, silent);
  const text = JSON.stringify(planToSave(plan, survey, absoluteOptions({ ...choice, ...settings })), null, 2);
  return { plan, saved: must(parseSavedPlan(text, 'x.plan')), text };
}

/** The plan as an apply makes it anew; no registry is there to be asked. */
export async function again(saved: SavedPlan, site: SimulatedSite, world: SimulatedWorld, choice: Choice = {}) {
  const verb = saved.verb as PlannedVerb;
  const keepVolumes = saved.options.keepVolumes === true;
  return samePlan(saved, 'x.plan', verb, surveyOf(site, world, choice), { keepVolumes }, silent);
}

/** What an apply is refused with, one line each; the first says that it is. Empty when it is not refused. */
export async function refusals(
  saved: SavedPlan,
  site: SimulatedSite,
  world: SimulatedWorld,
  choice: Choice = {},
): Promise<string[]> {
  const thrown: unknown = await again(saved, site, world, choice).then(
    () => undefined,
    (cause: unknown) => cause,
  );
  if (thrown === undefined) return [];
  if (!(thrown instanceof DeployError) || thrown.exit !== 4) throw thrown;
  return thrown.diagnostics.map((d) => formatDiagnostic(d).replace(/^error: /, ''));
}

export function nodeOf(world: SimulatedWorld, host: string): SimulatedNode {
  const node = world.nodes.get(host);
  if (node === undefined) throw new Error(`there is no ${host}`);
  return node;
}

/** A copy in which containers keep their ids, as on nodes nobody touched. */
export function twinOf(world: SimulatedWorld): SimulatedWorld {
  const twin = copyOf(world);
  for (const node of world.nodes.values()) {
    const copy = nodeOf(twin, node.host);
    for (const [name, container] of node.containers) copy.containers.set(name, { ...container });
    for (const [key, value] of node.markers) copy.markers.set(key, value);
  }
  return twin;
}
