import { formatPlace } from '../core/model/diagnostic.ts';
import type { Explained } from '../core/site/explain.ts';

/** The value alone when all hosts have the same, else each value with its hosts. */
export function configText(found: readonly Explained[]): string {
  const hostsOf = new Map<string, string[]>();
  for (const { value, hosts } of found) {
    const text = valueText(value);
    hostsOf.set(text, [...(hostsOf.get(text) ?? []), ...hosts]);
  }
  if (hostsOf.size === 1) return [...hostsOf.keys()].join('');
  return [...hostsOf].map(([text, hosts]) => `${hosts.join(', ')}: ${text}`).join('\n');
}

/** Each value with its hosts and with every layer that sets it, lowest first. */
export function explainedText(found: readonly Explained[]): string {
  return found.flatMap((one) => [`${one.hosts.join(', ')}: ${valueText(one.value)}`, ...layerLines(one)]).join('\n');
}

function layerLines({ value, layers }: Explained): string[] {
  if (value === undefined) return [];
  if (layers.length === 0) return ['  known by itself; nothing sets it'];
  return layers.map(({ name, at, value: written }, i) => {
    const mark = i === layers.length - 1 ? '→' : ' ';
    return `  ${mark} ${name} (${formatPlace(at)}): ${valueText(written)}`;
  });
}

function valueText(value: unknown): string {
  if (value === undefined) return 'not set';
  return typeof value === 'string' ? value : JSON.stringify(value);
}
