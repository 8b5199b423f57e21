import { type Diagnostic, error, type Result, resultOf } from '../model/diagnostic.ts';

/** A directed graph by name: `edges.get(a)` are the nodes that must come before `a`. */
export type Edges = ReadonlyMap<string, readonly string[]>;

/**
 * Nodes so that everything a node needs stands before it; among equals the order given by `edges` is kept,
 * so the same graph always gives the same order. A cycle is an error that names its members.
 */
export function topologicalOrder(edges: Edges, what: string): Result<string[]> {
  const diagnostics: Diagnostic[] = [];
  const order: string[] = [];
  const state = new Map<string, 'open' | 'done'>();

  function visit(node: string, path: readonly string[]): void {
    if (state.get(node) === 'done') return;
    if (state.get(node) === 'open') {
      const cycle = [...path.slice(path.indexOf(node)), node];
      diagnostics.push(error('cycle', `${what} require each other in a cycle: ${cycle.join(' → ')}`));
      return;
    }
    state.set(node, 'open');
    for (const before of edges.get(node) ?? []) {
      if (edges.has(before)) visit(before, [...path, node]);
    }
    state.set(node, 'done');
    order.push(node);
  }

  for (const node of edges.keys()) visit(node, []);
  return resultOf(order, diagnostics);
}

/** Everything reachable from `from` along the edges, without `from` itself. */
export function closure(edges: Edges, from: Iterable<string>): Set<string> {
  const seen = new Set<string>();
  const pending = [...from];
  for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
    for (const next of edges.get(node) ?? []) {
      if (!seen.has(next)) {
        seen.add(next);
        pending.push(next);
      }
    }
  }
  return seen;
}
