import { type Diagnostic, error, type SourceSpan } from '../model/diagnostic.ts';
import { nearest } from '../model/suggest.ts';

type Node = hbs.AST.Node;
type Expression = hbs.AST.Expression;
type Location = hbs.AST.SourceLocation;

/** Names of the four functions every expression of a template is turned into. */
export const call = { get: '__get', helper: '__call', output: '__out', list: '__list' } as const;

const blocks = ['if', 'unless', 'each', 'with'];
const dataNames = ['root', 'index', 'key', 'first', 'last'];

interface Scope {
  readonly file: string;
  readonly diagnostics: Diagnostic[];
  readonly blockParams: readonly string[];
}

export function spanOf(file: string, location: { readonly start: hbs.AST.Position } | undefined): SourceSpan {
  return { file, line: location?.start.line ?? 1, column: (location?.start.column ?? 0) + 1 };
}

/**
 * Rewrites a parsed template so that every look-up, helper call and output goes through our own functions.
 * Handlebars' strict mode checks only the outermost name of a `{{…}}`, not the arguments of helpers, and cannot say
 * which names would have been right; it also turns a list into "a,b" and an object into "[object Object]" silently.
 */
export function instrument(program: hbs.AST.Program, file: string): readonly Diagnostic[] {
  const scope: Scope = { file, diagnostics: [], blockParams: [] };
  rewriteProgram(program, scope);
  return scope.diagnostics;
}

function rewriteProgram(program: hbs.AST.Program, outer: Scope): void {
  const scope = { ...outer, blockParams: [...outer.blockParams, ...(program.blockParams ?? [])] };
  program.body = program.body.map((statement) => rewriteStatement(statement, scope));
}

function rewriteStatement(node: hbs.AST.Statement, scope: Scope): hbs.AST.Statement {
  switch (node.type) {
    case 'ContentStatement':
    case 'CommentStatement':
      return node;
    case 'MustacheStatement':
      return rewriteMustache(node as hbs.AST.MustacheStatement, scope);
    case 'BlockStatement':
      return rewriteBlock(node as hbs.AST.BlockStatement, scope);
    default:
      scope.diagnostics.push(
        error('template-syntax', 'partials and decorators are not available here', {
          at: spanOf(scope.file, node.loc),
        }),
      );
      return node;
  }
}

function rewriteMustache(node: hbs.AST.MustacheStatement, scope: Scope): hbs.AST.MustacheStatement {
  const value = rewriteCall(node, scope);
  const raw = { type: 'BooleanLiteral', value: !node.escaped, original: !node.escaped, loc: node.loc };
  return {
    ...node,
    path: helperPath(call.output, node.loc),
    params: [value, raw as hbs.AST.BooleanLiteral],
    hash: noHash(node.loc),
  };
}

function rewriteBlock(node: hbs.AST.BlockStatement, scope: Scope): hbs.AST.BlockStatement {
  const name = String(node.path.original);
  if (!blocks.includes(name)) {
    const known = nearest(name, blocks)[0];
    scope.diagnostics.push(
      error('template-syntax', `there is no block {{#${name}}}`, {
        at: spanOf(scope.file, node.loc),
        hint: known ? `did you mean {{#${known}}}?` : `write {{#if (${name} …)}}`,
      }),
    );
  }
  const params = node.params.map((param) => rewriteExpression(param, scope));
  rejectHash(node.hash, scope);
  if (node.program) rewriteProgram(node.program, scope);
  if (node.inverse) rewriteProgram(node.inverse, scope);
  return { ...node, params: name === 'each' ? params.map((param) => sexpr(call.list, [param], param.loc)) : params };
}

function rewriteExpression(node: Expression, scope: Scope): Expression {
  if (node.type === 'PathExpression') return rewritePath(node as hbs.AST.PathExpression, scope);
  if (node.type === 'SubExpression') return rewriteCall(node as hbs.AST.SubExpression, scope);
  return node;
}

/** `name` alone is always a variable, `name arg …` always a helper: so no variable can shadow a helper or be shadowed. */
function rewriteCall(node: hbs.AST.MustacheStatement | hbs.AST.SubExpression, scope: Scope): Expression {
  rejectHash(node.hash, scope);
  if (node.params.length === 0) return rewriteExpression(node.path as Expression, scope);
  const name = String((node.path as hbs.AST.PathExpression).original);
  const params = node.params.map((param) => rewriteExpression(param, scope));
  return sexpr(call.helper, [stringLiteral(name, node.loc), ...params], node.loc);
}

function rewritePath(path: hbs.AST.PathExpression, scope: Scope): Expression {
  const parts = path.parts.map(String);
  const [first] = parts;
  if (first === undefined) return path;
  if (path.data && !dataNames.includes(first)) {
    scope.diagnostics.push(
      error('template-syntax', `there is no @${first}`, {
        at: spanOf(scope.file, path.loc),
        hint: `known are ${dataNames.map((name) => `@${name}`).join(', ')}`,
      }),
    );
    return path;
  }
  const explicit = /^(\.|this\b)/.test(String(path.original));
  const isBase = path.data || (path.depth === 0 && !explicit && scope.blockParams.includes(first));
  if (isBase && parts.length === 1) return path;
  const base = isBase ? { ...path, parts: [first] } : { ...path, parts: [], original: '.'.repeat(path.depth + 1) };
  const rest = isBase ? parts.slice(1) : parts;
  const names = rest.map((part) => stringLiteral(part, path.loc));
  return sexpr(call.get, [base, stringLiteral(String(path.original), path.loc), ...names], path.loc);
}

function rejectHash(hash: hbs.AST.Hash | undefined, scope: Scope): void {
  const pair = hash?.pairs[0];
  if (!pair) return;
  const at = spanOf(scope.file, pair.loc);
  scope.diagnostics.push(error('template-syntax', `named arguments (${pair.key}=…) are not available`, { at }));
}

function helperPath(name: string, loc: Location): hbs.AST.PathExpression {
  return { type: 'PathExpression', data: false, depth: 0, parts: [name], original: name, loc };
}

function noHash(loc: Location): hbs.AST.Hash {
  return { type: 'Hash', pairs: [], loc };
}

function stringLiteral(value: string, loc: Location): hbs.AST.StringLiteral {
  return { type: 'StringLiteral', value, original: value, loc };
}

function sexpr(name: string, params: readonly Node[], loc: Location): hbs.AST.SubExpression {
  return { type: 'SubExpression', path: helperPath(name, loc), params: [...params], hash: noHash(loc), loc };
}
