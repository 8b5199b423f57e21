/**
 * A Python literal as Ansible takes it from an INI inventory: numbers, True/False/None, quoted strings, lists,
 * tuples, dictionaries. Anything else (`true`, `0644`, `10.0.0.1`, `a b`) is the text itself.
 */
export function pythonLiteral(text: string): unknown {
  const reader = new LiteralReader(text);
  const value = reader.value(0);
  return value !== undefined && reader.atEnd() ? value.is : text;
}

interface Found {
  readonly is: unknown;
}

class LiteralReader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  atEnd(): boolean {
    return this.#take(/\s*(?:#.*)?$/y) !== undefined;
  }

  value(depth: number): Found | undefined {
    this.#take(/\s*/y);
    if (depth > 20) return undefined;
    const word = this.#take(/(?:True|False|None)\b/y);
    if (word) return { is: word === 'None' ? null : word === 'True' };
    const number = this.#take(
      /[-+]?(?:0[xX][0-9a-fA-F]+|(?:0|[1-9][0-9_]*)(?:\.[0-9]*)?(?:[eE][-+]?[0-9]+)?|\.[0-9]+)(?![\w.])/y,
    );
    if (number) return exactNumber(number);
    const next = this.#text[this.#at];
    if (next === '"' || next === "'") return this.#string(next);
    if (next === '[') return this.#list('[', ']', depth);
    if (next === '(') return this.#list('(', ')', depth);
    return next === '{' ? this.#map(depth) : undefined;
  }

  #take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const match = pattern.exec(this.#text);
    if (!match) return undefined;
    this.#at += match[0].length;
    return match[0];
  }

  #string(quote: string): Found | undefined {
    const pattern = quote === '"' ? /"(?:[^"\\\n]|\\.)*"/y : /'(?:[^'\\\n]|\\.)*'/y;
    const raw = this.#take(pattern);
    if (raw === undefined) return undefined;
    const escapes: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', '\\': '\\', "'": "'", '"': '"' };
    return { is: raw.slice(1, -1).replace(/\\(.)/g, (all, c: string) => escapes[c] ?? all) };
  }

  #list(open: string, close: string, depth: number): Found | undefined {
    const items: unknown[] = [];
    if (this.#take(escaped(open)) === undefined) return undefined;
    while (this.#take(escaped(close)) === undefined) {
      const item = this.value(depth + 1);
      if (!item) return undefined;
      items.push(item.is);
      if (this.#take(/\s*,\s*/y) === undefined) {
        if (this.#take(escaped(close)) === undefined) return undefined;
        break;
      }
    }
    return { is: items };
  }

  #map(depth: number): Found | undefined {
    const entries: [string, unknown][] = [];
    this.#take(escaped('{'));
    while (this.#take(escaped('}')) === undefined) {
      const key = this.value(depth + 1);
      if (!key || this.#take(escaped(':')) === undefined) return undefined;
      const item = this.value(depth + 1);
      if (!item) return undefined;
      entries.push([String(key.is), item.is]);
      if (this.#take(/\s*,\s*/y) === undefined) {
        if (this.#take(escaped('}')) === undefined) return undefined;
        break;
      }
    }
    return { is: Object.fromEntries(entries) };
  }
}

/** A number JavaScript can hold without losing digits; else undefined, so that the text stays. */
function exactNumber(text: string): Found | undefined {
  const value = Number(text.replaceAll('_', ''));
  if (/^[-+]?[0-9_]+$/.test(text) && !Number.isSafeInteger(value)) return undefined;
  return Number.isNaN(value) ? undefined : { is: value };
}

function escaped(character: string): RegExp {
  return new RegExp(`\\s*\\${character}\\s*`, 'y');
}

export interface Word {
  readonly text: string;
  /** Offset of its first character in the line. */
  readonly start: number;
}

/** Words of a line as a shell splits them: quotes and backslashes, and a comment from `#` on. */
export function shellWords(line: string): Word[] | { readonly unclosed: number } {
  const words: Word[] = [];
  let i = 0;
  while (i < line.length) {
    if (/\s/.test(line[i] ?? '')) {
      i += 1;
      continue;
    }
    if (line[i] === '#') break;
    const start = i;
    let text = '';
    while (i < line.length && !/\s/.test(line[i] ?? '')) {
      const c = line[i] ?? '';
      if (c === '"' || c === "'") {
        const end = closing(line, i);
        if (end < 0) return { unclosed: i };
        const inner = line.slice(i + 1, end);
        text += c === '"' ? inner.replace(/\\(["\\])/g, '$1') : inner;
        i = end + 1;
      } else if (c === '\\' && i + 1 < line.length) {
        text += line[i + 1];
        i += 2;
      } else {
        text += c;
        i += 1;
      }
    }
    words.push({ text, start });
  }
  return words;
}

function closing(line: string, from: number): number {
  const quote = line[from];
  for (let i = from + 1; i < line.length; i++) {
    if (quote === '"' && line[i] === '\\') i += 1;
    else if (line[i] === quote) return i;
  }
  return -1;
}
