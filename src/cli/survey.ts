import type { Desired } from '../core/desired/model.ts';
import { DeployError, type Diagnostic, exitCode } from '../core/model/diagnostic.ts';
import type { Hooks } from '../core/model/hook.ts';
import type { LockHolder } from '../core/model/lock.ts';
import { type HostName, imageName } from '../core/model/node.ts';
import { detailsOf, type NodeDetails, pathsOf, wantedDetails } from '../core/plan/details.ts';
import { makePlan } from '../core/plan/plan.ts';
import { type ChangeVerb, imagesToResolve, type Observed } from '../core/plan/policy.ts';
import { type HostClaim, precheck } from '../core/plan/prechecks.ts';
import { requiredServices } from '../core/plan/required.ts';
import { missingRoom } from '../core/plan/room.ts';
import type { Plan } from '../core/plan/steps.ts';
import type { OpenNode } from '../edge/node/node.ts';
import { readHooks } from '../edge/store/read-hooks.ts';
import { leftoverInput, otherHosts } from './leftovers.ts';
import { checkNoMemberElsewhere } from './members-elsewhere.ts';
import { closeAll, mergedError, type Want } from './nodes.ts';
import type { SelectionOptions } from './options.ts';
import type { Output } from './output.ts';
import { reach, type Skipped } from './reach.ts';
import { openSiteRegistry, resolveDigests } from './registry.ts';
import { hookSeconds } from './run-hooks.ts';
import { desiredState, type LoadedSite, loadSite, selectTarget, type Target, unwrap } from './site.ts';
import { foreignVip } from './vip.ts';

/**
 * Everything known before a decision: what should be, what is, and the connections to change it. With a pruning, hosts
 * beyond the selection are among the nodes: only what is left over there counts.
 */
export interface Survey {
  readonly loaded: LoadedSite;
  readonly target: Target;
  readonly desired: Desired;
  readonly observed: Observed;
  readonly nodes: ReadonlyMap<HostName, OpenNode>;
  /** What was asked for; tells what of the leftovers is meant. */
  readonly options: Pick<SelectionOptions, 'tags' | 'skipTags' | 'prune' | 'rollout' | 'diff'> &
    Partial<Pick<SelectionOptions, 'knownHosts'>>;
  /** Tags this run has resolved. Each is asked for once, so that a tag that moves meanwhile does not split the nodes. */
  readonly digests: Map<string, string>;
  /** The operator's hooks; none for what only looks. */
  readonly hooks: Hooks;
  /** Seconds one hook may take. */
  readonly hookTimeout: number;
  /** Who changes the nodes, which are locked for it then; undefined for what only looks. */
  readonly holder?: LockHolder | undefined;
  /** What the operator should know whatever the plan. */
  readonly notices?: readonly string[] | undefined;
  /** Selected hosts that did not answer: nothing here is about them. */
  readonly skipped?: readonly Skipped[] | undefined;
}

/**
 * Loads, selects, renders and looks. Nothing is connected to before all input is known to be good; the caller closes.
 * Without the hosts that do not answer, if they may be skipped, it is as if a limit left them out.
 */
export async function takeSurvey(
  options: SelectionOptions,
  output: Output,
  want: Want = {},
  mayChange = true,
  holder?: LockHolder,
): Promise<Survey> {
  const loaded = await loadSite(options, output);
  const selected = selectTarget(loaded, options, output);
  const wanted = await desiredState(loaded, selected, output);
  const hooks = mayChange ? unwrap(await readHooks(options.configdir), output, exitCode.badInput) : new Map();
  const hookTimeout = hookSeconds(loaded, selected);
  const others = options.prune ? otherHosts(loaded, selected, options) : [];
  const { hosts } = selected;
  const { nodes, observed, skipped } = await reach({ loaded, hosts, others, options, want, holder, output });
  try {
    const target = { ...selected, hosts: hosts.filter((host) => !skipped.some((one) => one.host === host)) };
    // Warnings have been told.
    const quiet = { ...output, diagnostics: () => undefined };
    const desired = skipped.length === 0 ? wanted : await desiredState(loaded, target, quiet);
    const seen = { loaded, target, desired, observed, nodes, skipped };
    return { ...seen, options, digests: new Map(), hooks, hookTimeout, holder };
  } catch (cause) {
    await closeAll(nodes);
    throw cause;
  }
}

/** What a verb wants to see beyond containers and files. */
export function wantedLook(verb: ChangeVerb): { images?: boolean; listening?: boolean } {
  if (verb === 'reconfigure') return {};
  return verb === 'deploy' ? { images: true, listening: true } : { images: true };
}

/** What is in the way of bringing containers up where none may be yet; only `deploy` does that. */
export async function prechecks(verb: ChangeVerb, survey: Survey): Promise<readonly Diagnostic[]> {
  if (verb !== 'deploy') return [];
  return [...precheck(survey.desired, survey.observed, hostClaims(survey)), ...(await foreignVip(survey))];
}

/** The plan of a verb for a survey. What `found` and the registry object to is one error, shown at once. */
export async function planFor(
  verb: ChangeVerb,
  survey: Survey,
  output: Output,
  found: readonly Diagnostic[] = [],
): Promise<Plan> {
  const { desired, loaded, target, options } = survey;
  const observed = selectedOnly(survey);
  const leftovers = leftoverInput(loaded, target, options, survey.observed);
  const problems = [...found];
  const digests = await digestsFor(verb, survey, output).catch((cause: unknown) => {
    if (!(cause instanceof DeployError)) throw cause;
    problems.push(...cause.diagnostics);
    return new Map<string, string>();
  });
  if (problems.some((d) => d.severity === 'error')) {
    const required = verb === 'pull' ? [] : requiredServices(desired, observed);
    throw new DeployError([...problems, ...required], exitCode.nodeNotUsable);
  }
  output.diagnostics(problems);
  const unreachable = survey.skipped?.map(({ host }) => host);
  const asked = { limits: options.rollout, diff: options.diff, hooks: survey.hooks, unreachable };
  const input = {
    verb,
    desired,
    observed,
    digests,
    leftovers,
    ...asked,
    secrets: loaded.site.secretValues(),
    notices: survey.notices,
  };
  const coarse = makePlan(input);
  if (coarse.ok) {
    await checkNoMemberElsewhere(coarse.value, survey, output);
    output.diagnostics(await allowedByBroker(coarse.value, survey));
    output.diagnostics(await allowedByDatabase(coarse.value, survey));
  }
  const full = coarse.ok ? missingRoom(coarse.value, observed) : [];
  if (full.length > 0) throw new DeployError(full, exitCode.nodeNotUsable);
  const details = coarse.ok ? await readDetails(coarse.value, survey) : undefined;
  if (details === undefined) return unwrap(coarse, output, exitCode.nodeNotUsable);
  return unwrap(makePlan({ ...input, details }), output, exitCode.nodeNotUsable);
}

/** Warnings; throws DeployError (exit 4) when members of MariaDB must not be touched, or not by that version. */
async function allowedByDatabase(plan: Plan, survey: Survey): Promise<readonly Diagnostic[]> {
  if (!plan.steps.some(({ kind }) => kind === 'galera-check')) return [];
  const { memberProblems } = await import('./mariadb-prechecks.ts');
  const problems = await memberProblems(plan, survey);
  if (problems.some(({ severity }) => severity === 'error')) throw new DeployError(problems, exitCode.nodeNotUsable);
  return problems;
}

/** Warnings; throws DeployError (exit 4) when RabbitMQ allows no such change of its version. */
async function allowedByBroker(plan: Plan, survey: Survey): Promise<readonly Diagnostic[]> {
  if (!plan.steps.some(({ kind }) => kind === 'rabbitmq')) return [];
  const { brokerProblems } = await import('./rabbitmq-versions.ts');
  const problems = await brokerProblems(plan, survey);
  if (problems.some(({ severity }) => severity === 'error')) throw new DeployError(problems, exitCode.nodeNotUsable);
  return problems;
}

/** A second look at the nodes where something differs: one command each. None when nothing is worth knowing. */
async function readDetails(
  plan: Plan,
  { observed, nodes }: Survey,
): Promise<ReadonlyMap<HostName, NodeDetails> | undefined> {
  const wanted = wantedDetails(plan, observed);
  if (wanted.size === 0) return undefined;
  const results = await Promise.allSettled(
    [...wanted].map(async ([host, one]) => {
      const texts = await nodes.get(host)?.readDetails(pathsOf(one));
      return [host, detailsOf(one, texts ?? new Map())] as const;
    }),
  );
  const failures = results.flatMap((r) => (r.status === 'rejected' ? [r.reason as unknown] : []));
  if (failures.length > 0) throw mergedError(failures);
  return new Map(results.flatMap((r) => (r.status === 'fulfilled' ? [r.value] : [])));
}

/** What was seen of the hosts that something selected lies on. */
export function selectedOnly({ target, observed }: Pick<Survey, 'target' | 'observed'>): Observed {
  return new Map([...observed].filter(([host]) => target.hosts.includes(host)));
}

async function digestsFor(verb: ChangeVerb, survey: Survey, output: Output): Promise<ReadonlyMap<string, string>> {
  const { digests } = survey;
  const images = imagesToResolve(verb, survey.desired, selectedOnly(survey)).filter((i) => !digests.has(imageName(i)));
  const [host] = survey.target.hosts;
  if (images.length === 0 || host === undefined) return digests;
  const registry = await openSiteRegistry(survey.loaded.site.scope(host), (text) => output.note(text));
  for (const [name, digest] of await resolveDigests(registry, images)) digests.set(name, digest);
  return digests;
}

export function hostClaims(survey: Pick<Survey, 'loaded' | 'target'>): HostClaim[] {
  return survey.target.hosts.map((host) => {
    const scope = survey.loaded.site.scope(host);
    return {
      host,
      address: String(scope.get('api_interface_address')),
      hostname: String(scope.get('node_hostname')),
    };
  });
}
