import { containerTags, serviceTags } from '../core/graph/select.ts';
import { DeployError, type Diagnostic, warning } from '../core/model/diagnostic.ts';
import type { HostName } from '../core/model/node.ts';
import type { LeftoverInput } from '../core/plan/leftovers.ts';
import type { Observed } from '../core/plan/policy.ts';
import type { ServiceDefinition } from '../core/schema/service.ts';
import { matchHosts } from '../core/site/host-pattern.ts';
import type { OpenNode } from '../edge/node/node.ts';
import { openNodes } from './nodes.ts';
import type { SelectionOptions } from './options.ts';
import type { LoadedSite, Target } from './site.ts';

/**
 * What the plan has to know of containers that are no longer wanted. Without tags it covers everything except what is
 * skipped; with tags only the containers that are selected, and all others of services selected as a whole.
 */
export function leftoverInput(
  loaded: LoadedSite,
  target: Target,
  options: Pick<SelectionOptions, 'tags' | 'skipTags' | 'prune'>,
  observed: Observed,
): LeftoverInput {
  const all = [...loaded.services, ...loaded.disabled].map((service) => service.definition);
  const skipped = new Set(options.skipTags);
  const tagsOf = (definition: ServiceDefinition | undefined, service: string, container: string) => [
    ...(definition ? serviceTags(definition) : [service]),
    ...containerTags(container, definition?.containers[container]?.tags ?? []),
  ];
  return {
    observed,
    prune: options.prune === true,
    enabledServices: new Set(loaded.services.map((service) => service.definition.service)),
    known: new Map(
      all.flatMap((definition) =>
        Object.entries(definition.containers).map(([name, { rollout }]) => [
          name,
          { service: definition.service, graceSeconds: rollout.stop_grace, strategy: rollout.strategy },
        ]),
      ),
    ),
    covers: (service, container) => {
      const definition = all.find((one) => one.service === service);
      if (tagsOf(definition, service, container).some((tag) => skipped.has(tag))) return false;
      if (options.tags.length === 0) return true;
      const selected = target.selection.get(service);
      return selected !== undefined && (selected.whole || selected.containers.has(container));
    },
  };
}

/**
 * Hosts of the inventory that hold nothing selected but may hold leftovers: those within the limit, as long as no tags
 * are given. Where deploy itself runs and what is not reached over SSH is not among them.
 */
export function otherHosts(loaded: LoadedSite, target: Target, options: SelectionOptions): HostName[] {
  if (options.tags.length > 0) return [];
  const { inventory } = loaded.site;
  const matched = options.limit === undefined ? undefined : matchHosts(options.limit, inventory);
  const limited = matched?.ok ? new Set(matched.value) : undefined;
  return [...inventory.hosts.keys()].filter((host) => {
    if (target.hosts.includes(host) || !(limited?.has(host) ?? true)) return false;
    const scope = loaded.site.scope(host);
    return !scope.has('ansible_connection') || String(scope.get('ansible_connection')) !== 'local';
  });
}

/** Connections to hosts that may hold leftovers. One that cannot be had is a warning: such hosts are often gone. */
export async function openOthers(
  loaded: LoadedSite,
  hosts: readonly HostName[],
  options: Pick<SelectionOptions, 'knownHosts'>,
): Promise<{ nodes: ReadonlyMap<HostName, OpenNode>; problems: readonly Diagnostic[] }> {
  const problems: Diagnostic[] = [];
  const opened = await Promise.all(
    hosts.map((host) =>
      openNodes(loaded, [host], options).catch((cause: unknown): ReadonlyMap<HostName, OpenNode> => {
        if (!(cause instanceof DeployError)) throw cause;
        const words = cause.diagnostics.map((d) => d.message).join('; ');
        problems.push(warning('leftovers-unknown', `not looked at for what is left over: ${words}`, { host }));
        return new Map();
      }),
    ),
  );
  return { nodes: new Map(opened.flatMap((nodes) => [...nodes])), problems };
}
