import { anyOf, secretForms } from '../core/model/secret-forms.ts';

const mask = '‹secret›';

/**
 * Replaces every secret value, and its base64, URL and JSON forms, in a text. The last line of defence of every
 * output: what is known to be secret is typed as such long before.
 */
export function makeRedactor(secrets: Iterable<string>): (text: string) => string {
  const pattern = anyOf([...secrets].flatMap(secretForms));
  return pattern === undefined ? (text) => text : (text) => text.replace(pattern, mask);
}
