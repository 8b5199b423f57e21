import { type Diagnostic, error, type Result, resultOf, warning } from '../model/diagnostic.ts';
import type { ContainerName } from '../model/node.ts';
import { didYouMean } from '../model/suggest.ts';
import type { ServiceDefinition } from '../schema/service.ts';

export interface SelectedService {
  readonly service: string;
  /** False when tags picked single containers: then what belongs to the whole service (databases, identity) stays out. */
  readonly whole: boolean;
  readonly containers: ReadonlySet<ContainerName>;
}

/** Services by name, in the order they are to be carried out. */
export type Selection = ReadonlyMap<string, SelectedService>;

export function serviceTags(definition: ServiceDefinition): string[] {
  return [definition.service, ...definition.tags];
}

export function containerTags(name: ContainerName, tags: readonly string[]): string[] {
  return [...new Set([name, name.replaceAll('_', '-'), ...tags])];
}

/** Every tag an operator may name, sorted. */
export function knownTags(services: Iterable<ServiceDefinition>): string[] {
  const tags = new Set<string>();
  for (const definition of services) {
    for (const tag of serviceTags(definition)) tags.add(tag);
    for (const [name, container] of Object.entries(definition.containers)) {
      for (const tag of containerTags(name, container.tags)) tags.add(tag);
    }
  }
  return [...tags].sort();
}

/**
 * `--tags` takes the union (none given: everything), `--skip-tags` subtracts.
 * `services` are the enabled ones in order; `disabled` serve to explain a tag that matches nothing.
 */
export function selectByTags(
  services: readonly ServiceDefinition[],
  disabled: readonly ServiceDefinition[],
  tags: readonly string[],
  skipTags: readonly string[],
): Result<Selection> {
  const diagnostics = [
    ...unknownTags('--tags', tags, services, disabled, 'error'),
    ...unknownTags('--skip-tags', skipTags, services, disabled, 'skip'),
  ];
  const wanted = new Set(tags);
  const skipped = new Set(skipTags);
  const selection = new Map<string, SelectedService>();
  for (const definition of services) {
    const selected = selectService(definition, wanted, skipped);
    if (selected) selection.set(definition.service, selected);
  }
  if (selection.size === 0 && !diagnostics.some((d) => d.severity === 'error')) {
    diagnostics.push(error('nothing-selected', 'the tags select nothing', { hint: 'every selected tag is skipped' }));
  }
  return resultOf(selection, diagnostics);
}

function selectService(
  definition: ServiceDefinition,
  wanted: ReadonlySet<string>,
  skipped: ReadonlySet<string>,
): SelectedService | undefined {
  const own = serviceTags(definition);
  if (own.some((tag) => skipped.has(tag))) return undefined;
  const whole = wanted.size === 0 || own.some((tag) => wanted.has(tag));
  const containers = new Set<ContainerName>();
  for (const [name, container] of Object.entries(definition.containers)) {
    const its = containerTags(name, container.tags);
    if (its.some((tag) => skipped.has(tag))) continue;
    if (whole || its.some((tag) => wanted.has(tag))) containers.add(name);
  }
  if (!whole && containers.size === 0) return undefined;
  return { service: definition.service, whole, containers };
}

/** A selected service that needs one which is switched off: perhaps it is provided by other means, perhaps a slip. */
export function requiredButDisabled(definition: ServiceDefinition, disabled: ReadonlySet<string>): Diagnostic[] {
  return definition.requires
    .filter((name) => disabled.has(name))
    .map((name) =>
      warning('required-but-disabled', `service ${definition.service} requires ${name}, which is not enabled`, {
        hint: `set enable_${name.replaceAll('-', '_')}: yes in globals.yml, unless another installation provides it`,
      }),
    );
}

function unknownTags(
  option: string,
  tags: readonly string[],
  services: readonly ServiceDefinition[],
  disabled: readonly ServiceDefinition[],
  mode: 'error' | 'skip',
): Diagnostic[] {
  const known = knownTags(services);
  const off = new Set(knownTags(disabled));
  return tags
    .filter((tag) => !known.includes(tag))
    .filter((tag) => !(mode === 'skip' && off.has(tag)))
    .map((tag) =>
      off.has(tag)
        ? error('disabled-tag', `${option} ${tag}: that service is not enabled`, {
            hint: `set enable_${tag.replaceAll('-', '_')}: yes in globals.yml`,
          })
        : error('unknown-tag', `${option} ${tag}: no service or container has this tag`, {
            hint: didYouMean(tag, [...known, ...off]) ?? `known tags: ${known.join(', ')}`,
          }),
    );
}
