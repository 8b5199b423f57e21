import { sha256 } from '../hash.ts';
import { error, failure, type Result, success } from '../model/diagnostic.ts';
import type { HostName } from '../model/node.ts';
import { renderConfigFile } from '../render/config-file.ts';
import { buildConfigJson } from '../render/config-json.ts';
import type { HelperTable } from '../render/helpers.ts';
import { selectOverrides } from '../render/overrides.ts';
import type { ConfigFileDefinition, ContainerDefinition } from '../schema/service.ts';
import type { LoadedService } from '../schema/service-file.ts';
import { VariableError } from '../site/variable-error.ts';
import { type FieldReader, hostAddress, templateContext } from './evaluate.ts';
import { type Building, configDirectory, containerKey } from './input.ts';
import type { DesiredFile } from './model.ts';

/** Kolla's modes: files for root and its group only, because most hold passwords. */
const fileMode = '0660';

interface Place {
  readonly service: LoadedService;
  readonly name: string;
  readonly container: ContainerDefinition;
  readonly host: HostName;
  readonly reader: FieldReader;
  /** Notes what the files are made of. */
  readonly made: { readonly templates: Set<string>; readonly overrides: Set<string> };
}

/** Everything in a container's config directory, `config.json` included, fragments of other services not. */
export function filesOf(building: Building, place: Place): DesiredFile[] {
  const { container, name, service, reader } = place;
  const rendered = container.files.flatMap((file, index) => {
    const path = ['containers', name, 'files', index] as const;
    if (!reader.boolean(file.when, [...path, 'when'])) return [];
    const text = renderOne(building, place, file, index);
    return text === undefined ? [] : [{ file, fileName: fileNameOf(file), text, path }];
  });
  const json = buildConfigJson({
    command: reader.text(container.command, ['containers', name, 'command']),
    files: [
      ...rendered.flatMap(({ file, fileName, path }) =>
        file.dest === undefined
          ? []
          : [{ name: fileName, dest: reader.text(file.dest, [...path, 'dest']), owner: file.owner, perm: file.perm }],
      ),
      ...(container.fragments
        ? [{ name: `${container.fragments.directory}/`, ...fragmentTarget(container.fragments), optional: true }]
        : []),
    ],
    directories: container.directories,
    permissions: container.permissions,
  });
  const directory = configDirectory(name);
  return [{ fileName: 'config.json', text: json }, ...rendered].map(({ fileName, text }) =>
    desiredFile(`${directory}${fileName}`, text, service.definition.service),
  );
}

function fragmentTarget(fragments: NonNullable<ContainerDefinition['fragments']>) {
  return { dest: fragments.dest, owner: fragments.owner, perm: fragments.perm };
}

export function desiredFile(path: string, content: string, service: string): DesiredFile {
  return { path, content, mode: fileMode, sha256: sha256(content), service };
}

export function fileNameOf(file: ConfigFileDefinition): string {
  return file.name ?? (file.template ?? '').replace(/\.hbs$/, '').replace(/^.*\//, '');
}

function renderOne(building: Building, place: Place, file: ConfigFileDefinition, index: number): string | undefined {
  const { service, name, reader } = place;
  const path = ['containers', name, 'files', index] as const;
  const templateName = `${service.definition.service}/${file.template}`;
  const template = file.template === undefined ? undefined : building.templates.get(templateName);
  if (file.template !== undefined && template === undefined) {
    building.diagnostics.push(
      error('missing-template', `there is no template ${file.template}`, { at: reader.at([...path, 'template']) }),
    );
    return undefined;
  }
  const candidates = file.overrides.map((o, i) => reader.text(o, [...path, 'overrides', i]));
  const { sources, used } = selectOverrides(candidates, file.format, building.overrides);
  if (template !== undefined) place.made.templates.add(templateName);
  for (const { path: source } of sources) place.made.overrides.add(source);
  for (const one of used) building.overridesUsed.add(one);
  for (const one of candidates) building.overridesKnown.add(one);
  const result = renderConfigFile({
    format: file.format,
    template,
    overrides: sources.map((source) => ({ ...source, path: overrideFile(building, place.host, source.path) })),
    context: contextFor(building, place),
    helpers: helpersFor(building, place),
    renderOverride: (text, from) => renderOverride(building, place, text, from),
  });
  building.diagnostics.push(...result.diagnostics);
  return result.ok ? result.value : undefined;
}

/** An override file as the operator would open it. */
export function overrideFile(building: Building, host: HostName, path: string): string {
  const scope = building.scope(host);
  if (!scope.has('CONFIG_DIR')) return `config/${path}`;
  // Only for messages: nothing is made from it.
  return `${String(scope.used(() => scope.get('CONFIG_DIR')).value)}/config/${path}`;
}

/** An operator's override is Jinja2 with all variables of the host, as under Kolla-Ansible. */
function renderOverride(building: Building, place: Place, text: string, file: string): Result<string> {
  try {
    const at = { file, line: 1, column: 1 };
    return success(String(building.scope(place.host).evaluate(text, at, localsOf(place.name))));
  } catch (cause) {
    if (!(cause instanceof VariableError)) throw cause;
    return failure([cause.diagnostic]);
  }
}

/** Names an expression or template of a container can use beyond the host's variables. */
export function localsOf(name: string): Readonly<Record<string, unknown>> {
  return { container_name: name, container_key: containerKey(name) };
}

export function contextFor(
  building: Building,
  place: Pick<Place, 'service' | 'name' | 'container' | 'host'>,
  extra: Readonly<Record<string, unknown>> = {},
): object {
  const scope = building.scope(place.host);
  const names = building.names.get(place.host) ?? new Set(scope.names());
  building.names.set(place.host, names);
  return templateContext(scope, names, place.service.span(['service']), {
    ...localsOf(place.name),
    container: { name: place.name, key: containerKey(place.name), group: place.container.group },
    ...extra,
  });
}

export function helpersFor(building: Building, place: Pick<Place, 'service'>): HelperTable {
  const at = place.service.span(['service']);
  return {
    address: (host) => hostAddress(building.scope, String(host), at),
    var: (host, name) => building.scope(String(host)).get(String(name), at),
  };
}
