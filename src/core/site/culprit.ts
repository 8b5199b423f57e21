import type { SourceSpan } from '../model/diagnostic.ts';

interface Origins {
  origin(
    name: string,
  ): { readonly at: SourceSpan | undefined; readonly layers: readonly { readonly value: unknown }[] } | undefined;
}

/**
 * Who is to blame for a wrong value: when a text is `{{ name }}` and nothing else, that variable and the place where it
 * is set say more than the text's own; followed through variables that only hand on another.
 */
export function culpritOf(scope: Origins, text: unknown): { name?: string; at?: SourceSpan | undefined } {
  let found: { name?: string; at?: SourceSpan | undefined } = {};
  let value = text;
  for (let steps = 0; steps < 20; steps++) {
    const name = typeof value === 'string' ? /^\s*\{\{\s*([A-Za-z_]\w*)\s*\}\}\s*$/.exec(value)?.[1] : undefined;
    const origin = name === undefined ? undefined : scope.origin(name);
    if (name === undefined || origin === undefined) return found;
    found = { name, at: origin.at };
    value = origin.layers.at(-1)?.value;
  }
  return found;
}
