/** What is needed to know about a Jinja2 template before it is given to the engine: its parts and the names it mentions. */

export interface Token {
  readonly kind: 'name' | 'string' | 'number' | 'operator';
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

export interface Mention {
  readonly name: string;
  /** Constant attributes and subscripts after it: `a.b['c'][0]` has b, c, 0. */
  readonly path: readonly string[];
  /** Offsets in the template of the name and its path. */
  readonly start: number;
  readonly end: number;
  /** Followed by `default` or `is defined`: may be missing. */
  readonly guarded: boolean;
}

export type Segment =
  | { readonly kind: 'text'; readonly text: string; readonly start: number; readonly end: number }
  | {
      readonly kind: 'expression';
      readonly start: number;
      readonly end: number;
      /** Of the expression itself, between the braces, without blanks around it. */
      readonly from: number;
      readonly to: number;
      readonly mentions: readonly Mention[];
      readonly tokens: readonly Token[];
    }
  | {
      readonly kind: 'statement';
      readonly start: number;
      readonly end: number;
      readonly mentions: readonly Mention[];
      readonly tokens: readonly Token[];
    };

export interface Template {
  readonly text: string;
  readonly segments: readonly Segment[];
  /** Holds `{% … %}`. */
  readonly statements: boolean;
}

export interface ScanProblem {
  readonly problem: string;
  readonly offset: number;
}

/** Bounds what reaches the engine: a very long expression exhausts its stack and takes the process with it. */
const maxTokens = 2000;

const tokenPattern =
  /(?<name>[\p{L}_][\p{L}\p{N}_]*)|(?<string>"(?:[^"\\]|\\[\s\S])*"|'(?:[^'\\]|\\[\s\S])*')|(?<number>\d[\d_]*(?:\.\d+)?(?:[eE][-+]?\d+)?)|(?<operator>\*\*|\/\/|==|!=|<=|>=|[-+*/%~|.,:()[\]{}<>=])/uy;

/** Cuts a template into text, `{{ }}` and `{% %}`; comments vanish, `raw` blocks are text. */
export function scanTemplate(text: string): Template | ScanProblem {
  const segments: Segment[] = [];
  const locals = new Set(['loop', 'self', 'caller']);
  let at = 0;
  let trimNext = false;
  const pushText = (to: number, trimEnd: boolean): void => {
    let piece = text.slice(at, to);
    if (trimNext) piece = piece.trimStart();
    if (trimEnd) piece = piece.trimEnd();
    if (piece !== '') segments.push({ kind: 'text', text: piece, start: at, end: to });
  };
  for (let open = findOpen(text, at); open >= 0; open = findOpen(text, at)) {
    pushText(open, text[open + 2] === '-');
    const block = readBlock(text, open);
    if ('problem' in block) return block;
    if (block.kind === 'raw') {
      segments.push({ kind: 'text', text: block.text, start: open, end: block.end });
    } else if (block.kind !== 'comment') {
      if (block.kind === 'statement') for (const name of localNames(block.tokens)) locals.add(name);
      segments.push(segmentOf(block, open));
    }
    at = block.end;
    trimNext = text[at - 3] === '-' && at - 3 > open + 2;
  }
  pushText(text.length, false);
  const count = segments.reduce((sum, s) => sum + (s.kind === 'text' ? 0 : s.tokens.length), 0);
  if (count > maxTokens) return { problem: `an expression with more than ${maxTokens} words`, offset: 0 };
  return {
    text,
    segments: segments.map((s) =>
      s.kind === 'text' ? s : { ...s, mentions: s.mentions.filter(({ name }) => !locals.has(name)) },
    ),
    statements: segments.some(({ kind }) => kind === 'statement'),
  };
}

export function isTemplate(text: string): boolean {
  return findOpen(text, 0) >= 0;
}

function findOpen(text: string, from: number): number {
  for (let i = text.indexOf('{', from); i >= 0; i = text.indexOf('{', i + 1)) {
    const next = text[i + 1];
    if (next === '{' || next === '%' || next === '#') return i;
  }
  return -1;
}

type Block =
  | { readonly kind: 'comment'; readonly end: number }
  | { readonly kind: 'raw'; readonly end: number; readonly text: string }
  | { readonly kind: 'expression' | 'statement'; readonly end: number; readonly tokens: readonly Token[] };

function segmentOf(block: Extract<Block, { tokens: readonly Token[] }>, start: number): Segment {
  const { kind, end, tokens } = block;
  const body = kind === 'statement' ? tokens.slice(1) : tokens;
  const mentions = findMentions(body);
  if (kind === 'statement') return { kind, start, end, mentions, tokens };
  const from = tokens[0]?.start ?? start + 2;
  return { kind, start, end, from, to: tokens.at(-1)?.end ?? from, mentions, tokens };
}

function readBlock(text: string, open: number): Block | ScanProblem {
  if (text[open + 1] === '#') {
    const end = text.indexOf('#}', open + 2);
    return end < 0 ? { problem: 'a comment {# is not closed', offset: open } : { kind: 'comment', end: end + 2 };
  }
  const kind = text[open + 1] === '{' ? 'expression' : 'statement';
  const close = kind === 'expression' ? '}}' : '%}';
  const tokens = readTokens(text, /^[-+]/.test(text[open + 2] ?? '') ? open + 3 : open + 2, close);
  if (!Array.isArray(tokens)) return { problem: tokens.problem, offset: tokens.offset ?? open };
  const last = tokens.at(-1)?.end ?? open + 2;
  const end = text.indexOf(close, last) + close.length;
  if (kind === 'statement' && tokens[0]?.text === 'raw') {
    const closing = /\{%[-+]?\s*endraw\s*[-+]?%\}/g;
    closing.lastIndex = end;
    const match = closing.exec(text);
    if (!match) return { problem: '{% raw %} is not closed', offset: open };
    return { kind: 'raw', text: text.slice(end, match.index), end: match.index + match[0].length };
  }
  if (kind === 'expression' && tokens.length === 0) return { problem: 'an empty expression', offset: open };
  return { kind, end, tokens };
}

function readTokens(
  text: string,
  from: number,
  close: string,
): Token[] | { readonly problem: string; readonly offset?: number } {
  const tokens: Token[] = [];
  let depth = 0;
  let at = from;
  for (;;) {
    while (/\s/.test(text[at] ?? '')) at += 1;
    if (at >= text.length) return { problem: `${close === '}}' ? '{{' : '{%'} is not closed with ${close}` };
    if (depth === 0 && (text.startsWith(close, at) || text.startsWith(`-${close}`, at))) return tokens;
    tokenPattern.lastIndex = at;
    const match = tokenPattern.exec(text);
    if (!match) return { problem: `unexpected ${/["']/.test(text[at] ?? '') ? 'quote' : text[at]}`, offset: at };
    const [kind = 'operator'] = Object.entries(match.groups ?? {}).find(([, value]) => value !== undefined) ?? [];
    if (/^[([{]$/.test(match[0])) depth += 1;
    if (/^[)\]}]$/.test(match[0])) depth = Math.max(0, depth - 1);
    tokens.push({ kind: kind as Token['kind'], text: match[0], start: at, end: at + match[0].length });
    at += match[0].length;
  }
}

const keywords = new Set(
  'and or not in is if else true false none True False None recursive as with without context import'.split(' '),
);

function findMentions(tokens: readonly Token[]): Mention[] {
  return tokens.flatMap((token, i) => {
    if (token.kind !== 'name' || keywords.has(token.text) || !isVariable(tokens, i)) return [];
    const { path, next } = readPath(tokens, i + 1);
    const called = tokens[next]?.text === '(';
    if (called && path.length === 0) return [];
    const kept = called ? path.slice(0, -1) : path;
    const end = kept.at(-1)?.end ?? token.end;
    const guarded = !called && isGuarded(tokens, i, next);
    return [{ name: token.text, path: kept.map(({ key }) => key), start: token.start, end, guarded }];
  });
}

/** Not an attribute, a filter, a test, or the name of an argument. */
function isVariable(tokens: readonly Token[], i: number): boolean {
  const before = tokens[i - 1]?.text;
  if (before === '.' || before === '|' || before === 'is') return false;
  if (before === 'not' && tokens[i - 2]?.text === 'is') return false;
  return tokens[i + 1]?.text !== '=';
}

function readPath(tokens: readonly Token[], from: number): { path: { key: string; end: number }[]; next: number } {
  const path: { key: string; end: number }[] = [];
  let i = from;
  for (;;) {
    const key = tokens[i + 1];
    if (tokens[i]?.text === '.' && (key?.kind === 'name' || key?.kind === 'number')) {
      path.push({ key: key.text, end: key.end });
      i += 2;
    } else if (
      tokens[i]?.text === '[' &&
      (key?.kind === 'string' || key?.kind === 'number') &&
      tokens[i + 2]?.text === ']'
    ) {
      path.push({ key: key.kind === 'string' ? stringValue(key.text) : key.text, end: tokens[i + 2]?.end ?? key.end });
      i += 3;
    } else return { path, next: i };
  }
}

function isGuarded(tokens: readonly Token[], from: number, next: number): boolean {
  let [before, after] = [from - 1, next];
  while (tokens[before]?.text === '(' && tokens[after]?.text === ')' && tokens[before - 1]?.kind !== 'name') {
    before -= 1;
    after += 1;
  }
  const word = tokens[after + 1]?.text;
  if (tokens[after]?.text === '|') return word === 'default' || word === 'd';
  if (tokens[after]?.text !== 'is') return false;
  return /^(?:un)?defined$/.test((word === 'not' ? tokens[after + 2]?.text : word) ?? '');
}

/** The text of a string token without its quotes. */
export function stringValue(token: string): string {
  const escapes: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r' };
  return token.slice(1, -1).replace(/\\([\s\S])/g, (_, c: string) => escapes[c] ?? c);
}

/** Names a statement binds: loop variables, `set`, `with`, macros and their arguments. */
function localNames(tokens: readonly Token[]): string[] {
  const names = (part: readonly Token[]): string[] =>
    part.filter(({ kind, text }) => kind === 'name' && !keywords.has(text)).map(({ text }) => text);
  const until = (text: string): readonly Token[] => {
    const end = tokens.findIndex((token) => token.text === text);
    return tokens.slice(1, end < 0 ? undefined : end);
  };
  switch (tokens[0]?.text) {
    case 'for':
      return names(until('in'));
    case 'set':
      return names(until('=')).slice(0, tokens[2]?.text === '.' ? 1 : undefined);
    case 'macro':
    case 'call':
      return names(tokens.slice(1));
    case 'with':
      return names(tokens.filter((_, i) => tokens[i + 1]?.text === '='));
    default:
      return [];
  }
}
