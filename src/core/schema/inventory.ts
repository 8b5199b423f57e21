import { type Diagnostic, error, type Result, resultOf, type SourceSpan, warning } from '../model/diagnostic.ts';
import { didYouMean } from '../model/suggest.ts';
import { expandHostRange } from './host-range.ts';
import { pythonLiteral, shellWords, type Word } from './literal.ts';

export interface InventoryVariable {
  readonly value: unknown;
  readonly at: SourceSpan;
}

export interface InventoryHostEntry {
  readonly name: string;
  readonly at: SourceSpan;
  readonly vars: ReadonlyMap<string, InventoryVariable>;
}

export interface InventoryGroupEntry {
  readonly name: string;
  readonly at: SourceSpan;
  readonly hosts: readonly string[];
  readonly children: readonly { readonly name: string; readonly at: SourceSpan }[];
  readonly vars: ReadonlyMap<string, InventoryVariable>;
}

/** One inventory file, as written: nothing merged with other files, descendants not resolved. */
export interface InventoryFile {
  readonly file: string;
  /** In order of first appearance. */
  readonly hosts: readonly InventoryHostEntry[];
  readonly groups: readonly InventoryGroupEntry[];
}

interface MutableHost {
  readonly name: string;
  readonly at: SourceSpan;
  readonly vars: Map<string, InventoryVariable>;
}

interface MutableGroup {
  readonly name: string;
  readonly at: SourceSpan;
  /** Named by a section of its own, not only as a child. */
  defined: boolean;
  readonly hosts: string[];
  readonly children: { name: string; at: SourceSpan }[];
  readonly vars: Map<string, InventoryVariable>;
}

type SectionKind = 'hosts' | 'children' | 'vars';

/** An inventory in Ansible's INI form. Every problem with its line; never throws. */
export function parseInventory(text: string, file: string): Result<InventoryFile> {
  const reader = new InventoryReader(file);
  text
    .replace(/^\uFEFF/, '')
    .split(/\r?\n/)
    .forEach((line, i) => {
      reader.line(line, i + 1);
    });
  return resultOf(reader.result(), reader.diagnostics);
}

class InventoryReader {
  readonly diagnostics: Diagnostic[] = [];
  readonly #file: string;
  readonly #hosts = new Map<string, MutableHost>();
  readonly #groups = new Map<string, MutableGroup>();
  /** `[x:vars]` of a group that has no section: its place, to be checked at the end. */
  readonly #varsOnly = new Map<string, SourceSpan>();
  #group: MutableGroup | undefined;
  #kind: SectionKind | 'broken' = 'hosts';

  constructor(file: string) {
    this.#file = file;
    this.#group = this.#groupNamed('ungrouped', this.#at(1, 0), true);
  }

  line(raw: string, number: number): void {
    const line = raw.trimEnd();
    const indent = line.length - line.trimStart().length;
    const first = line[indent];
    if (first === undefined || first === '#' || first === ';') return;
    if (first === '[' && !/^\[[^\]]*:[^\]]*\][^\s#]/.test(line.trim())) this.#section(line.trim(), number, indent);
    else if (this.#kind === 'hosts') this.#hostLine(line, number);
    else if (this.#kind === 'children') this.#childLine(line, number, indent);
    else if (this.#kind === 'vars') this.#varLine(line, number, indent);
  }

  result(): InventoryFile {
    this.#checkChildren();
    for (const [name, at] of this.#varsOnly) {
      if (this.#groups.get(name)?.defined) continue;
      const hint = didYouMean(name, this.#definedGroups());
      this.diagnostics.push(error('unknown-group', `[${name}:vars]: group ${name} is not defined`, { at, hint }));
    }
    return { file: this.#file, hosts: [...this.#hosts.values()], groups: [...this.#groups.values()] };
  }

  #at(line: number, offset: number): SourceSpan {
    return { file: this.#file, line, column: offset + 1 };
  }

  #problem(message: string, at: SourceSpan, hint?: string): void {
    this.diagnostics.push(error('inventory-syntax', message, { at, hint }));
  }

  #definedGroups(): string[] {
    return [...this.#groups.values()].filter(({ defined }) => defined).map(({ name }) => name);
  }

  #groupNamed(name: string, at: SourceSpan, defined: boolean): MutableGroup {
    const known = this.#groups.get(name);
    if (known) {
      known.defined ||= defined;
      return known;
    }
    const group: MutableGroup = { name, at, defined, hosts: [], children: [], vars: new Map() };
    this.#groups.set(name, group);
    return group;
  }

  #section(line: string, number: number, indent: number): void {
    const at = this.#at(number, indent);
    const match = /^\[([^:\]\s]+)(?::(\w+))?\]\s*(?:[#;].*)?$/.exec(line);
    const [, name = '', kind = 'hosts'] = match ?? [];
    if (!match) {
      this.#kind = 'broken';
      this.#problem(
        `malformed section ${line.slice(0, 60)}`,
        at,
        'sections are [group], [group:children] or [group:vars]',
      );
      return;
    }
    if (kind !== 'hosts' && kind !== 'children' && kind !== 'vars') {
      this.#kind = 'broken';
      this.#problem(`section [${name}:${kind}]: ${kind} is not known`, at, 'use :children or :vars');
      return;
    }
    this.#kind = kind;
    this.#group = this.#groupNamed(name, at, kind !== 'vars' || name === 'all');
    if (kind === 'vars' && !this.#group.defined) this.#varsOnly.set(name, this.#varsOnly.get(name) ?? at);
  }

  #hostLine(line: string, number: number): void {
    const words = shellWords(line);
    if (!Array.isArray(words)) {
      this.#problem('a quote is not closed', this.#at(number, words.unclosed));
      return;
    }
    const [pattern, ...rest] = words;
    if (!pattern) return;
    const at = this.#at(number, pattern.start);
    if (pattern.text.includes('=')) {
      this.#problem(
        `${pattern.text.split('=')[0]}=… stands where a host name is expected`,
        at,
        'variables of a group belong into [group:vars]',
      );
      return;
    }
    const port = /^(.+):(\d+)$/.exec(pattern.text.replace(/\[[^\]]*\]/g, (range) => '_'.repeat(range.length)));
    const namePart = port ? pattern.text.slice(0, port[1]?.length) : pattern.text;
    const names = expandHostRange(namePart);
    if (!Array.isArray(names)) {
      this.#problem(names.problem, at);
      return;
    }
    const vars = this.#hostVars(rest, number);
    if (port) vars.set('ansible_port', { value: Number(port[2]), at });
    for (const name of names) this.#addHost(name, at, vars);
  }

  #hostVars(words: readonly Word[], number: number): Map<string, InventoryVariable> {
    const vars = new Map<string, InventoryVariable>();
    for (const { text, start } of words) {
      const equals = text.indexOf('=');
      const at = this.#at(number, start);
      if (equals <= 0) {
        this.#problem(
          `${equals === 0 ? 'a variable without name' : `"${text.slice(0, 40)}" is not key=value`}`,
          at,
          'after the host name come only key=value pairs; quote values with blanks',
        );
        continue;
      }
      vars.set(text.slice(0, equals), {
        value: pythonLiteral(text.slice(equals + 1)),
        at: this.#at(number, start + equals + 1),
      });
    }
    return vars;
  }

  #addHost(name: string, at: SourceSpan, vars: ReadonlyMap<string, InventoryVariable>): void {
    if (!/^[\w.:-]+$/.test(name) || name.startsWith('-')) {
      this.#problem(`"${name}" is not a host name`, at);
      return;
    }
    const host = this.#hosts.get(name) ?? { name, at, vars: new Map<string, InventoryVariable>() };
    this.#hosts.set(name, host);
    for (const [key, value] of vars) host.vars.set(key, value);
    if (this.#group && !this.#group.hosts.includes(name)) this.#group.hosts.push(name);
  }

  #childLine(line: string, number: number, indent: number): void {
    const words = shellWords(line);
    const at = this.#at(number, indent);
    const name = Array.isArray(words) ? words[0]?.text : undefined;
    if (!name || !Array.isArray(words) || words.length > 1 || /[[\]:=]/.test(name)) {
      this.#problem(
        `"${line.trim().slice(0, 60)}" is not the name of a group`,
        at,
        ':children sections hold one group name per line',
      );
      return;
    }
    const group = this.#group;
    if (group && !group.children.some((child) => child.name === name)) group.children.push({ name, at });
  }

  #varLine(line: string, number: number, indent: number): void {
    const equals = line.indexOf('=');
    if (equals <= indent) {
      this.#problem(`"${line.trim().slice(0, 40)}" is not key=value`, this.#at(number, indent));
      return;
    }
    const after = line.slice(equals + 1);
    const start = equals + 1 + (after.length - after.trimStart().length);
    this.#group?.vars.set(line.slice(indent, equals).trim(), {
      value: pythonLiteral(after.trim()),
      at: this.#at(number, start),
    });
  }

  #checkChildren(): void {
    for (const group of this.#groups.values()) {
      for (const child of group.children) {
        if (this.#groups.get(child.name)?.defined) continue;
        const message = `[${group.name}:children]: group ${child.name} is not defined`;
        const hint = didYouMean(child.name, this.#definedGroups()) ?? `add a section [${child.name}]`;
        this.diagnostics.push(error('unknown-group', message, { at: child.at, hint }));
      }
    }
    for (const host of this.#hosts.values()) {
      const group = this.#groups.get(host.name);
      if (!group?.defined) continue;
      this.diagnostics.push(
        warning('name-clash', `${host.name} is the name of a host and of a group`, {
          at: host.at,
          hint: `the group is in line ${group.at.line}`,
        }),
      );
    }
  }
}
