import { hashOf, sha256 } from '../hash.ts';
import type { HostName } from '../model/node.ts';
import type { ContainerDefinition } from '../schema/service.ts';
import { type ReadVariable, withTheirReads } from '../site/reads.ts';
import { overrideFile } from './files.ts';
import type { Building } from './input.ts';
import type { Source, Sources } from './model.ts';

/** What was noted while something was made. Keys of `templates` are those of the input's. */
export interface Used {
  readonly reads: ReadonlySet<ReadVariable>;
  readonly imageReads?: ReadonlySet<ReadVariable>;
  readonly templates: ReadonlySet<string>;
  readonly overrides: ReadonlySet<string>;
  /** The definition of one container as far as it went into this, and its name in the sources. */
  readonly definition: { readonly service: string; readonly container: string; readonly part: unknown };
  /** Made from the hosts of a group beyond what expressions read. */
  readonly inventory?: boolean;
}

const hashLength = 16;

const owner = { services: 'default', host: 'host', operator: 'set' } as const;

/** Worked out when somebody asks, once: most runs change little, and then nobody asks. */
export function sourcesOf(building: Building, host: HostName, container: string, used: Used): () => Sources {
  let known: Sources | undefined;
  return () => {
    known ??= collect(building, host, container, used);
    return known;
  };
}

function collect(building: Building, host: HostName, container: string, used: Used): Sources {
  const sources = new Map<string, Source>();
  for (const [key, source] of variables(building, host, container, used.imageReads ?? [])) {
    sources.set(key, marked(source, { imageOnly: true }));
  }
  for (const [key, source] of variables(building, host, container, used.reads)) sources.set(key, source);
  if (used.inventory) sources.set('inventory:groups', groupsOf(building));
  for (const path of used.overrides) {
    const at = { file: overrideFile(building, host, path), line: 1, column: 1 };
    sources.set(`override:${path}`, { hash: short(sha256(building.overrides.get(path) ?? '')), at });
  }
  for (const name of used.templates) {
    const template = building.templates.get(name);
    const at = { file: template?.file ?? name, line: 1, column: 1 };
    sources.set(`template:${name}`, { hash: short(sha256(template?.text ?? '')), at });
  }
  const { definition } = used;
  const key = `template:${definition.service}/service.yml#${definition.container}`;
  return sources.set(key, { hash: short(hashOf(definition.part)) });
}

function* variables(
  building: Building,
  own: HostName,
  container: string,
  reads: Iterable<ReadVariable>,
): Iterable<[string, Source]> {
  for (const { host, name } of withTheirReads(reads)) {
    const scope = building.scope(host);
    const source = variableSource(building, container, host, name);
    const here = host === own ? source : variableSource(building, container, own, name);
    if (here !== undefined) yield [`var:${name}`, here];
    if (source !== undefined) {
      const common = here?.hash === source.hash && here.layer === source.layer;
      if (host !== own) yield [`var:${name}@${host}`, common ? marked(source, { common }) : source];
    } else if (scope.has(name) && (name === 'groups' || name === 'group_names')) {
      yield ['inventory:groups', groupsOf(building)];
    }
  }
}

/** Undefined for what nobody can set: its own name, the configuration directory. */
function variableSource(building: Building, container: string, host: HostName, name: string): Source | undefined {
  const scope = building.scope(host);
  const written = scope.written(name);
  if (written === undefined) return scope.has(name) ? undefined : { hash: 'unset:' };
  // With the container's name in it, equal passwords of two services do not have equal hashes.
  const hash = short(hashOf([container, name, written.value]));
  return {
    hash: `${owner[written.from ?? 'operator']}:${hash}`,
    get at() {
      return written.at;
    },
    layer: written.layer,
  };
}

/** Copied by hand: spreading would look up the place, which few ask for. */
function marked(source: Source, marks: Pick<Source, 'imageOnly' | 'common'>): Source {
  return {
    hash: source.hash,
    get at() {
      return source.at;
    },
    layer: source.layer,
    common: source.common,
    ...marks,
  };
}

function groupsOf(building: Building): Source {
  return { hash: short(hashOf([...building.groups])) };
}

function short(hash: string): string {
  return hash.slice(0, hashLength);
}

/** The parts of a definition that say what a container is, not where it belongs or how it is replaced. */
export function contentOf(container: ContainerDefinition): unknown {
  const { image, tag, command, files, directories, permissions, environment, volumes, logs } = container;
  const { privileged, cap_add, pid_mode, ipc_mode, dimensions, healthcheck, fragments } = container;
  const inside = { command, files, directories, permissions, environment, volumes, logs, healthcheck, fragments };
  return { ...inside, image, tag, privileged, cap_add, pid_mode, ipc_mode, dimensions };
}
