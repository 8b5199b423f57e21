import fc from 'fast-check';
import { imageName } from '../../src/core/model/node.ts';
import type { Plan, Step } from '../../src/core/plan/steps.ts';
import { change, copyOf, emptyWorld } from '../sim/scenario.ts';
import { SimulatedSite } from '../sim/site.ts';
import type { SimulatedWorld } from '../sim/world.ts';

/** Set PROPERTY_RUNS to look longer than an ordinary test may. */
export const runs = Number(process.env.PROPERTY_RUNS ?? 25);

export const site = new SimulatedSite();
export const deployed = emptyWorld(site);
await change(site, deployed, 'deploy');
export const containers = [...new Set([...deployed.nodes.values()].flatMap((node) => [...node.containers.keys()]))];

const hows = [
  'stop',
  'pause',
  'remove',
  'leave previous',
  'leave next',
  'aside',
  'touch',
  'edit',
  'delete',
  'by hand',
  'foreign',
  'retag',
] as const;

export interface Damage {
  readonly host: string;
  readonly name: string;
  readonly how: (typeof hows)[number];
}

export const damage: fc.Arbitrary<Damage> = fc.record({
  host: fc.constantFrom(...site.hosts),
  name: fc.constantFrom(...containers),
  how: fc.constantFrom(...hows),
});

export function damaged(damages: readonly Damage[], from = deployed): SimulatedWorld {
  const world = copyOf(from);
  for (const { host, name, how } of damages) {
    const node = world.nodes.get(host);
    const found = node?.containers.get(name);
    if (!node || !found) continue;
    const directory = `/etc/kolla/${name.replaceAll('_', '-')}/`;
    if (how === 'stop') found.state = 'exited';
    else if (how === 'pause') found.state = found.state === 'running' ? 'paused' : found.state;
    else if (how === 'touch') node.files.set(`${directory}stray`, stray);
    else if (how === 'edit') node.files.set(`${directory}config.json`, stray);
    else if (how === 'delete') node.files.delete(`${directory}config.json`);
    else if (how === 'by hand') node.containers.set(name, { ...found, id: world.newId() });
    else if (how === 'foreign') node.containers.set(name, { ...found, id: world.newId(), labels: {} });
    else if (how === 'retag') for (const tags of node.images.values()) tags.delete(imageName(found.spec.image));
    else if (how === 'leave previous' || how === 'leave next') {
      const left = how === 'leave next' ? (['__next', 'created'] as const) : (['__previous', 'exited'] as const);
      node.containers.set(`${name}${left[0]}`, { ...found, id: world.newId(), state: left[1] });
    } else {
      node.containers.delete(name);
      if (how === 'aside') node.containers.set(`${name}__previous`, { ...found, state: 'exited' });
    }
  }
  return world;
}

const stray = { content: 'stray', mode: '0660', sha256: 'stray' };

/** A fixed sequence of numbers that looks like chance. */
export function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 48271) % 2147483647;
    return state;
  };
}

/** One order in which a scheduler might carry the steps out, as a plan that allows no other. */
export function linearised(plan: Plan, seed: number): Plan {
  const next = numbers(seed);
  const waiting = [...plan.steps];
  const done = new Set<string>();
  const order: Step[] = [];
  while (waiting.length > 0) {
    const ready = waiting.filter((step) => step.needs.every((id) => done.has(id)));
    const step = ready[next() % ready.length];
    if (step === undefined) throw new Error('no step is ready: the needs are circular or name what does not exist');
    waiting.splice(waiting.indexOf(step), 1);
    done.add(step.id);
    const before = order[order.length - 1];
    order.push({ ...step, needs: before ? [before.id] : [] });
  }
  return { ...plan, steps: order };
}
