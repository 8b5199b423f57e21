/** Shorter values would blank out ordinary words; genpwd makes 32 characters and more. */
const shortestSecret = 5;
const mask = '‹secret›';

/**
 * Replaces every secret value, and its base64, URL and JSON forms, in a text. The last line of defence of every
 * output: what is known to be secret is typed as such long before.
 */
export function makeRedactor(secrets: Iterable<string>): (text: string) => string {
  const forms = new Set<string>();
  for (const secret of secrets) {
    if (secret.length < shortestSecret) continue;
    forms.add(secret);
    forms.add(encodeURIComponent(secret));
    forms.add(JSON.stringify(secret).slice(1, -1));
    forms.add(Buffer.from(secret).toString('base64').replace(/=+$/, ''));
  }
  if (forms.size === 0) return (text) => text;
  const longestFirst = [...forms].sort((a, b) => b.length - a.length);
  const pattern = new RegExp(longestFirst.map((form) => form.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('|'), 'g');
  return (text) => text.replace(pattern, mask);
}
