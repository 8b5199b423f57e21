import type { ImagelessSpec } from '../desired/model.ts';
import { canonicalJson } from '../hash.ts';
import type { Generation } from '../model/generation.ts';
import { isSecret, type Secret } from '../model/secret.ts';
import { type Explanation, plain } from './explanation.ts';
import { type Masker, show, showAfter } from './mask.ts';
import { short } from './text-change.ts';

/** What differs between the settings a container was made with and the wanted ones, secrets masked. */
export function settingChanges(was: Generation['spec'], wanted: ImagelessSpec, masker: Masker): Explanation[] {
  const plain = (['privileged', 'pidMode', 'ipcMode', 'command', 'restart'] as const).flatMap((key) =>
    changed(words[key], key, was[key], wanted[key], masker),
  );
  return [
    ...environmentChanges(was.environment, wanted.environment, masker),
    ...listChanges('volumes', was.volumes, wanted.volumes, masker),
    ...listChanges('capabilities', was.capAdd, wanted.capAdd, masker),
    ...plain,
    ...memberChanges('healthcheck', { ...was.healthcheck }, { ...wanted.healthcheck }, masker),
    ...memberChanges('dimensions', was.dimensions, wanted.dimensions, masker),
  ];
}

const words = {
  privileged: 'privileged',
  pidMode: 'pid mode',
  ipcMode: 'ipc mode',
  command: 'command',
  restart: 'restart policy',
} as const;

type Environment = Readonly<Record<string, string | Secret>>;

function environmentChanges(was: Environment, wanted: Environment, masker: Masker): Explanation[] {
  return namesOf(was, wanted).flatMap((name) => {
    // What is a secret now was one before.
    const secret = isSecret(was[name]) || isSecret(wanted[name]);
    const masked = (value: string | Secret | undefined) => {
      if (value === undefined) return undefined;
      const text = isSecret(value) ? value.reveal() : value;
      return secret ? masker.secret(text) : masker.value(name, text);
    };
    return worded(`environment ${name}`, masked(was[name]), masked(wanted[name]));
  });
}

function listChanges(what: string, was: readonly string[], wanted: readonly string[], masker: Masker): Explanation[] {
  const added = wanted.filter((one) => !was.includes(one)).map((one) => `+ ${show(masker.value('', one))}`);
  const removed = was.filter((one) => !wanted.includes(one)).map((one) => `- ${show(masker.value('', one))}`);
  const reordered = added.length + removed.length === 0 && canonicalJson(was) !== canonicalJson(wanted);
  if (reordered) return [plain(`${what} in another order`)];
  return [...added, ...removed].map((change) => ({ exact: `${what} ${change}`, general: `${what} changed` }));
}

function memberChanges(
  what: string,
  was: Readonly<Record<string, unknown>>,
  wanted: Readonly<Record<string, unknown>>,
  masker: Masker,
): Explanation[] {
  return namesOf(was, wanted).flatMap((name) => changed(`${what} ${name}`, name, was[name], wanted[name], masker));
}

function changed(what: string, name: string, was: unknown, wanted: unknown, masker: Masker): Explanation[] {
  const masked = (value: unknown) =>
    value === undefined ? undefined : masker.value(name, typeof value === 'string' ? value : canonicalJson(value));
  return worded(what, masked(was), masked(wanted));
}

/** Of two masked values. */
function worded(what: string, was: string | undefined, wanted: string | undefined): Explanation[] {
  if (was === wanted) return [];
  if (was === undefined) return [{ exact: `${what} = ${short(show(wanted ?? ''))} added`, general: `${what} added` }];
  if (wanted === undefined) return [{ exact: `${what} removed (was ${short(show(was))})`, general: `${what} removed` }];
  return [{ exact: `${what} ${short(show(was))} → ${short(showAfter(was, wanted))}`, general: `${what} changed` }];
}

function namesOf(was: object, wanted: object): string[] {
  return [...new Set([...Object.keys(wanted), ...Object.keys(was)])];
}
