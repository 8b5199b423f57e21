import { type Diagnostic, error, warning } from '../model/diagnostic.ts';
import { didYouMean } from '../model/suggest.ts';
import type { LoadedService } from '../schema/service-file.ts';
import type { YamlDocument, YamlPath } from '../schema/yaml.ts';
import type { VariableLayer } from './layers.ts';

type Services = ReadonlyMap<string, LoadedService>;

/** What can only be seen with all services at hand: names they share, and what they say about each other. */
export function checkServices(services: Services): Diagnostic[] {
  return [
    ...requirements(services),
    ...requirementCycles(services),
    ...uniqueNames(services, 'variable', ({ variables }) => Object.keys(variables).map((name) => ['variables', name])),
    ...uniqueNames(services, 'container', ({ containers, one_shots }) => [
      ...Object.keys(containers).map((name) => ['containers', name]),
      ...Object.keys(one_shots).map((name) => ['one_shots', name]),
    ]),
    ...uniqueNames(services, 'load balancer entry', ({ containers }) =>
      Object.entries(containers).flatMap(([name, { loadbalancer }]) =>
        Object.keys(loadbalancer).map((entry) => ['containers', name, 'loadbalancer', entry]),
      ),
    ),
  ];
}

function requirements(services: Services): Diagnostic[] {
  return [...services.values()].flatMap((service) => {
    const unknown = (key: 'requires' | 'after') =>
      service.definition[key].flatMap((name, i) =>
        services.has(name) ? [] : [{ name, at: service.span([key, i]), hint: didYouMean(name, services.keys()) }],
      );
    return [
      ...unknown('requires').map(({ name, at, hint }) =>
        error('unknown-service', `service ${name} is not defined`, { at, hint }),
      ),
      // `after` may name a service that this site simply does not have; a near name is probably a slip.
      ...unknown('after').flatMap(({ name, at, hint }) =>
        hint ? [warning('unknown-service', `service ${name} is not defined`, { at, hint })] : [],
      ),
    ];
  });
}

function requirementCycles(services: Services): Diagnostic[] {
  const found: Diagnostic[] = [];
  const done = new Set<string>();
  const visit = (name: string, chain: readonly string[]): void => {
    const service = services.get(name);
    if (!service || done.has(name)) return;
    if (chain.includes(name)) {
      const cycle = [...chain.slice(chain.indexOf(name)), name].join(' → ');
      found.push(error('service-cycle', `services require each other: ${cycle}`, { at: service.span(['requires']) }));
      return;
    }
    for (const next of service.definition.requires) visit(next, [...chain, name]);
    done.add(name);
  };
  for (const name of services.keys()) visit(name, []);
  return found;
}

function uniqueNames(
  services: Services,
  kind: string,
  pathsOf: (definition: LoadedService['definition']) => YamlPath[],
): Diagnostic[] {
  const owners = new Map<unknown, LoadedService>();
  return [...services.values()].flatMap((service) =>
    pathsOf(service.definition).flatMap((path) => {
      const name = path.at(-1);
      const owner = owners.get(name);
      owners.set(name, owner ?? service);
      if (!owner || owner === service) return [];
      const message = `${kind} ${name} is defined by service ${owner.definition.service} already`;
      return [error('duplicate-name', message, { at: service.document.keyAt(path), hint: `see ${owner.file}` })];
    }),
  );
}

/**
 * Operators have variables of their own, so an unknown name is fine; one that differs from a known name by a letter
 * or two is probably a slip, and worth a warning. Every word of the definitions counts as known: they use variables
 * that only the operator can set.
 */
export function checkGlobals(
  files: readonly YamlDocument[],
  layers: readonly VariableLayer[],
  passwords: YamlDocument,
  definitions: readonly string[],
): Diagnostic[] {
  const words = definitions.flatMap((text) => text.match(/[A-Za-z_]\w{4,}/g) ?? []);
  const known = new Set([...layers.flatMap(({ values }) => [...values.keys()]), ...keysOf(passwords), ...words]);
  const used = new Set(files.flatMap(keysOf));
  return files.flatMap((file) =>
    keysOf(file).flatMap((name) => {
      if (known.has(name)) return [];
      const near = [...known].filter((candidate) => almostSame(name, candidate, used.has(candidate) ? 1 : 2));
      if (near.length === 0) return [];
      const hint = `did you mean ${near.slice(0, 3).join(' or ')}?`;
      return [warning('unknown-variable', `no service knows a variable ${name}`, { at: file.keyAt([name]), hint })];
    }),
  );
}

function keysOf(document: YamlDocument): string[] {
  const { value } = document;
  return value !== null && typeof value === 'object' ? Object.keys(value) : [];
}

/** Equal but for one stretch of at most `slip` characters that was changed, added or left out. */
function almostSame(a: string, b: string, slip: number): boolean {
  const [short, long] = [Math.min(a.length, b.length), Math.max(a.length, b.length)];
  if (long - short > slip || short < 5) return false;
  let head = 0;
  while (head < short && a[head] === b[head]) head += 1;
  let tail = 0;
  while (tail < short - head && a[a.length - 1 - tail] === b[b.length - 1 - tail]) tail += 1;
  return long - head - tail <= slip;
}
