import type { Desired } from '../core/desired/model.ts';
import { DeployError, exitCode } from '../core/model/diagnostic.ts';
import type { ObservedNode } from '../core/model/node.ts';
import { newClusterProblems } from '../core/plan/galera-leave.ts';
import type { Observed } from '../core/plan/policy.ts';
import type { Plan } from '../core/plan/steps.ts';
import { openOthers } from './leftovers.ts';
import { closeAll, tryLooks } from './nodes.ts';
import type { SiteOptions } from './options.ts';
import type { Output } from './output.ts';
import type { LoadedSite } from './site.ts';

interface Known {
  readonly loaded: LoadedSite;
  readonly desired: Desired;
  readonly observed: Observed;
  readonly options: Partial<Pick<SiteOptions, 'knownHosts'>>;
}

/**
 * Before a new Galera cluster is formed, and only then, every host of the inventory is looked at for a member or data of
 * an older one. Throws DeployError (exit 4) where there is one; a host that cannot be looked at is a warning.
 */
export async function checkNoMemberElsewhere(plan: Plan, survey: Known, output: Output): Promise<void> {
  if (newClusterProblems(plan, survey.desired, undefined) === undefined) return;
  const { loaded, observed, options } = survey;
  const others = [...loaded.site.inventory.hosts.keys()].filter((host) => {
    const scope = loaded.site.scope(host);
    return (
      !observed.has(host) && !(scope.has('ansible_connection') && String(scope.get('ansible_connection')) === 'local')
    );
  });
  const { nodes, problems } = await openOthers(loaded, others, { knownHosts: options.knownHosts ?? [] });
  try {
    const looked = await tryLooks(nodes, {});
    output.diagnostics(problems);
    const seen: ObservedNode[] = [...observed.values(), ...looked.done.values()];
    const found = newClusterProblems(plan, survey.desired, seen) ?? [];
    if (found.length > 0) throw new DeployError([...found], exitCode.nodeNotUsable);
  } finally {
    await closeAll(nodes);
  }
}
