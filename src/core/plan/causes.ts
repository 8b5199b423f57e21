import type { Source, Sources } from '../desired/model.ts';
import type { SourceSpan } from '../model/diagnostic.ts';
import type { ContainerName, HostName } from '../model/node.ts';

/** Why a container is no longer what it was when it was made. */
export interface Cause {
  readonly what: 'variable' | 'override' | 'template' | 'definition' | 'inventory' | 'node';
  /** `default`: it was not set and is not set now, but this version comes with another default. */
  readonly kind: 'set' | 'changed' | 'unset' | 'default' | 'node';
  /** Variable, path of the override file, `<service>/<template>`, or the container whose definition it is. */
  readonly name: string;
  /** Of a variable that was read from another host. */
  readonly host?: HostName | undefined;
  /** Where the definition stands that is in force now. */
  readonly at?: SourceSpan | undefined;
}

/** A container that differs on a host, for `planCauses`. */
export interface ContainerChange {
  readonly host: HostName;
  readonly container: ContainerName;
  /** As `recordOf` gave it when the container was made; without it no cause is claimed. */
  readonly recorded?: Readonly<Record<string, string>> | undefined;
  readonly sources: Sources;
  /** What is wanted now is what was made then: only the node itself can have changed. */
  readonly asMade?: boolean | undefined;
  /** The image stays: what only its name was made from is no cause. */
  readonly keepsImage?: boolean | undefined;
}

/** One cause with all it concerns; hosts and containers in the order of the changes. */
export interface PlanCause extends Cause {
  /** In words. */
  readonly cause: string;
  readonly containers: readonly ContainerName[];
  readonly hosts: readonly HostName[];
}

/** What to remember of the sources until the next comparison: hashes, no values. */
export function recordOf(sources: Sources): Readonly<Record<string, string>> {
  return Object.fromEntries([...sources].flatMap(([name, { hash, common }]) => (common ? [] : [[name, hash]])));
}

/**
 * Sources whose definition is another one than when the record was made, sorted. A variable that is merely read now
 * and was not before is none: something else made the difference. Nothing is claimed without a record.
 */
export function causesOf(recorded: Readonly<Record<string, string>> | undefined, now: Sources): Cause[] {
  if (recorded === undefined) return [];
  const causes = [
    ...[...now].flatMap(([key, source]) => presentCause(recorded, key, source)),
    ...Object.keys(recorded).flatMap((key) => (now.has(key) ? [] : absentCause(key))),
  ];
  return causes.sort((a, b) => compare(sortKey(a), sortKey(b)));
}

/** The same cause of several containers is told once, in one entry for each set of hosts. */
export function planCauses(changes: readonly ContainerChange[]): PlanCause[] {
  const found = new Map<string, { cause: Cause; hostsOf: Map<ContainerName, HostName[]> }>();
  for (const change of changes) {
    for (const cause of causesOfChange(change)) {
      const text = causeText(cause);
      const entry = found.get(text) ?? { cause, hostsOf: new Map() };
      found.set(text, entry);
      const hosts = entry.hostsOf.get(change.container) ?? [];
      if (!hosts.includes(change.host)) entry.hostsOf.set(change.container, [...hosts, change.host]);
    }
  }
  return [...found].flatMap(([text, { cause, hostsOf }]) =>
    byHosts(hostsOf).map((where) => ({ ...cause, cause: text, ...where })),
  );
}

/** `openstack_logging_debug (globals.yml:12)`; never a value. */
export function causeText(cause: Cause): string {
  const { name, at } = cause;
  const place = at === undefined ? '' : ` (${placeText(cause, at)})`;
  const of = cause.host === undefined || cause.kind === 'set' || cause.kind === 'changed' ? '' : ` of ${cause.host}`;
  switch (cause.what) {
    case 'node':
      return 'changed on the node';
    case 'inventory':
      return 'groups of the inventory';
    case 'template':
      return `template ${name} of this version`;
    case 'definition':
      return `definition of ${name} of this version`;
    case 'override':
      return `override file config/${name}${cause.kind === 'unset' ? ', which is gone' : ''}`;
    case 'variable':
      if (cause.kind === 'default') return `${name}${of}, whose default is new in this version${place}`;
      if (cause.kind !== 'unset') return `${name}${of}${place}`;
      return `${name}${of}, no longer set${at === undefined ? '' : ` (now from ${placeText(cause, at)})`}`;
  }
}

function causesOfChange(change: ContainerChange): Cause[] {
  if (change.recorded === undefined) return [];
  if (change.asMade) return [{ what: 'node', kind: 'node', name: change.container }];
  if (!change.keepsImage) return causesOf(change.recorded, change.sources);
  return causesOf(change.recorded, new Map([...change.sources].filter(([, source]) => !source.imageOnly)));
}

function presentCause(recorded: Readonly<Record<string, string>>, key: string, source: Source): Cause[] {
  const { what, name, host } = parsed(key);
  const { at } = source;
  const own = recorded[key];
  if (what === 'variable') {
    const before = own ?? (host === undefined ? undefined : commonBefore(recorded, name));
    const kind = before === undefined ? undefined : variableKind(before, source.hash);
    return kind === undefined ? [] : [{ what, kind, name, host, at }];
  }
  if (own === undefined) return what === 'override' ? [{ what, kind: 'set', name, at }] : [];
  return own === source.hash ? [] : [{ what, kind: 'changed', name, at }];
}

/** What another host had when it had nothing of its own: the same as this one, unless that was for this one alone. */
function commonBefore(recorded: Readonly<Record<string, string>>, name: string): string | undefined {
  const own = recorded[`var:${name}`];
  return own?.startsWith('host:') ? undefined : own;
}

/** A variable or template that is not read any more is no cause: something else brought that about. */
function absentCause(key: string): Cause[] {
  const { what, name } = parsed(key);
  return what === 'override' ? [{ what, kind: 'unset', name }] : [];
}

/** Undefined when the same is written as before, wherever. */
function variableKind(before: string, now: string): Cause['kind'] | undefined {
  const [was = '', old] = before.split(':');
  const [is = '', hash] = now.split(':');
  if (old === hash) return undefined;
  if (byOperator(is)) return byOperator(was) ? 'changed' : 'set';
  return byOperator(was) ? 'unset' : 'default';
}

function byOperator(owner: string): boolean {
  return owner === 'set' || owner === 'host';
}

function parsed(key: string): { what: Cause['what']; name: string; host?: HostName } {
  const [, kind = '', rest = ''] = /^(\w+):(.*)$/s.exec(key) ?? [];
  if (kind === 'override') return { what: 'override', name: rest };
  if (kind === 'inventory') return { what: 'inventory', name: rest };
  if (kind === 'template') {
    const container = rest.split('#')[1];
    return container === undefined ? { what: 'template', name: rest } : { what: 'definition', name: container };
  }
  const [name = '', host] = rest.split('@');
  return { what: 'variable', name, ...(host === undefined ? {} : { host }) };
}

/** Files that come with the services are named from `services/` on; where the program lies tells nobody anything. */
function placeText({ kind }: Cause, { file, line }: SourceSpan): string {
  if (file === '-e') return file;
  const shipped = kind === 'default' || kind === 'unset';
  const short = shipped && file.includes('/services/') ? file.slice(file.lastIndexOf('/services/') + 1) : file;
  return `${short}:${line}`;
}

function byHosts(hostsOf: ReadonlyMap<ContainerName, readonly HostName[]>) {
  const groups = new Map<string, { containers: ContainerName[]; hosts: readonly HostName[] }>();
  for (const [container, hosts] of hostsOf) {
    const key = [...hosts].sort().join(' ');
    const group = groups.get(key) ?? { containers: [], hosts };
    groups.set(key, group);
    group.containers.push(container);
  }
  return [...groups.values()];
}

function sortKey({ what, name, host = '' }: Cause): string {
  return `${['variable', 'override', 'inventory', 'definition', 'template', 'node'].indexOf(what)} ${name} ${host}`;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
