import { anyOf, secretForms } from '../model/secret-forms.ts';
import { hideByPlace, hideValue, isSecretFile, isSecretName } from './secret-places.ts';

/** What the plan shows in the place of a secret. */
const mask = '‹secret›';
const otherMask = '‹another secret›';

/** Where a secret was, a placeholder tells which of the secrets: so equal ones stay equal in a comparison. */
const [open, close] = ['\uE000', '\uE001'];
const placeholder = /\uE000\d+\uE001/g;

/** Texts before and after a change, with placeholders in the places of secrets. */
export interface MaskedPair {
  readonly before: string;
  readonly after: string;
}

/**
 * Takes secrets out of texts: those of the site by their value, and by their place also those this tool does not know
 * any more. Its results hold placeholders and can be compared; `show` makes them readable.
 */
export class Masker {
  readonly #numbers = new Map<string, number>();
  readonly #known: RegExp | undefined;
  readonly #old: RegExp | undefined;

  /** `oldTexts`: what the nodes hold now, by path. Secrets found in one are hidden in all. */
  constructor(secrets: readonly string[], oldTexts: Iterable<string>) {
    const found = new Set<string>();
    const remember = (secret: string) => {
      found.add(secret);
      return mask;
    };
    for (const text of oldTexts) hideByPlace(text, remember);
    this.#known = anyOf(secrets.flatMap(secretForms));
    this.#old = anyOf(worthLookingFor(found));
  }

  /** Both texts of one file; either may be empty. What holds a secret in the new text is hidden in the old one too. */
  pair(path: string, before: string, after: string): MaskedPair {
    if (isSecretFile(path)) return { before: this.#wholly(before), after: this.#wholly(after) };
    const found = new Set<string>();
    const wanted = hideByPlace(clean(after), (secret) => {
      found.add(secret);
      return this.#hide(secret);
    });
    const places = this.#knownPlaces(wanted);
    const hidden = hideByPlace(clean(before), this.#hide)
      .split('\n')
      .map((line) => places.reduce((rest, place) => this.#atPlace(rest, place), line))
      .join('\n');
    const here = anyOf(worthLookingFor(found));
    return { before: this.#byValue(hidden, here), after: this.#byValue(wanted, here) };
  }

  /** One value with its name, for instance of an environment variable. */
  value(name: string, value: string): string {
    const text = clean(value);
    return this.#byValue(isSecretName(name) ? hideValue(text, this.#hide) : hideByPlace(text, this.#hide));
  }

  /** A value that is known to be a secret. */
  secret(value: string): string {
    return this.#hide(value);
  }

  /** Lines of the new text in which a secret of the site stands where no name gives it away. */
  #knownPlaces(after: string): { before: string; behind: string }[] {
    const known = this.#known;
    if (known === undefined) return [];
    return after.split('\n').flatMap((line) => {
      const found = [...line.matchAll(known)];
      const [first, last] = [found[0], found.at(-1)];
      if (first === undefined || last === undefined) return [];
      return [{ before: line.slice(0, first.index), behind: line.slice(last.index + last[0].length) }];
    });
  }

  #atPlace(line: string, { before, behind }: { before: string; behind: string }): string {
    if (!line.startsWith(before) || !line.endsWith(behind) || line.length <= before.length + behind.length) return line;
    const end = line.length - behind.length;
    return `${before}${hideValue(line.slice(before.length, end), this.#hide)}${line.slice(end)}`;
  }

  #wholly(text: string): string {
    return clean(text)
      .split('\n')
      .map((line) => (line.trim() === '' ? line : this.#hide(line)))
      .join('\n');
  }

  #byValue(text: string, here?: RegExp): string {
    let rest = text;
    for (const secrets of [this.#known, this.#old, here]) {
      if (secrets !== undefined) rest = rest.replace(secrets, (secret) => this.#hide(secret));
    }
    return rest;
  }

  readonly #hide = (secret: string): string => {
    const number = this.#numbers.get(secret) ?? this.#numbers.size;
    this.#numbers.set(secret, number);
    return `${open}${number}${close}`;
  };
}

/** Shorter values found by their place may be ordinary words; they are hidden where they stand. */
const shortest = 6;

/** Values found by their place that are to be hidden wherever they stand. */
function worthLookingFor(found: Iterable<string>): string[] {
  return [...found].filter((one) => one.length >= shortest && !/[\s‹\uE000]/.test(one)).flatMap(secretForms);
}

/** Placeholders' own signs have no place in a text from outside. */
function clean(text: string): string {
  return text.replace(/[\uE000\uE001]/g, '\uFFFD');
}

export function show(masked: string): string {
  return masked.replace(placeholder, mask);
}

/** What came in the place of `before`: a secret that is not the same one is said to be another. */
export function showAfter(before: string, after: string): string {
  if (show(before) !== show(after)) return show(after);
  const were = before.match(placeholder) ?? [];
  let at = 0;
  return after.replace(placeholder, (secret) => (were[at++] === secret ? mask : otherMask));
}
