import type { SourceSpan } from '../model/diagnostic.ts';
import type { YamlDocument, YamlPath } from '../schema/yaml.ts';

export interface VariableEntry {
  readonly value: unknown;
  /** Where the value's text starts. */
  readonly at: SourceSpan;
  /** Places inside a list or map; without it every place is `at`. */
  readonly inside?: ((path: YamlPath) => SourceSpan) | undefined;
  /** Text at that path is taken as it is, never evaluated (`!unsafe`). */
  readonly isPlain?: ((path: YamlPath) => boolean) | undefined;
  /** The name is declared, but its value is still to be supplied: using it is this error. */
  readonly absent?: { readonly code: string; readonly message: string; readonly hint: string } | undefined;
}

/** One source of variables. A later layer of a host wins over an earlier one, name by name. */
export interface VariableLayer {
  readonly name: string;
  /** `services`: comes with them and wins when the operator sets nothing. `host`: set for one host alone. */
  readonly from?: 'services' | 'host';
  readonly values: ReadonlyMap<string, VariableEntry>;
}

/** The keys of a map in a YAML document as variables; `base` is the way to that map. */
export function documentEntries(document: YamlDocument, base: YamlPath = []): Map<string, VariableEntry> {
  let value = document.value;
  for (const part of base) value = (value as Record<string, unknown> | null | undefined)?.[part];
  const entries = new Map<string, VariableEntry>();
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return entries;
  for (const [name, item] of Object.entries(value)) entries.set(name, documentEntry(document, [...base, name], item));
  return entries;
}

/** Positions are looked up only when somebody asks: nobody does for most variables. */
function documentEntry(document: YamlDocument, path: YamlPath, value: unknown): VariableEntry {
  return {
    value,
    get at() {
      return document.textAt(path);
    },
    inside: (inner) => document.textAt([...path, ...inner]),
    isPlain: (inner) => document.isPlain([...path, ...inner]),
  };
}

/** The definition of a variable that wins, as it was written. */
export interface Written {
  readonly value: unknown;
  readonly at: SourceSpan;
  readonly layer: string;
  readonly from: VariableLayer['from'];
}

export function entryIn(layers: readonly VariableLayer[], name: string): VariableEntry | undefined {
  for (let i = layers.length - 1; i >= 0; i--) {
    const entry = layers[i]?.values.get(name);
    if (entry) return entry;
  }
  return undefined;
}

export function writtenIn(layers: readonly VariableLayer[], name: string): Written | undefined {
  const layer = layers.findLast(({ values }) => values.has(name));
  const entry = layer?.values.get(name);
  if (layer === undefined || entry === undefined) return undefined;
  return {
    value: entry.value,
    get at() {
      return entry.at;
    },
    layer: layer.name,
    from: layer.from,
  };
}
