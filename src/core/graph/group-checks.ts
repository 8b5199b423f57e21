import { type Diagnostic, error, warning } from '../model/diagnostic.ts';
import { didYouMean } from '../model/suggest.ts';
import type { ServiceDefinition } from '../schema/service.ts';

interface Groups {
  readonly groups: ReadonlyMap<string, { readonly hosts: readonly string[] }>;
  /** Of the first inventory file; where a missing group has to be added. */
  readonly file: string;
}

/**
 * Groups that containers of a service belong to and the inventory does not have. A container without a host is easily
 * overlooked, so it is a warning; a service that lies nowhere at all is an error.
 */
export function checkGroups(
  definition: ServiceDefinition,
  containers: Iterable<string>,
  { groups, file }: Groups,
): Diagnostic[] {
  const at = { file, line: 1, column: 1 };
  const wanted = [...containers].flatMap((name) => {
    const group = definition.containers[name]?.group;
    return group === undefined ? [] : [{ name, group }];
  });
  const nowhere = wanted.length > 0 && wanted.every(({ group }) => (groups.get(group)?.hosts.length ?? 0) === 0);
  const missing = [...new Set(wanted.map(({ group }) => group))].filter((group) => !groups.has(group));
  if (missing.length === 0 && nowhere) {
    const list = [...new Set(wanted.map(({ group }) => `[${group}]`))].join(', ');
    const hint = `add hosts to ${list}, or set enable_${definition.service}: no in globals.yml`;
    return [warning('no-hosts', `service ${definition.service} lies on no host: ${list} have none`, { at, hint })];
  }
  return missing.map((group) => {
    const names = wanted.filter((one) => one.group === group).map(({ name }) => name);
    const what = `the inventory has no group ${group}, which ${names.join(' and ')} of service ${definition.service} belongs to`;
    const near = didYouMean(
      group,
      [...groups.keys()].filter((known) => !wanted.some((one) => one.group === known)),
    );
    const hint = near ?? `add a section [${group}] or [${group}:children]`;
    return (nowhere ? error : warning)('unknown-group', what, { at, hint });
  });
}
