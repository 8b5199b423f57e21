import { type Document, isAlias, isMap, isScalar, isSeq, LineCounter, type Node, type Pair, parseDocument } from 'yaml';
import { type Diagnostic, error, type Result, resultOf, type SourceSpan } from '../model/diagnostic.ts';
import { yamlTags } from './yaml-tags.ts';

export type YamlPath = readonly (string | number)[];

export interface YamlDocument {
  readonly file: string;
  /** Plain data. Map keys are always the text as written, so `on:` stays `on`. */
  readonly value: unknown;
  /** Where the value at that path starts; of a missing one, its nearest parent. */
  spanAt(path: YamlPath): SourceSpan;
  /** Where the key at that path starts. */
  keyAt(path: YamlPath): SourceSpan;
  /** Where the text of a string starts: after a quote, on the first line of a block. */
  textAt(path: YamlPath): SourceSpan;
  /** Marked `!unsafe`: the text is taken as it is, never evaluated. */
  isPlain(path: YamlPath): boolean;
  /** A scalar as it was written, for values that must not become numbers. */
  sourceOf(path: YamlPath): string | undefined;
}

const maxCharacters = 4 * 1024 * 1024;
const maxNodes = 200_000;
const maxDepth = 100;
const maxBrackets = 1000;

/** One YAML document; all its problems at once, each with file:line:column. Never throws. */
export function parseYaml(text: string, file: string): Result<YamlDocument> {
  if (text.length > maxCharacters) {
    return resultOf(emptyDocument(file), [
      error('file-too-large', `the file has ${text.length} characters; at most ${maxCharacters} are read`, {
        at: { file, line: 1, column: 1 },
      }),
    ]);
  }
  const tooDeep = error('yaml-too-deep', 'the file is nested too deeply', { at: { file, line: 1, column: 1 } });
  if (bracketDepth(text) > maxBrackets) return resultOf(emptyDocument(file), [tooDeep]);
  const lines = new LineCounter();
  const source = text.startsWith('\uFEFF') ? text.slice(1) : text;
  try {
    const document = parseDocument(source, {
      version: '1.1',
      customTags: () => yamlTags,
      uniqueKeys: false,
      prettyErrors: false,
      logLevel: 'error',
      lineCounter: lines,
    });
    const reader = new Reader(document, lines, file, source);
    const value = reader.read();
    return resultOf({ file, value, ...reader.places() }, reader.diagnostics);
  } catch {
    return resultOf(emptyDocument(file), [tooDeep]);
  }
}

/** The parser is recursive, and slow on many open brackets. Brackets in texts count too: hence the generous limit. */
function bracketDepth(text: string): number {
  let depth = 0;
  let deepest = 0;
  for (const [bracket] of text.matchAll(/[[\]{}]/g)) {
    depth = Math.max(0, depth + (bracket === '[' || bracket === '{' ? 1 : -1));
    deepest = Math.max(deepest, depth);
  }
  return deepest;
}

function emptyDocument(file: string): YamlDocument {
  const at = (): SourceSpan => ({ file, line: 1, column: 1 });
  return {
    file,
    value: null,
    spanAt: at,
    keyAt: at,
    textAt: at,
    isPlain: () => false,
    sourceOf: () => undefined,
  };
}

/** Walks the nodes once: values, duplicate keys, tags, aliases (bounded: an alias bomb expands exponentially). */
class Reader {
  readonly diagnostics: Diagnostic[] = [];
  readonly #document: Document;
  readonly #lines: LineCounter;
  readonly #file: string;
  readonly #source: string;
  #nodes = 0;
  readonly #open = new Set<Node>();
  /** The parser's own look-up walks the whole document for every alias. */
  readonly #anchors = new Map<string, Node>();
  readonly #targets = new Map<Node, Node>();

  constructor(document: Document, lines: LineCounter, file: string, source: string) {
    this.#document = document as Document;
    this.#lines = lines;
    this.#file = file;
    this.#source = source;
    for (const problem of document.errors) {
      const at = this.#position(problem.pos[0]);
      this.diagnostics.push(error('yaml-syntax', plainWords(problem.code, problem.message), { at }));
    }
  }

  read(): unknown {
    const contents = this.#document.contents;
    return contents === null ? null : this.#value(contents as Node, [], 0);
  }

  places(): Omit<YamlDocument, 'file' | 'value'> {
    return {
      spanAt: (path) => this.#position(this.#find(path).node?.range?.[0] ?? 0),
      keyAt: (path) => {
        const { key, node } = this.#find(path);
        return this.#position((key ?? node)?.range?.[0] ?? 0);
      },
      textAt: (path) => this.#textAt(this.#find(path).node),
      isPlain: (path) => this.#find(path).node?.tag === '!unsafe',
      sourceOf: (path) => {
        const { node } = this.#find(path);
        return node && isScalar(node) && node.type === 'PLAIN' ? node.source : undefined;
      },
    };
  }

  #position(offset: number): SourceSpan {
    const { line, col } = this.#lines.linePos(offset);
    return { file: this.#file, line: Math.max(1, line), column: Math.max(1, col) };
  }

  #problem(code: string, message: string, node: Node, hint?: string): void {
    this.diagnostics.push(error(code, message, { at: this.#position(node.range?.[0] ?? 0), hint }));
  }

  #value(node: Node | null | undefined, path: YamlPath, depth: number): unknown {
    if (!node) return null;
    this.#nodes += 1;
    if (this.#nodes === maxNodes) this.#problem('yaml-too-many-values', 'too many values; an alias bomb?', node);
    if (this.#nodes >= maxNodes) return null;
    if (depth > maxDepth) {
      this.#problem('yaml-too-deep', `nested more than ${maxDepth} levels deep`, node);
      return null;
    }
    if (isAlias(node)) return this.#alias(node, path, depth);
    if ('anchor' in node && typeof node.anchor === 'string') this.#anchors.set(node.anchor, node);
    this.#checkTag(node, path);
    if (isScalar(node)) return scalarValue(node.value);
    if (this.#open.has(node)) {
      this.#problem('yaml-alias', 'an alias refers to a value that contains it', node);
      return null;
    }
    this.#open.add(node);
    const value = isMap(node)
      ? this.#map(node.items as Pair<Node, Node | null>[], path, depth)
      : isSeq(node)
        ? node.items.map((item, i) => this.#value(item as Node, [...path, i], depth + 1))
        : null;
    this.#open.delete(node);
    return value;
  }

  #alias(node: Node & { source: string }, path: YamlPath, depth: number): unknown {
    const target = this.#targets.get(node) ?? this.#anchors.get(node.source);
    if (target) this.#targets.set(node, target);
    if (target) return this.#value(target, path, depth + 1);
    if (this.diagnostics.length === 0) this.#problem('yaml-alias', `no anchor &${node.source} before this alias`, node);
    return null;
  }

  #map(items: readonly Pair<Node, Node | null>[], path: YamlPath, depth: number): Record<string, unknown> {
    const merged: [string, unknown][] = [];
    const own = new Map<string, unknown>();
    for (const { key, value } of items) {
      const name = keyText(key);
      if (name === undefined) {
        this.#problem('yaml-key', 'a key must be plain text', key);
      } else if (name === '<<') {
        for (const part of [this.#value(value, path, depth + 1)].flat().reverse()) {
          if (part !== null && typeof part === 'object') merged.push(...Object.entries(part));
        }
      } else if (own.has(name)) {
        const first = items.find((item) => keyText(item.key) === name)?.key.range?.[0] ?? 0;
        const line = this.#position(first).line;
        this.#problem('duplicate-key', `key ${name} appears twice; the first is in line ${line}`, key);
      } else {
        own.set(name, this.#value(value, [...path, name], depth + 1));
      }
    }
    return Object.fromEntries([...merged, ...own]);
  }

  #checkTag(node: Node, path: YamlPath): void {
    const tag = node.tag;
    if (tag === undefined || tag === '!unsafe' || tag.startsWith('tag:yaml.org,2002:')) return;
    const key = path.length > 0 ? `${path.join('.')}: ` : '';
    if (tag === '!vault' || tag === '!vault-encrypted') {
      const hint = 'decrypt it with ansible-vault and keep the file at mode 0600';
      this.#problem('vault-not-supported', `${key}values encrypted with !vault are not supported`, node, hint);
    } else {
      this.#problem('yaml-tag', `${key}tag ${tag} is not known`, node);
    }
  }

  #find(path: YamlPath): { node: Node | undefined; key: Node | undefined } {
    let node = (this.#document.contents ?? undefined) as Node | undefined;
    let key: Node | undefined;
    for (const part of path) {
      const next = this.#child(node, part);
      if (!next) return { node, key };
      key = next.key;
      node = next.value ?? next.key;
    }
    return { node, key };
  }

  #child(
    parent: Node | undefined,
    part: string | number,
  ): { key: Node | undefined; value: Node | undefined } | undefined {
    const node = isAlias(parent) ? this.#targets.get(parent) : parent;
    if (isSeq(node)) {
      const item = node.items[Number(part)] as Node | undefined;
      return item ? { key: undefined, value: item } : undefined;
    }
    if (!isMap(node)) return undefined;
    const items = node.items as Pair<Node, Node | null>[];
    const own = items.find((item) => keyText(item.key) === String(part));
    if (own) return { key: own.key, value: own.value ?? undefined };
    for (const item of items.filter(({ key }) => keyText(key) === '<<')) {
      const found = this.#child(item.value ?? undefined, part);
      if (found) return found;
    }
    return undefined;
  }

  #textAt(node: Node | undefined): SourceSpan {
    const start = node?.range?.[0] ?? 0;
    if (!node || !isScalar(node)) return this.#position(start);
    if (node.type === 'QUOTE_DOUBLE' || node.type === 'QUOTE_SINGLE') return this.#position(start + 1);
    if (node.type !== 'BLOCK_FOLDED' && node.type !== 'BLOCK_LITERAL') return this.#position(start);
    const content = /[^\s]/.exec(this.#source.slice(this.#source.indexOf('\n', start) + 1));
    return this.#position(this.#source.indexOf('\n', start) + 1 + (content?.index ?? 0));
  }
}

function keyText(key: Node | null): string | undefined {
  if (!isScalar(key)) return key === null ? '' : undefined;
  return key.type === 'PLAIN' && key.source !== undefined ? key.source : String(key.value ?? '');
}

function scalarValue(value: unknown): unknown {
  if (typeof value === 'bigint') return String(value);
  return value === undefined ? null : value;
}

/** The parser's own sentence, except where an operator needs another one. */
function plainWords(code: string, message: string): string {
  if (code === 'TAB_AS_INDENT') return 'a tab is used as indentation; use blanks';
  if (code === 'MULTIPLE_DOCS') return 'the file holds more than one document (---)';
  return (message.split('\n')[0] ?? message).replace(/\.$/, '');
}
