/** Names whose values are secrets, wherever they stand. */
const secretName =
  /pass(?:w|phrase|$|[_.-])|passwd|pwd|secret|token|credential|cookie|psk|keyring|(?:api|access|private)key|(?:^|[_.-])keys?$|(?:^|[_.-])auth(?:$|[_.-])|(?:^|[_.-])transport_url$|(?:^|[_.-])connection$/i;

/** Names like those that hold no secret. */
const plainName =
  /(?:^|[_.-])(?:auth_(?:url|uri|type|strategy|version|section|protocol|host|port|plugin|endpoint|interface)|www_authenticate_uri)$|[_.-](?:file|path|dir|directory|size|time|timeout|expiration|ttl|length|interval|limit|count|enabled|driver|provider|strategy|policy|method|methods)$/i;

/** Words no password is worth hiding for. */
const plainValue = /^(?:true|false|yes|no|on|off|none|null|)$/i;

/** Whether a value of this name is a secret. */
export function isSecretName(name: string): boolean {
  return secretName.test(name) && !plainName.test(name);
}

/** Gives what stands in the place of a secret. */
export type Hide = (secret: string) => string;

const urlCredentials = /([a-z][a-z0-9+.-]*:\/\/)([^\s<>]*)@/gi;

/** `scheme://user:password@`: greedy, because a password may hold any character. */
function hideInUrls(text: string, hide: Hide): string {
  return text.replace(urlCredentials, (_, scheme: string, credentials: string) => {
    const colon = credentials.indexOf(':');
    if (colon < 0) return `${scheme}${hide(credentials)}@`;
    return `${scheme}${credentials.slice(0, colon + 1)}${hide(credentials.slice(colon + 1))}@`;
  });
}

/** Of a value that is a secret as a whole, or in which a URL's credentials are the secret. */
export function hideValue(value: string, hide: Hide): string {
  const trimmed = value.trim();
  if (plainValue.test(trimmed)) return value;
  const inUrl = hideInUrls(value, hide);
  if (inUrl !== value && /^[a-z][a-z0-9+.-]*:\/\//i.test(trimmed)) return inUrl;
  const start = value.indexOf(trimmed);
  return `${value.slice(0, start)}${hide(trimmed)}${value.slice(start + trimmed.length)}`;
}

const assignment = /^(\s*(?:[#;]+\s*)?(?:export\s+|-\s+)?["']?([\w.-]+)["']?\s*[=:]\s*)(\S.*)?$/;
const quoted = /([\w.-]+)(["']?\s*(?:=>|[=:,]|\s)\s*(?:<<)?)(["'])((?:\\.|(?!\3).)*)\3/g;
const unquoted = /([\w.-]+)(\s*[=:]\s*)([^\s"'<>]+)/g;
const element = /(<([\w.:-]+)[^<>]*>)([^<]+)(?=<)/g;
/** Letters and digits mixed over this length are no word of any language. */
const random = /(?<![\w/.-])(?=[a-z]*\d)(?=\d*[a-z])[a-z0-9+/]{32,}={0,2}(?![\w/.-])/gi;

/** Secrets inside a line whose first name is not one: pairs, elements, `word value`, URLs, long random words. */
function hideInside(line: string, hide: Hide): string {
  let text = line.replace(quoted, (all: string, name: string, sign: string, quote: string, value: string) =>
    isSecretName(name) && !plainValue.test(value) ? `${name}${sign}${quote}${hideValue(value, hide)}${quote}` : all,
  );
  text = text.replace(unquoted, (all: string, name: string, sign: string, value: string) =>
    isSecretName(name) ? `${name}${sign}${hideValue(value, hide)}` : all,
  );
  text = text.replace(element, (all: string, tag: string, name: string, value: string) =>
    isSecretName(name) ? `${tag}${hideValue(value, hide)}` : all,
  );
  const named = wordsOf(text);
  if (named) text = `${named.before}${hideValue(named.value, hide)}`;
  return hideInUrls(text, hide).replace(random, (word) => hide(word));
}

/** `stats auth user:password`, `auth_pass word`: a secret's name among the first words, its value behind it. */
function wordsOf(line: string): { before: string; value: string } | undefined {
  let before = '';
  let rest = line;
  for (let n = 0; n < 4; n++) {
    const parts = /^(\s*(?:[#;]+\s*)?)([^\s]+)(\s+)(?=\S)/.exec(rest);
    if (!parts) return undefined;
    before += parts[0];
    rest = rest.slice(parts[0].length);
    if (/^[\w.-]+$/.test(parts[2] ?? '') && isSecretName(parts[2] ?? ''))
      return rest === '{' ? undefined : { before, value: rest };
  }
  return undefined;
}

/**
 * Hides what its place says is a secret, line by line: the value of a key called like one (with its continuation
 * lines), pairs inside lines, credentials in URLs, keys in PEM blocks, and long random words. Formats are not told
 * apart: what hides too much is a nuisance, what hides too little a leak.
 */
export function hideByPlace(text: string, hide: Hide): string {
  let inKey = false;
  /** Indentation of the key whose value may go on in further lines. */
  let open: number | undefined;
  const lines = text.split('\n').map((line) => {
    if (/-----BEGIN [A-Z ]+-----/.test(line)) inKey = true;
    if (inKey) {
      inKey = !/-----END [A-Z ]+-----/.test(line);
      return line.includes('-----') ? line : hideValue(line, hide);
    }
    const indent = line.search(/\S/);
    if (open !== undefined && indent > open) return hideValue(line, hide);
    open = undefined;
    const [, before = '', name = '', value = ''] = assignment.exec(line) ?? [];
    if (name === '' || !isSecretName(name)) return hideInside(line, hide);
    open = indent;
    return `${before}${hideValue(value, hide)}`;
  });
  return lines.join('\n');
}

/** Files that are nothing but a secret. */
export function isSecretFile(path: string): boolean {
  return /(?:cookie|\.pem|\.key|\.p12|\.jks|keyring|htpasswd|passwd|id_rsa|id_ed25519)$/i.test(path);
}
