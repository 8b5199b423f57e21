import { join, resolve } from 'node:path';
import { DeployError, type Diagnostic, error, exitCode } from '../core/model/diagnostic.ts';
import { imageName } from '../core/model/node.ts';
import { configurationPrint, nodePrints } from '../core/plan/fingerprint.ts';
import { type Basis, movedBasis, movedSteps } from '../core/plan/moved.ts';
import { type SavedPlan, type SavedStep, savedPlan, savedSteps } from '../core/plan/saved.ts';
import type { Plan } from '../core/plan/steps.ts';
import { extraVarsFile, secretsOnCommandLine } from '../core/site/extra-vars.ts';
import { condense } from '../report/diagnostics.ts';
import { planJson } from '../report/plan-text.ts';
import { makeRedactor } from '../report/redact.ts';
import { changeOptions } from './invocation.ts';
import type { Output } from './output.ts';
import type { Survey } from './survey.ts';
import { imagesWanted, type PlannedVerb, planOf, type VerbOptions } from './verbs.ts';
import { toolVersion } from './version.ts';

type Raw = Readonly<Record<string, unknown>>;

/** Options that say how a command is run and not what it does: an apply brings its own. */
const ofTheCall = new Set(['json', 'forks', 'yes', 'yesIReallyReallyMeanIt', 'out', 'knownHosts']);

/** The options with paths that mean the same from any directory. To be planned with as well: some show in variables. */
export function absoluteOptions(raw: Raw): SavedPlan['options'] {
  const { configdir, inventory, extraVars, tags, skipTags, limit } = changeOptions(raw);
  const inventories = inventory.length > 0 ? inventory : [join(configdir, 'inventory')];
  const named = {
    configdir: resolve(configdir),
    inventory: inventories.map((path) => resolve(path)),
    extraVars: extraVars.map(absoluteExtraVars),
    tags: [...tags],
    skipTags: [...skipTags],
    ...(limit === undefined ? {} : { limit }),
  };
  const others = Object.entries(raw).flatMap(([name, value]) =>
    isOption(value) && !ofTheCall.has(name) ? [[name, value] as const] : [],
  );
  return { ...Object.fromEntries(others), ...named };
}

function isOption(value: unknown): value is string | number | boolean | string[] {
  return Array.isArray(value) ? value.every((one) => typeof one === 'string') : /^(?:str|num|boo)/.test(typeof value);
}

function absoluteExtraVars(argument: string): string {
  const file = extraVarsFile(argument);
  return file === undefined ? argument : `@${resolve(file)}`;
}

/** What is saved of a plan. Refused when the command line held a secret. */
export function planToSave(plan: Plan, survey: Survey, options: SavedPlan['options']): SavedPlan {
  const { site } = survey.loaded;
  const secrets = options.extraVars.flatMap((argument) => secretsOnCommandLine(argument, site));
  if (secrets.length > 0) throw new DeployError(secrets, exitCode.badInput);
  return savedPlan({
    tool: toolVersion(),
    verb: plan.verb,
    site: plan.site,
    options,
    digests: Object.fromEntries([...survey.digests].sort(([a], [b]) => (a < b ? -1 : 1))),
    ...basisOf(survey),
    steps: stepsOf(plan, survey),
    notices: [...plan.notices],
  });
}

function basisOf({ desired, observed }: Survey): Basis {
  return { configuration: configurationPrint(desired), nodes: nodePrints(desired, observed) };
}

/** As they are shown: what the redaction masks on a terminal is masked in a file. */
function stepsOf(plan: Plan, survey: Survey): SavedStep[] {
  const redact = makeRedactor(survey.loaded.site.secretValues());
  return savedSteps(redact(JSON.stringify(planJson(plan))));
}

/**
 * The plan that was saved, made anew from what is there now, with the images it was made with; the registry is not
 * asked what a tag stands for. Refused (exit 4, nothing was changed) when anything it was made from has moved.
 */
export async function samePlan(
  saved: SavedPlan,
  file: string,
  verb: PlannedVerb,
  survey: Survey,
  options: VerbOptions,
  output: Output,
): Promise<Plan> {
  for (const [image, digest] of Object.entries(saved.digests)) survey.digests.set(image, digest);
  const moved = movedBasis(saved, basisOf(survey));
  if (moved.length > 0) throw refusal(saved, file, moved);
  const unknown = imagesWanted(verb, survey).filter((image) => !survey.digests.has(imageName(image)));
  if (unknown.length > 0) {
    const message = `the plan does not say which ${unknown.map(imageName).join(', ')} it means`;
    throw refusal(saved, file, [error('plan-moved', message)]);
  }
  const plan = await planOf(verb, survey, options, output);
  const steps = movedSteps(saved.steps, stepsOf(plan, survey));
  if (steps.length > 0) throw refusal(saved, file, steps);
  return plan;
}

/** More than these are counted: who has to plan anew needs to know what happened, not all of it. */
const sentencesShown = 20;

function refusal(saved: SavedPlan, file: string, moved: readonly Diagnostic[]): DeployError {
  const sentences = condense(moved);
  const { length } = sentences.splice(sentencesShown);
  const rest = length === 0 ? [] : [error('plan-moved', `and ${length} more`)];
  const made = saved.tool === toolVersion() ? '' : `, by deploy ${saved.tool} (this is ${toolVersion()})`;
  const message = `${file} is not carried out: what it was made from has moved since it was made${made}`;
  const hint = `nothing was changed; deploy plan ${saved.verb} … --out ${file} makes it anew`;
  return new DeployError([error('plan-moved', message, { hint }), ...sentences, ...rest], exitCode.nodeNotUsable);
}
