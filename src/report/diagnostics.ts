import type { Diagnostic } from '../core/model/diagnostic.ts';

/** More names than these are counted, so that a message stays one line on a large site. */
const namesShown = 8;

/**
 * One problem once: the same message of several hosts names them together, the same message for several places names
 * the first and counts the rest, and empty passwords are one list. Order is that of the first of each.
 */
export function condense(diagnostics: readonly Diagnostic[]): Diagnostic[] {
  const passwords = diagnostics.filter(isEmptyPassword);
  const [first] = passwords;
  const list = first === undefined || passwords.length < 2 ? diagnostics : withPasswordList(diagnostics, first);
  return [...groups(list).values()].map(merged);
}

function groups(diagnostics: readonly Diagnostic[]): Map<string, Diagnostic[]> {
  const found = new Map<string, Diagnostic[]>();
  for (const one of diagnostics) {
    const key = JSON.stringify([one.severity, one.code, one.message, hintKey(one)]);
    found.set(key, [...(found.get(key) ?? []), one]);
  }
  return found;
}

/** Suggestions for one name differ with the variables of the host; what is to be done does not. */
function hintKey({ code, hint }: Diagnostic): string {
  return code === 'undefined-variable' ? '' : (hint ?? '');
}

function merged(group: readonly Diagnostic[]): Diagnostic {
  const [first] = group;
  if (first === undefined) throw new Error('a group has at least one member');
  const hosts = [...new Set(group.flatMap(({ host }) => (host === undefined ? [] : [host])))].sort();
  const places = new Set(group.flatMap(({ at }) => (at ? [`${at.file}:${at.line}:${at.column}`] : [])));
  const others = places.size - 1;
  const elsewhere = others > 0 ? ` (here and at ${others} other ${others === 1 ? 'place' : 'places'})` : '';
  // What knows the host knows all of its variables, and so suggests best.
  const hint = group.find((one) => one.host !== undefined)?.hint ?? first.hint;
  return {
    ...first,
    message: `${first.message}${elsewhere}`,
    host: hosts.length > 0 ? named(hosts) : undefined,
    hint,
  };
}

function named(hosts: readonly string[]): string {
  const shown = hosts.slice(0, namesShown).join(', ');
  return hosts.length > namesShown ? `${shown} and ${hosts.length - namesShown} others` : shown;
}

function isEmptyPassword({ code }: Diagnostic): boolean {
  return code === 'empty-password';
}

function withPasswordList(diagnostics: readonly Diagnostic[], first: Diagnostic): Diagnostic[] {
  const names = diagnostics.filter(isEmptyPassword).map(({ message }) => /(\w+) is empty$/.exec(message)?.[1] ?? '');
  const unique = [...new Set(names)].sort();
  const message = `${unique.length === 1 ? 'this password is' : 'these passwords are'} empty: ${unique.join(', ')}`;
  const list: Diagnostic = { ...first, message, host: undefined };
  return diagnostics.flatMap((one) => (one === first ? [list] : isEmptyPassword(one) ? [] : [one]));
}

/** The documented form of a diagnostic for programs: flat, without what is not known. */
export function diagnosticJson({
  severity,
  code,
  message,
  host,
  at,
  hint,
}: Diagnostic): Readonly<Record<string, unknown>> {
  return { severity, code, message, host, file: at?.file, line: at?.line, column: at?.column, hint };
}
