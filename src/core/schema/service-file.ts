import { type Diagnostic, error, failure, type Result, resultOf, type SourceSpan } from '../model/diagnostic.ts';
import { didYouMean } from '../model/suggest.ts';
import { parseWith } from './parse.ts';
import { type ConfigFileDefinition, type ServiceDefinition, serviceSchema } from './service.ts';
import { parseYaml, type YamlDocument, type YamlPath } from './yaml.ts';

export interface LoadedService {
  readonly definition: ServiceDefinition;
  /** Path of service.yml as the operator would write it. */
  readonly file: string;
  /** Folder of the service: templates/, images/ lie under it. */
  readonly directory: string;
  readonly document: YamlDocument;
  /** Where the value at a path of service.yml stands. */
  span(path: YamlPath): SourceSpan;
}

/** `services/<name>/service.yml`: its shape, and that what it names within itself exists. */
export function parseServiceFile(text: string, file: string): Result<LoadedService> {
  const document = parseYaml(text, file);
  if (!document.ok) return document;
  const parsed = parseWith(serviceSchema, document.value);
  if (!parsed.ok) return failure(parsed.diagnostics);
  const directory = file.includes('/') ? file.slice(0, file.lastIndexOf('/')) : '.';
  const loaded: LoadedService = {
    definition: parsed.value,
    file,
    directory,
    document: document.value,
    span: (path) => document.value.spanAt(path),
  };
  return resultOf(loaded, crossChecks(loaded));
}

function crossChecks(service: LoadedService): Diagnostic[] {
  return [
    ...references(service),
    ...phases(service),
    ...fileNames(service),
    ...loadBalancer(service),
    ...clusterSecrets(service),
  ];
}

function missing(service: LoadedService, path: YamlPath, kind: string, name: string, known: string[]): Diagnostic {
  return error('unknown-name', `${kind} ${name} is not defined in this service`, {
    at: service.span(path),
    hint: didYouMean(name, known) ?? (known.length > 0 ? `defined: ${known.join(', ')}` : undefined),
  });
}

function references(service: LoadedService): Diagnostic[] {
  const { containers, one_shots, shared_keys } = service.definition;
  const known = Object.keys(containers);
  const found: Diagnostic[] = [];
  for (const [name, oneShot] of Object.entries(one_shots)) {
    if (!known.includes(oneShot.container)) {
      found.push(missing(service, ['one_shots', name, 'container'], 'container', oneShot.container, known));
    }
    if (known.includes(name)) {
      const message = `one-shot ${name} has the name of a container; both would be containers of that name`;
      found.push(error('name-clash', message, { at: service.document.keyAt(['one_shots', name]) }));
    }
  }
  if (shared_keys && !known.includes(shared_keys.container)) {
    found.push(missing(service, ['shared_keys', 'container'], 'container', shared_keys.container, known));
  }
  return found;
}

function phases(service: LoadedService): Diagnostic[] {
  const containers = Object.keys(service.definition.containers);
  const oneShots = Object.keys(service.definition.one_shots);
  return service.definition.phases.flatMap((phase, i) => {
    if (typeof phase === 'string') return [];
    if ('run' in phase) {
      return oneShots.includes(phase.run)
        ? []
        : [missing(service, ['phases', i, 'run'], 'one-shot', phase.run, oneShots)];
    }
    return phase.replace.flatMap((name, j) =>
      containers.includes(name) ? [] : [missing(service, ['phases', i, 'replace', j], 'container', name, containers)],
    );
  });
}

function fileNames(service: LoadedService): Diagnostic[] {
  return Object.entries(service.definition.containers).flatMap(([container, { files }]) => {
    const seen = new Set<string>();
    return files.flatMap((file, i) => {
      const path = ['containers', container, 'files', i];
      const name = nameOf(file);
      if (name === undefined) {
        const message = `a file of ${container} has neither template nor name`;
        return [error('file-without-name', message, { at: service.span(path) })];
      }
      const problems: Diagnostic[] = [];
      if (seen.has(name)) {
        problems.push(error('duplicate-file', `${container} has two files named ${name}`, { at: service.span(path) }));
      }
      if (name.includes('..') || name.startsWith('/')) {
        const message = `${name}: a file's name must stay inside the container's config directory`;
        problems.push(error('unsafe-path', message, { at: service.span([...path, 'name']) }));
      }
      seen.add(name);
      return problems;
    });
  });
}

function clusterSecrets(service: LoadedService): Diagnostic[] {
  const { containers, passwords } = service.definition;
  return Object.entries(containers).flatMap(([container, { files, rollout }]) => {
    const secret = rollout.cluster_secret;
    if (secret === undefined) return [];
    const at = (key: string) => ['containers', container, 'rollout', 'cluster_secret', key];
    const known = { password: Object.keys(passwords), file: files.flatMap((file) => nameOf(file) ?? []) };
    return (['password', 'file'] as const).flatMap((key) =>
      known[key].includes(secret[key]) ? [] : [missing(service, at(key), key, secret[key], known[key])],
    );
  });
}

function nameOf({ name, template }: ConfigFileDefinition): string | undefined {
  return name ?? template?.replace(/\.hbs$/, '').replace(/^.*\//, '');
}

function loadBalancer(service: LoadedService): Diagnostic[] {
  const owners = new Map<string, string>();
  return Object.entries(service.definition.containers).flatMap(([container, { loadbalancer }]) =>
    Object.keys(loadbalancer).flatMap((entry) => {
      const owner = owners.get(entry);
      owners.set(entry, owner ?? container);
      const at = service.document.keyAt(['containers', container, 'loadbalancer', entry]);
      if (!/^[a-z][a-z0-9_-]*$/.test(entry)) {
        return [error('entry-name', `load balancer entry ${entry}: lower case letters, digits, - and _`, { at })];
      }
      return owner === undefined
        ? []
        : [error('duplicate-entry', `load balancer entry ${entry} exists already in ${owner}`, { at })];
    }),
  );
}
