import type { Desired } from '../core/desired/model.ts';
import { DeployError, exitCode } from '../core/model/diagnostic.ts';
import type { HostName } from '../core/model/node.ts';
import { makePlan } from '../core/plan/plan.ts';
import { type ChangeVerb, imagesToResolve, type Observed } from '../core/plan/policy.ts';
import { type HostClaim, precheck } from '../core/plan/prechecks.ts';
import type { Plan } from '../core/plan/steps.ts';
import type { OpenNode } from '../edge/node/node.ts';
import { closeAll, observeAll, openNodes } from './nodes.ts';
import type { SelectionOptions } from './options.ts';
import type { Output } from './output.ts';
import { openSiteRegistry, resolveDigests } from './registry.ts';
import { desiredState, type LoadedSite, loadSite, selectTarget, type Target, unwrap } from './site.ts';

/** Everything known before a decision: what should be, what is, and the connections to change it. */
export interface Survey {
  readonly loaded: LoadedSite;
  readonly target: Target;
  readonly desired: Desired;
  readonly observed: Observed;
  readonly nodes: ReadonlyMap<HostName, OpenNode>;
}

/** Loads, selects, renders and looks. Connections are opened while the rendering goes on; the caller closes them. */
export async function takeSurvey(
  options: SelectionOptions,
  output: Output,
  want: { images?: boolean; listening?: boolean } = {},
): Promise<Survey> {
  const loaded = await loadSite(options, output);
  const target = selectTarget(loaded, options, output);
  const opening = openNodes(loaded, target.hosts, options);
  try {
    const desired = await desiredState(loaded, target, output);
    const nodes = await opening;
    const observed = await observeAll(nodes, want);
    return { loaded, target, desired, observed, nodes };
  } catch (cause) {
    const nodes = await opening.catch(() => undefined);
    if (nodes) await closeAll(nodes);
    throw cause;
  }
}

/** What a verb wants to see beyond containers and files. */
export function wantedLook(verb: ChangeVerb): { images?: boolean; listening?: boolean } {
  if (verb === 'reconfigure') return {};
  return verb === 'deploy' ? { images: true, listening: true } : { images: true };
}

/** The plan of a verb for a survey; with the prechecks that apply to it, all problems at once. */
export async function planFor(verb: ChangeVerb, survey: Survey, output: Output): Promise<Plan> {
  if (verb === 'deploy') {
    const found = precheck(survey.desired, survey.observed, hostClaims(survey));
    if (found.some((d) => d.severity === 'error')) throw new DeployError(found, exitCode.nodeNotUsable);
    output.diagnostics(found);
  }
  const images = imagesToResolve(verb, survey.desired, survey.observed);
  const [host] = survey.target.hosts;
  const digests =
    images.length > 0 && host !== undefined
      ? await resolveDigests(await openSiteRegistry(survey.loaded.site.scope(host)), images)
      : new Map<string, string>();
  const { desired, observed } = survey;
  return unwrap(makePlan({ verb, desired, observed, digests }), output, exitCode.nodeNotUsable);
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
