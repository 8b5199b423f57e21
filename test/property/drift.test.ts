import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { label } from '../../src/core/model/node.ts';
import { carryOut, observe, stateOf } from '../sim/scenario.ts';
import { SimulatedSite } from '../sim/site.ts';
import { containers, damage, damaged, deployed, linearised, runs, site } from './damage.ts';

describe('after any damage by hand', { timeout: 30_000 }, () => {
  const damages = fc.array(damage, { maxLength: 6 });

  it('reconcile leads back to the undamaged state', async () => {
    const undamaged = stateOf(deployed);
    await fc.assert(
      fc.asyncProperty(damages, fc.integer({ min: 1, max: 1_000_000 }), async (some, seed) => {
        const world = damaged(some);
        const planned = site.plan('reconcile', observe(world));
        if (!planned.ok) {
          expect(planned.diagnostics.filter((d) => d.severity === 'error').map((d) => d.code)).toEqual([
            'galera-stopped',
          ]);
          return;
        }
        const result = await carryOut(linearised(planned.value, seed), world);
        expect(result.failed.map((f) => [f.step.id, f.diagnostics])).toEqual([]);
        expect(stateOf(world)).toEqual(undamaged);
        const rest = site.plan('reconcile', observe(world));
        expect(rest.ok && { steps: rest.value.steps, drift: rest.value.drift }).toEqual({ steps: [], drift: [] });
      }),
      { numRuns: runs },
    );
  });

  it('pruning a disabled service removes no volume and touches nothing that is not ours', async () => {
    const off = new SimulatedSite({ globals: 'enable_magnum: false\n' });
    const strange = fc.array(fc.constantFrom(...containers), { maxLength: 3 });
    await fc.assert(
      fc.asyncProperty(damages, strange, fc.boolean(), async (some, others, prune) => {
        const world = damaged(some.filter(({ name }) => name.startsWith('magnum')));
        const node = world.nodes.get('node2');
        const model = node?.containers.get('heat_api');
        if (!node || !model) throw new Error('no heat_api on node2');
        for (const name of others) {
          const labels = { ...model.labels, [label.site]: 'other', [label.container]: `${name}_other` };
          node.containers.set(`${name}_other`, { ...model, id: world.newId(), labels });
          node.containers.set(`${name}_strange`, { ...model, id: world.newId(), labels: {} });
        }
        const foreign = () =>
          [...world.nodes.values()].flatMap((one) =>
            [...one.containers].filter(([, c]) => c.labels[label.site] !== model.labels[label.site]),
          );
        const [theirs, volumes] = [foreign(), [...world.nodes.values()].map((one) => [...one.volumes.keys()])];
        const result = off.plan('reconcile', observe(world), { prune });
        if (!result.ok) return;
        expect((await carryOut(result.value, world)).failed).toEqual([]);
        expect(foreign()).toEqual(theirs);
        expect([...world.nodes.values()].map((one) => [...one.volumes.keys()])).toEqual(volumes);
        const ours = [...world.nodes.values()].flatMap((one) =>
          [...one.containers].filter(([, c]) => c.labels[label.service] === 'magnum'),
        );
        if (prune) expect(ours.map(([name]) => name).filter((name) => !name.endsWith('_other'))).toEqual([]);
        const rest = off.plan('reconcile', observe(world), { prune });
        expect(rest.ok && rest.value.steps.map((s) => s.id)).toEqual([]);
      }),
      { numRuns: runs },
    );
  });
});
