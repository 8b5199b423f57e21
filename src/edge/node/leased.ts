import type { NodePort } from '../../run/ports.ts';

/** Everything a node can be asked that may change it. `exec` and `openSocket` are among it: what they are used for,
 * nobody here can know. */
export const changingMethods = [
  'pull',
  'writeFiles',
  'writeMarker',
  'removeMarkers',
  'recordGeneration',
  'restoreGeneration',
  'removeGenerations',
  'removeVolumes',
  'create',
  'start',
  'stop',
  'rename',
  'remove',
  'signal',
  'exec',
  'openSocket',
  'putFiles',
] as const satisfies readonly (keyof NodePort)[];

/** The same node, which refuses to be changed once `assertHeld` throws. Each call asks anew. */
export function leased<N extends NodePort>(node: N, assertHeld: () => void): N {
  const changing: ReadonlySet<string | symbol> = new Set<string>(changingMethods);
  return new Proxy(node, {
    get(target, name) {
      if (!changing.has(name)) return Reflect.get(target, name);
      return async (...args: unknown[]) => {
        assertHeld();
        const method: unknown = Reflect.get(target, name);
        if (typeof method !== 'function') throw new Error(`${String(name)} is not a method of a node`);
        return Reflect.apply(method, target, args);
      };
    },
  });
}
