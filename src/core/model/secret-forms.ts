/** Shorter values would blank out ordinary words; genpwd makes 32 characters and more. */
const shortestSecret = 5;

/** A secret as it may stand in a text: as it is, in a URL, in JSON, in base64. None for one too short to look for. */
export function secretForms(secret: string): string[] {
  if (secret.length < shortestSecret) return [];
  return [
    secret,
    encodeURIComponent(secret),
    JSON.stringify(secret).slice(1, -1),
    Buffer.from(secret).toString('base64').replace(/=+$/, ''),
  ];
}

/** Matches any of the texts, the longest first; undefined for none. */
export function anyOf(texts: Iterable<string>): RegExp | undefined {
  const longestFirst = [...new Set(texts)].sort((a, b) => b.length - a.length);
  if (longestFirst.length === 0) return undefined;
  return new RegExp(longestFirst.map((text) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('|'), 'g');
}
