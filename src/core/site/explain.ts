import type { SourceSpan } from '../model/diagnostic.ts';
import type { HostName } from '../model/node.ts';
import { withTheirReads } from './reads.ts';
import type { Scope } from './variables.ts';

/** What a variable is on some hosts, and who says so. */
export interface Explained {
  /** Those for which all of this is the same. */
  readonly hosts: readonly HostName[];
  /** Undefined when nothing sets it there. A secret is its mask. */
  readonly value: unknown;
  /** Lowest first, values as written; the last one wins. Empty for what every host has by itself. */
  readonly layers: readonly { readonly name: string; readonly at: SourceSpan; readonly value: unknown }[];
}

const masked = '‹secret›';

/**
 * A variable on each of the hosts, equal ones folded. Throws VariableError when its value cannot be evaluated.
 * `redact` masks known secrets in a text; what is made from a secret and is not masked by it is masked as a whole.
 */
export function explainVariable(
  scopes: readonly Scope[],
  name: string,
  redact: (text: string) => string,
): readonly Explained[] {
  const found = new Map<string, Explained & { readonly hosts: HostName[] }>();
  for (const scope of scopes) {
    const { value, layers } = explainOn(scope, name, redact);
    const key = JSON.stringify([value, layers]);
    const same = found.get(key);
    if (same) same.hosts.push(scope.host);
    else found.set(key, { hosts: [scope.host], value, layers });
  }
  return [...found.values()];
}

function explainOn(scope: Scope, name: string, redact: (text: string) => string): Omit<Explained, 'hosts'> {
  const layers = scope.origin(name)?.layers ?? [];
  if (!scope.has(name)) return { value: undefined, layers };
  const { value, reads } = scope.used(() => scope.get(name));
  if (isSecretVariable(scope, name)) {
    return { value: masked, layers: layers.map((layer) => ({ ...layer, value: masked })) };
  }
  const text = JSON.stringify(value);
  const fromSecret = [...withTheirReads(reads)].some((read) => isSecretVariable(scope, read.name));
  return { value: fromSecret && redact(text) === text ? masked : value, layers };
}

/** Kept in the passwords file, declared as a password by a service, or called one. */
function isSecretVariable(scope: Scope, name: string): boolean {
  const layers = scope.origin(name)?.layers ?? [];
  return name.endsWith('_password') || layers.some((layer) => /^passwords(\.yml| of services)$/.test(layer.name));
}
