import { type Diagnostic, error, type Result, resultOf, type SourceSpan } from '../model/diagnostic.ts';
import type { HostName } from '../model/node.ts';
import type { InventoryFile, InventoryVariable } from '../schema/inventory.ts';
import type { YamlDocument } from '../schema/yaml.ts';
import { documentEntries, type VariableEntry, type VariableLayer } from './layers.ts';

export type GroupName = string;

export interface Host {
  readonly name: HostName;
  /** Every group it is in, ancestors too, lowest precedence first: `all`, then by depth, priority and name. */
  readonly groups: readonly GroupName[];
  /** Inventory layers of this host, low to high: all, groups, host. */
  readonly vars: readonly VariableLayer[];
}

export interface Group {
  readonly name: GroupName;
  /** With those of its descendants, in inventory order. */
  readonly hosts: readonly HostName[];
  readonly children: readonly GroupName[];
  readonly parents: readonly GroupName[];
}

export interface Inventory {
  /** In order of first appearance in the inventory files. */
  readonly hosts: ReadonlyMap<HostName, Host>;
  readonly groups: ReadonlyMap<GroupName, Group>;
}

/** Documents of `group_vars/` and `host_vars/`, in the order they apply (later wins). */
export interface InventoryVarFiles {
  readonly groupVars: readonly { readonly group: GroupName; readonly document: YamlDocument }[];
  readonly hostVars: readonly { readonly host: HostName; readonly document: YamlDocument }[];
}

interface Node {
  readonly name: GroupName;
  readonly at: SourceSpan;
  readonly own: Set<HostName>;
  readonly children: Set<GroupName>;
  readonly parents: Set<GroupName>;
  readonly vars: Map<string, InventoryVariable>;
  depth: number;
}

/** Several inventory files and their variable files as one inventory. A cycle of groups is an error. */
export function mergeInventory(files: readonly InventoryFile[], varFiles: InventoryVarFiles): Result<Inventory> {
  const order = new Map<HostName, { at: SourceSpan; vars: Map<string, InventoryVariable> }>();
  const nodes = new Map<GroupName, Node>();
  for (const file of files) {
    for (const host of file.hosts) {
      const known = order.get(host.name);
      order.set(host.name, { at: host.at, vars: new Map([...(known?.vars ?? []), ...host.vars]) });
    }
    for (const group of file.groups) addGroup(nodes, group);
  }
  const top: SourceSpan = { file: files[0]?.file ?? 'inventory', line: 1, column: 1 };
  const all = nodeNamed(nodes, 'all', top);
  for (const node of nodes.values()) if (node !== all && node.parents.size === 0) link(all, node);
  const cycles = findCycles(nodes);
  if (cycles.length > 0) return resultOf({ hosts: new Map(), groups: new Map() }, cycles);
  setDepths(nodes, all);
  const members = descendants(nodes);
  for (const name of order.keys()) members.get('all')?.add(name);
  dropFromUngrouped(nodes, members);
  const groups = new Map<GroupName, Group>();
  for (const { name, children, parents } of nodes.values()) {
    const own = members.get(name) ?? new Set();
    const hosts = [...order.keys()].filter((host) => own.has(host));
    groups.set(name, { name, hosts, children: [...children], parents: [...parents] });
  }
  const layers = groupLayers(nodes, varFiles);
  const hosts = new Map<HostName, Host>();
  const sorted = [...nodes.values()].sort(byPrecedence).map(({ name }) => name);
  for (const [name, { vars }] of order) {
    const own = sorted.filter((group) => members.get(group)?.has(name));
    hosts.set(name, { name, groups: own, vars: [...layers(own), ...hostLayers(name, vars, varFiles)] });
  }
  return resultOf({ hosts, groups }, unusedVarFiles(varFiles, hosts, groups));
}

function nodeNamed(nodes: Map<GroupName, Node>, name: GroupName, at: SourceSpan): Node {
  const known = nodes.get(name);
  if (known) return known;
  const node = {
    name,
    at,
    own: new Set<string>(),
    children: new Set<string>(),
    parents: new Set<string>(),
    vars: new Map<string, InventoryVariable>(),
    depth: 0,
  };
  nodes.set(name, node);
  return node;
}

function link(parent: Node, child: Node): void {
  parent.children.add(child.name);
  child.parents.add(parent.name);
}

function addGroup(nodes: Map<GroupName, Node>, group: InventoryFile['groups'][number]): void {
  const node = nodeNamed(nodes, group.name, group.at);
  for (const host of group.hosts) node.own.add(host);
  for (const [key, value] of group.vars) node.vars.set(key, value);
  for (const child of group.children) link(node, nodeNamed(nodes, child.name, child.at));
}

/** Each cycle once, with its chain. */
function findCycles(nodes: ReadonlyMap<GroupName, Node>): Diagnostic[] {
  const found: Diagnostic[] = [];
  const state = new Map<GroupName, 'open' | 'done'>();
  const visit = (node: Node, chain: readonly GroupName[]): void => {
    if (state.get(node.name) === 'done') return;
    if (state.get(node.name) === 'open') {
      const cycle = [...chain.slice(chain.indexOf(node.name)), node.name].join(' → ');
      found.push(error('group-cycle', `groups contain each other: ${cycle}`, { at: node.at }));
      return;
    }
    state.set(node.name, 'open');
    for (const child of node.children) {
      const next = nodes.get(child);
      if (next) visit(next, [...chain, node.name]);
    }
    state.set(node.name, 'done');
  };
  for (const node of nodes.values()) visit(node, []);
  return found;
}

/** The longest way from `all`, as Ansible counts: a child always lies deeper than each of its parents. */
function setDepths(nodes: ReadonlyMap<GroupName, Node>, all: Node): void {
  const waiting = new Map([...nodes.values()].map((node) => [node.name, node.parents.size]));
  const ready = [all];
  for (let node = ready.shift(); node; node = ready.shift()) {
    for (const name of node.children) {
      const child = nodes.get(name);
      if (!child) continue;
      child.depth = Math.max(child.depth, node.depth + 1);
      const left = (waiting.get(name) ?? 1) - 1;
      waiting.set(name, left);
      if (left === 0) ready.push(child);
    }
  }
}

function descendants(nodes: ReadonlyMap<GroupName, Node>): Map<GroupName, Set<HostName>> {
  const members = new Map<GroupName, Set<HostName>>();
  const deepestFirst = [...nodes.values()].sort((a, b) => b.depth - a.depth);
  for (const node of deepestFirst) {
    const own = new Set(node.own);
    for (const child of node.children) for (const host of members.get(child) ?? []) own.add(host);
    members.set(node.name, own);
  }
  return members;
}

/** A host named before the first section and again in a group is not ungrouped. */
function dropFromUngrouped(nodes: ReadonlyMap<GroupName, Node>, members: Map<GroupName, Set<HostName>>): void {
  const ungrouped = members.get('ungrouped');
  for (const host of ungrouped ?? []) {
    for (const { name } of nodes.values()) {
      if (name !== 'all' && name !== 'ungrouped' && members.get(name)?.has(host)) ungrouped?.delete(host);
    }
  }
}

function byPrecedence(a: Node, b: Node): number {
  const priority = (node: Node): number => Number(node.vars.get('ansible_group_priority')?.value ?? 1) || 1;
  return a.depth - b.depth || priority(a) - priority(b) || (a.name < b.name ? -1 : 1);
}

/** Ansible's order: `[all:vars]`, group_vars/all, every `[group:vars]`, every group_vars/<group>. */
function groupLayers(
  nodes: ReadonlyMap<GroupName, Node>,
  varFiles: InventoryVarFiles,
): (groups: readonly GroupName[]) => VariableLayer[] {
  const sections = new Map<GroupName, VariableLayer[]>();
  for (const { name, vars } of nodes.values()) {
    if (vars.size > 0) sections.set(name, [{ name: `inventory [${name}:vars]`, values: vars }]);
  }
  const files = new Map<GroupName, VariableLayer[]>();
  for (const { group, document } of varFiles.groupVars) {
    files.set(group, [...(files.get(group) ?? []), { name: `group_vars/${group}`, values: documentEntries(document) }]);
  }
  return (groups) => {
    const others = groups.filter((group) => group !== 'all');
    return [['all'], others].flatMap((part) => [
      ...part.flatMap((group) => sections.get(group) ?? []),
      ...part.flatMap((group) => files.get(group) ?? []),
    ]);
  };
}

function hostLayers(
  name: HostName,
  vars: ReadonlyMap<string, VariableEntry>,
  varFiles: InventoryVarFiles,
): VariableLayer[] {
  const files = varFiles.hostVars.filter(({ host }) => host === name);
  return [
    ...(vars.size > 0 ? [{ name: `inventory host ${name}`, from: 'host' as const, values: vars }] : []),
    ...files.map(({ document }) => ({
      name: `host_vars/${name}`,
      from: 'host' as const,
      values: documentEntries(document),
    })),
  ];
}

/** A variable file nobody reads is most often a misspelled name. */
function unusedVarFiles(
  varFiles: InventoryVarFiles,
  hosts: ReadonlyMap<HostName, Host>,
  groups: ReadonlyMap<GroupName, Group>,
): Diagnostic[] {
  const found: Diagnostic[] = [];
  const report = (kind: string, name: string, document: YamlDocument): void => {
    const at = { file: document.file, line: 1, column: 1 };
    const message = `${kind} ${name} is not in the inventory; these variables have no effect`;
    found.push({ severity: 'warning', code: 'unused-variables', message, at });
  };
  for (const { host, document } of varFiles.hostVars) if (!hosts.has(host)) report('host', host, document);
  for (const { group, document } of varFiles.groupVars) if (!groups.has(group)) report('group', group, document);
  return found;
}
