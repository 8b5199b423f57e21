import { type Diagnostic, error, type Result, resultOf } from '../model/diagnostic.ts';
import type { HostName } from '../model/node.ts';
import { didYouMean } from '../model/suggest.ts';
import type { Inventory } from './inventory.ts';

/**
 * Hosts for `--limit`, in inventory order. Terms are joined by `,` or `:`; a term is a host, a group, `all`, or a
 * pattern with `*` and `?`; `!term` excludes, `&term` intersects. A term that matches nothing is an error.
 */
export function matchHosts(pattern: string, inventory: Inventory): Result<HostName[]> {
  const terms = splitTerms(pattern);
  const problems: Diagnostic[] = [];
  const hostsOf = (term: string): ReadonlySet<HostName> => {
    const found = expand(term, inventory);
    if (found === undefined) problems.push(unknownTerm(term, pattern, inventory));
    return found ?? new Set();
  };
  const plain = terms.filter((term) => !/^[!&]/.test(term));
  const included = plain.length > 0 ? plain : terms.length > 0 ? ['all'] : [];
  let chosen = new Set(included.flatMap((term) => [...hostsOf(term)]));
  for (const term of terms.filter((t) => t.startsWith('&'))) chosen = intersection(chosen, hostsOf(term.slice(1)));
  for (const term of terms.filter((t) => t.startsWith('!'))) {
    for (const host of hostsOf(term.slice(1))) chosen.delete(host);
  }
  if (problems.length === 0 && chosen.size === 0) {
    const hint = `the inventory has ${inventory.hosts.size} hosts`;
    problems.push(error('limit-matches-nothing', `--limit ${pattern} leaves no host`, { hint }));
  }
  return resultOf(
    [...inventory.hosts.keys()].filter((host) => chosen.has(host)),
    problems,
  );
}

/** At commas, and at colons that are not inside `[…]`; an IPv6 address would need the comma form. */
function splitTerms(pattern: string): string[] {
  return pattern
    .split(/[,:](?![^[]*\])/)
    .map((term) => term.trim())
    .filter((term) => term !== '');
}

function intersection(a: ReadonlySet<HostName>, b: ReadonlySet<HostName>): Set<HostName> {
  return new Set([...a].filter((host) => b.has(host)));
}

function expand(term: string, inventory: Inventory): ReadonlySet<HostName> | undefined {
  if (term === '*') return new Set(inventory.hosts.keys());
  if (!/[*?]/.test(term)) {
    const group = inventory.groups.get(term);
    if (!group && !inventory.hosts.has(term)) return undefined;
    return new Set([...(group?.hosts ?? []), ...(inventory.hosts.has(term) ? [term] : [])]);
  }
  const matcher = wildcard(term);
  const groups = [...inventory.groups.values()].filter(({ name }) => matcher.test(name));
  const hosts = [...inventory.hosts.keys()].filter((name) => matcher.test(name));
  const found = new Set([...groups.flatMap((group) => group.hosts), ...hosts]);
  return found.size > 0 ? found : undefined;
}

function wildcard(term: string): RegExp {
  const parts = term.split(/([*]+|\?)/).map((part) => {
    if (part.startsWith('*')) return '.*';
    return part === '?' ? '.' : part.replace(/[.+^${}()|[\]\\]/g, '\\$&');
  });
  return new RegExp(`^${parts.join('')}$`);
}

function unknownTerm(term: string, pattern: string, inventory: Inventory): Diagnostic {
  const known = [...inventory.hosts.keys(), ...inventory.groups.keys()];
  return error('unknown-host', `--limit ${pattern}: no host or group matches ${term || '(nothing)'}`, {
    hint: didYouMean(term, known) ?? 'the inventory names the hosts and groups',
  });
}
