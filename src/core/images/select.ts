import { type Diagnostic, error, failure, type Result, success } from '../model/diagnostic.ts';
import { didYouMean } from '../model/suggest.ts';
import type { ImageDefinition } from './definition.ts';

/**
 * The images an operator asks for. A pattern is the name of a service or of an image, a glob over image names
 * (`magnum-*`; it matches the whole name) or a `/regular expression/` searched in image names. Without patterns: all
 * images of the enabled services. A pattern that matches nothing is an error. Parents are not added here.
 */
export function selectImages(
  patterns: readonly string[],
  definitions: readonly ImageDefinition[],
  enabledServices: ReadonlySet<string>,
): Result<readonly ImageDefinition[]> {
  if (patterns.length === 0) return success(definitions.filter(({ service }) => enabledServices.has(service)));
  const diagnostics: Diagnostic[] = [];
  const chosen = new Set<ImageDefinition>();
  for (const pattern of patterns) {
    const matches = matcher(pattern);
    if (!matches) {
      diagnostics.push(error('bad-pattern', `${pattern} is not a valid regular expression`));
      continue;
    }
    const found = definitions.filter(matches);
    if (found.length === 0) diagnostics.push(nothingMatched(pattern, definitions));
    for (const definition of found) chosen.add(definition);
  }
  if (diagnostics.length > 0) return failure(diagnostics);
  return success(definitions.filter((definition) => chosen.has(definition)));
}

function matcher(pattern: string): ((definition: ImageDefinition) => boolean) | undefined {
  if (pattern.length > 2 && pattern.startsWith('/') && pattern.endsWith('/')) {
    const expression = compiled(pattern.slice(1, -1));
    return expression && (({ name }) => expression.test(name));
  }
  if (/[*?]/.test(pattern)) {
    const escaped = pattern.replace(/[.+^${}()|[\]\\]/g, '\\$&');
    const expression = new RegExp(`^${escaped.replaceAll('*', '.*').replaceAll('?', '.')}$`);
    return ({ name }) => expression.test(name);
  }
  return ({ name, service }) => name === pattern || service === pattern;
}

function compiled(source: string): RegExp | undefined {
  try {
    return new RegExp(source);
  } catch {
    return undefined;
  }
}

function nothingMatched(pattern: string, definitions: readonly ImageDefinition[]): Diagnostic {
  const names = new Set(definitions.flatMap(({ name, service }) => [name, service]));
  const hint = didYouMean(pattern.replaceAll(/[*?/^$]/g, ''), names) ?? 'the images are listed by build --list';
  return error('no-such-image', `no image or service matches ${pattern}`, { hint });
}
