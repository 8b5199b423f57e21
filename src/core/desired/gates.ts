import * as z from 'zod';
import type { HostName } from '../model/node.ts';
import { type GateDefinition, gatesSchema, gatesVariable } from '../schema/gate.ts';
import { parseWith } from '../schema/parse.ts';
import type { LoadedService } from '../schema/service-file.ts';
import type { YamlPath } from '../schema/yaml.ts';
import { FieldReader } from './evaluate.ts';
import { type EvaluatedGate, evaluateGate, type GatePlace } from './gate.ts';
import { type Building, placesOf } from './input.ts';

/**
 * Gates of a service: those of its definition, then those of the variable `<service>_gates`. Asked from its first
 * host, or from the first selected one when a limit leaves that out.
 */
export function buildGates(building: Building, service: LoadedService, hosts: readonly HostName[]): EvaluatedGate[] {
  const host = hosts.find((candidate) => building.hosts.includes(candidate));
  if (host === undefined) return [];
  const first = gatesOn(building, service, host);
  return first.flatMap((gate, i) => {
    // What a command is told of its node is the node it runs on.
    const there = gate && gate.host !== host ? gatesOn(building, service, gate.host)[i] : gate;
    return there ? [there] : [];
  });
}

function gatesOn(building: Building, service: LoadedService, host: HostName): (EvaluatedGate | undefined)[] {
  const scope = building.scope(host);
  const reader = new FieldReader(scope, service, building.diagnostics, building.secrets);
  const own = service.definition.gates.map((gate, i) =>
    evaluateGate(gate, {
      ...common(building, service, host, reader),
      value: (field, path) => reader.value(field, ['gates', i, ...path]),
      at: (path) => reader.at(['gates', i, ...path]),
    }),
  );
  const name = gatesVariable(service.definition.service);
  if (!scope.has(name)) return own;
  const at = (path: YamlPath) => scope.placeIn(name, path) ?? reader.at(['service']);
  const given = operatorsGates(building, name, reader.variable(name), at);
  const theirs = given.map((gate, i) =>
    evaluateGate(gate, {
      ...common(building, service, host, reader),
      // The variable was evaluated as a whole; what came out is not evaluated again.
      value: (field) => field,
      at: (path) => at([i, ...path]),
    }),
  );
  return [...own, ...theirs];
}

function operatorsGates(
  building: Building,
  name: string,
  value: unknown,
  at: (path: YamlPath) => ReturnType<LoadedService['span']>,
): readonly GateDefinition[] {
  if (value === undefined || value === null) return [];
  const place = (path: YamlPath) => at(path.slice(1));
  const parsed = parseWith(z.strictObject({ [name]: gatesSchema }), {
    file: at([]).file,
    value: { [name]: value },
    spanAt: place,
    keyAt: place,
    textAt: place,
    isPlain: () => false,
    sourceOf: () => undefined,
  });
  building.diagnostics.push(...parsed.diagnostics);
  if (!parsed.ok) return [];
  return Object.values(parsed.value).flat() as GateDefinition[];
}

function common(building: Building, service: LoadedService, host: HostName, reader: FieldReader) {
  const databases = service.definition.databases.map((database, i) => ({
    name: reader.text(database.name, ['databases', i, 'name']),
    user: reader.text(database.user, ['databases', i, 'user']),
    password: reader.secret(database.password, ['databases', i, 'password']),
  }));
  return {
    host,
    diagnostics: building.diagnostics,
    secrets: building.secrets,
    databases,
    containers: new Map(
      building.services.flatMap((other) =>
        Object.keys(other.definition.containers).map(
          (name) => [name, placesOf(building, other, name).filter((h) => building.hosts.includes(h))] as const,
        ),
      ),
    ),
    variable: (name: string) => reader.variableText(name),
  } satisfies Partial<GatePlace>;
}
