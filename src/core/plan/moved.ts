import { canonicalJson } from '../hash.ts';
import { type Diagnostic, error } from '../model/diagnostic.ts';
import type { ConfigurationPrint, ContainerPrint, NodePrint, SavedPlan, SavedStep } from './saved.ts';

/** What a saved plan was made from and what is there now; the lists say what has moved between the two. */
export type Basis = Pick<SavedPlan, 'configuration' | 'nodes'>;

type Texts = Readonly<Record<string, string>>;

interface Difference {
  readonly appeared: readonly string[];
  readonly gone: readonly string[];
  readonly changed: readonly string[];
}

/** Keys of two maps, by what happened to them. */
function differences<T>(before: Readonly<Record<string, T>>, now: Readonly<Record<string, T>>): Difference {
  const keys = [...new Set([...Object.keys(before), ...Object.keys(now)])].sort();
  return {
    appeared: keys.filter((key) => !Object.hasOwn(before, key)),
    gone: keys.filter((key) => !Object.hasOwn(now, key)),
    changed: keys.filter(
      (key) =>
        Object.hasOwn(before, key) && Object.hasOwn(now, key) && canonicalJson(before[key]) !== canonicalJson(now[key]),
    ),
  };
}

function moved(message: string, host?: string): Diagnostic {
  return error('plan-moved', message, { host });
}

/** Configuration and nodes say it in the same words, so that it is told once. */
const hostCame = 'this host has come to what is selected';
const hostWent = 'this host is no longer part of what is selected';

/** Every change of configuration and nodes since a plan was made, one sentence each. None: the same plan comes out. */
export function movedBasis(before: Basis, now: Basis): Diagnostic[] {
  return [...movedConfiguration(before.configuration, now.configuration), ...movedNodes(before.nodes, now.nodes)];
}

function movedConfiguration(before: ConfigurationPrint, now: ConfigurationPrint): Diagnostic[] {
  const site = before.site === now.site ? [] : [moved(`the site is called ${now.site}, it was ${before.site}`)];
  const hosts = differences(before.hosts, now.hosts);
  return [
    ...site,
    ...hosts.appeared.map((host) => moved(hostCame, host)),
    ...hosts.gone.map((host) => moved(hostWent, host)),
    ...hosts.changed.flatMap((host) => {
      const [old, fresh] = [before.hosts[host], now.hosts[host]];
      if (old === undefined || fresh === undefined) return [];
      return [
        ...movedContainers(host, old.containers, fresh.containers),
        ...phrased(host, 'load balancer entries are configured differently', namesOf(old.entries, fresh.entries)),
      ];
    }),
    ...movedServices(before.services, now.services),
  ];
}

function movedContainers(
  host: string,
  before: Readonly<Record<string, ContainerPrint>>,
  now: Readonly<Record<string, ContainerPrint>>,
): Diagnostic[] {
  const { appeared, gone, changed } = differences(before, now);
  return [
    ...appeared.map((name) => moved(`${name} is now configured here`, host)),
    ...gone.map((name) => moved(`${name} is no longer configured here`, host)),
    ...changed.flatMap((name) => {
      const [old, fresh] = [before[name], now[name]];
      return old === undefined || fresh === undefined ? [] : movedContainer(host, name, old, fresh);
    }),
  ];
}

function movedContainer(host: string, name: string, before: ContainerPrint, now: ContainerPrint): Diagnostic[] {
  const causes = namesOf(before.sources, now.sources);
  const why = causes.length > 0 ? ` (${causes.join(', ')})` : '';
  const image =
    before.image === now.image ? [] : [moved(`${name} wants image ${now.image}, it was ${before.image}`, host)];
  const spec = before.spec === now.spec ? [] : [moved(`the container settings of ${name} changed${why}`, host)];
  const files = phrased(host, `the configuration of ${name} changed${why}`, namesOf(before.files, now.files));
  return [...image, ...spec, ...files];
}

const registrations: Readonly<Record<string, string>> = {
  databases: 'its databases',
  identity: 'its registration in Keystone',
  messaging: 'its RabbitMQ users',
};

function movedServices(before: ConfigurationPrint['services'], now: ConfigurationPrint['services']): Diagnostic[] {
  const services = differences(before, now);
  return [
    ...services.appeared.map((name) => moved(`service ${name} has come to what is selected`)),
    ...services.gone.map((name) => moved(`service ${name} is no longer part of what is selected`)),
    ...services.changed.map((name) => {
      const what = namesOf(before[name] ?? {}, now[name] ?? {}).map((key) => registrations[key] ?? key);
      return moved(`service ${name}: ${what.join(', ')} changed`);
    }),
  ];
}

/** Keys that are not the same in both, in whatever way; of a path its last part. */
function namesOf(before: Texts, now: Texts): string[] {
  const { appeared, gone, changed } = differences(before, now);
  return [...appeared, ...gone, ...changed]
    .map((key) => key.slice(key.startsWith('/') ? key.lastIndexOf('/') + 1 : 0))
    .sort();
}

function phrased(host: string, sentence: string, names: readonly string[]): Diagnostic[] {
  return names.length === 0 ? [] : [moved(`${sentence}: ${[...new Set(names)].join(', ')}`, host)];
}

function movedNodes(before: SavedPlan['nodes'], now: SavedPlan['nodes']): Diagnostic[] {
  const hosts = differences(before, now);
  return [
    ...hosts.appeared.map((host) => moved(hostCame, host)),
    ...hosts.gone.map((host) => moved(hostWent, host)),
    ...hosts.changed.flatMap((host) => {
      const [old, fresh] = [before[host], now[host]];
      return old === undefined || fresh === undefined ? [] : movedNode(host, old, fresh);
    }),
  ];
}

function movedNode(host: string, before: NodePrint, now: NodePrint): Diagnostic[] {
  const volumes = differences(asKeys(before.volumes), asKeys(now.volumes));
  return [
    ...changedContainers(host, before.containers, now.containers),
    ...changedFiles(host, differences(before.files, now.files)),
    ...changedRecords(host, differences(before.markers, now.markers)),
    ...phrased(host, 'volumes were created on the node', volumes.appeared),
    ...phrased(host, 'volumes were removed on the node', volumes.gone),
  ];
}

function asKeys(names: readonly string[]): Record<string, true> {
  return Object.fromEntries(names.map((name) => [name, true]));
}

function changedContainers(host: string, before: NodePrint['containers'], now: NodePrint['containers']): Diagnostic[] {
  const { appeared, gone, changed } = differences(before, now);
  return [
    ...appeared.map((name) => moved(`container ${name} was created on the node`, host)),
    ...gone.map((name) => moved(`container ${name} was removed on the node`, host)),
    ...changed.map((name) => {
      const [old, fresh] = [before[name], now[name]];
      if (old?.id !== fresh?.id) return moved(`container ${name} was replaced by another one on the node`, host);
      if (old?.state !== fresh?.state) return moved(`container ${name} was ${old?.state}, it is ${fresh?.state}`, host);
      return moved(`container ${name} is another one by its labels or image`, host);
    }),
  ];
}

/** By directory, so that a hand in many files is one line. */
function changedFiles(host: string, files: Difference): Diagnostic[] {
  const kinds = [
    ['were changed on the node', files.changed],
    ['were removed on the node', files.gone],
    ['were added on the node', files.appeared],
  ] as const;
  return kinds.flatMap(([what, paths]) => {
    const folders = new Map<string, string[]>();
    for (const path of paths) {
      const cut = path.lastIndexOf('/') + 1;
      const folder = path.slice(0, cut);
      folders.set(folder, [...(folders.get(folder) ?? []), path.slice(cut)]);
    }
    return [...folders].flatMap(([folder, names]) => phrased(host, `files in ${folder} ${what}`, names));
  });
}

function changedRecords(host: string, { appeared, gone, changed }: Difference): Diagnostic[] {
  return phrased(host, 'records of what was done on the node changed', [...appeared, ...gone, ...changed].sort());
}

/** What words a step is told in does not count, only what it does. */
const words = new Set(['reason', 'text']);

function deeds(step: SavedStep): Record<string, unknown> {
  return Object.fromEntries(Object.entries(step).filter(([key]) => !words.has(key)));
}

/** Steps that are not the same although nothing else is known to have moved, by their ids; their order counts. */
export function movedSteps(before: readonly SavedStep[], now: readonly SavedStep[]): Diagnostic[] {
  const byId = (steps: readonly SavedStep[]) => Object.fromEntries(steps.map((step) => [step.id, step]));
  const [old, fresh] = [byId(before), byId(now)];
  const told = (ids: readonly string[], from: typeof old, what: string) =>
    ids.map((id) => moved(`${what}: ${from[id]?.text ?? id}`, from[id]?.host));
  const { appeared, gone } = differences(old, fresh);
  const changed = Object.keys(fresh).flatMap((id) => {
    const [a, b] = [old[id], fresh[id]];
    if (a === undefined || b === undefined) return [];
    const keys = differences(deeds(a), deeds(b));
    const names = [...keys.appeared, ...keys.gone, ...keys.changed].sort();
    return names.length === 0
      ? []
      : [moved(`would be done differently now (${names.join(', ')}): ${b.text ?? id}`, b.host)];
  });
  const found = [
    ...told(appeared, fresh, 'is to be done now and is not in the plan'),
    ...told(gone, old, 'is in the plan and is no longer to be done'),
    ...changed,
  ];
  const order = before.map(({ id }) => id).join('\n') === now.map(({ id }) => id).join('\n');
  return found.length > 0 || order ? found : [moved('the steps would be carried out in another order')];
}
