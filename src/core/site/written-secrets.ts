import type { SiteInputs } from './load.ts';

/**
 * Texts to be masked while the files have not been understood yet, and perhaps cannot be: every value of
 * passwords.yml and of every name that ends in `_password`, by the look of its line. Rather too many than too few.
 */
export function writtenSecrets(inputs: SiteInputs): string[] {
  const { globals, globalsD, inventories, groupVars, hostVars, extraVars, passwords } = inputs;
  const others = [globals, ...globalsD, ...inventories, ...groupVars, ...hostVars, ...extraVars];
  const named = others.flatMap(({ text }) => [
    ...text.matchAll(/\w+_password["']?\s*[:=]\s*(?:"([^"\n]*)"|'([^'\n]*)'|([^\s"',}#]+))/g),
  ]);
  const found = [
    ...passwords.text.split('\n').flatMap(valuesOf),
    ...named.map(([, double, single, bare]) => double ?? single ?? bare ?? ''),
  ];
  return [...new Set(found)].filter((value) => value !== '' && !value.includes('{{'));
}

/** The value of a line as written and without its quotes, or the whole line where a value goes on. */
function valuesOf(line: string): string[] {
  if (/^\s*(?:#|---|$)/.test(line)) return [];
  const value = line.replace(/^\s*(?:-\s+)?(?:["']?[\w.-]+["']?:(?:\s+|$))?/, '').trim();
  const bare = value.replace(/\s+#.*$/, '');
  return [value, bare, bare.replace(/^(["'])(.*)\1$/, '$2')];
}
