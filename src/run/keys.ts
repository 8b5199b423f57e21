import type { StepOf } from '../core/plan/steps.ts';
import type { NodePort } from './ports.ts';
import { failed, type StepContext } from './step-context.ts';

type KeySet = ReadonlyMap<string, Uint8Array>;

/**
 * Gives every holder the same Fernet keys. Keys that exist anywhere are kept and copied to those that have none; two
 * different sets are never merged. New ones are made only when nobody has any: `1` signs, `0` is the next.
 */
export async function distributeKeys(step: StepOf<'keys'>, context: StepContext): Promise<string | undefined> {
  const { wish } = step;
  const found = await Promise.all(
    step.holders.map(async ({ host, container }) => {
      const node = nodeFor(context, host);
      return { host, container, node, keys: await node.getFiles(container, wish.path) };
    }),
  );
  const having = found.filter(({ keys }) => keys.size > 0);
  const [source] = having;
  const different = having.find(({ keys }) => source !== undefined && !sameKeys(keys, source.keys));
  if (source !== undefined && different !== undefined) {
    throw failed(
      step,
      `the keys of ${wish.container} on ${source.host} and ${different.host} differ`,
      'copy the right ones by hand, then run this again',
    );
  }
  const keys = source?.keys ?? new Map([0, 1].map((n) => [String(n), fernetKey(context)]));
  const files = [...keys].map(([name, content]) => ({ name, content, mode: 0o600, uid: wish.uid, gid: wish.gid }));
  for (const holder of found) {
    if (holder.keys.size === 0) await holder.node.putFiles(holder.container, wish.path, files);
    await holder.node.writeMarker(step.marker.key, step.marker.value);
  }
  return source ? `copied from ${source.host}` : 'made';
}

function nodeFor(context: StepContext, host: string): NodePort {
  const node = context.nodes.get(host);
  if (node === undefined) throw new Error(`${host} is not connected`);
  return node;
}

function sameKeys(a: KeySet, b: KeySet): boolean {
  return a.size === b.size && [...a].every(([name, key]) => Buffer.from(b.get(name) ?? []).equals(Buffer.from(key)));
}

/** 32 random bytes in URL-safe base64, the form of the Fernet specification. */
function fernetKey(context: StepContext): Uint8Array {
  const text = Buffer.from(context.randomBytes(32)).toString('base64');
  return Buffer.from(text.replaceAll('+', '-').replaceAll('/', '_'));
}
