import { describe, expect, it } from 'vitest';
import { formatDiagnostic } from '../../../src/core/model/diagnostic.ts';
import { type Hooks, hookNames } from '../../../src/core/model/hook.ts';
import { withHooks } from '../../../src/core/plan/hooks.ts';
import type { Plan, Step, StepOf } from '../../../src/core/plan/steps.ts';
import { planText } from '../../../src/report/plan-text.ts';
import { precedes } from '../../sim/order.ts';
import { carryOut, change, copyOf, emptyWorld, observe } from '../../sim/scenario.ts';
import { must, SimulatedSite } from '../../sim/site.ts';

const site = new SimulatedSite();
const empty = emptyWorld(site);
const deployed = emptyWorld(site);
await change(site, deployed, 'deploy');
const changed = new SimulatedSite({ globals: 'openstack_tag: newer\nheat_api_port: 18004\nmagnum_api_port: 19511\n' });
const hooks: Hooks = new Map(
  hookNames.map((name) => [name, [`${name}.d/10`, `${name}.d/20`].map((n) => ({ name: n, path: `/h/${n}` }))]),
);

function hooked(plan: Plan, of = site): Plan {
  const { desired } = of.desired();
  return withHooks(plan, hooks, new Map(desired.services.map((s) => [s.name, s.requires])));
}

function hookSteps(plan: Plan, when: string, service: string): StepOf<'hook'>[] {
  return plan.steps.filter((s): s is StepOf<'hook'> => s.kind === 'hook' && s.hook === when && s.service === service);
}

function touching(plan: Plan, service: string): Step[] {
  return plan.steps.filter((s) => s.service === service && s.kind !== 'pull' && s.kind !== 'hook');
}

describe.each([
  ['a first deployment', must(site.plan('deploy', observe(empty))), site],
  ['an upgrade of everything', must(changed.plan('upgrade', observe(deployed))), changed],
])('%s with hooks', (_, bare, of) => {
  const plan = hooked(bare, of);
  const services = [...new Set(bare.steps.filter((s) => s.kind !== 'pull').map((s) => s.service))];

  it('has them before and after all of each service, one after another', () => {
    expect(services.length).toBeGreaterThan(5);
    for (const service of services) {
      const [first, second, ...more] = hookSteps(plan, 'pre-service', service);
      const after = hookSteps(plan, 'post-service', service);
      if (!first || !second || more.length > 0) throw new Error(`hooks of ${service}`);
      expect(first).toMatchObject({ host: 'localhost', name: 'pre-service.d/10', path: '/h/pre-service.d/10' });
      expect(precedes(plan, first, second)).toBe(true);
      expect(precedes(plan, second, touching(plan, service)), service).toBe(true);
      expect(precedes(plan, touching(plan, service), after), service).toBe(true);
      const images = plan.steps.filter((s) => s.kind === 'pull' && s.service === service);
      expect(precedes(plan, images, first), service).toBe(true);
    }
  });

  it('has no service touched before the hooks of what it requires', () => {
    const before = hookSteps(plan, 'pre-service', 'keystone');
    expect(precedes(plan, before, touching(plan, 'magnum'))).toBe(true);
  });

  it('has no cycle, so that it can be carried out', async () => {
    const world = of === site ? copyOf(empty) : copyOf(deployed);
    const result = await carryOut(plan, world);
    expect(result).toMatchObject({ done: plan.steps.length, failed: [], left: [] });
  });
});

it('a load balancer entry that is written before all services brings no cycle', async () => {
  const choice = { tags: ['heat', 'magnum'] };
  const overrides = { 'heat.conf': '[DEFAULT]\nmax_resources_per_stack = 7\n' };
  const of = new SimulatedSite({ globals: 'magnum_api_port: 19511\n', overrides });
  const plan = hooked(must(of.plan('reconfigure', observe(deployed), choice)), of);
  const [before] = hookSteps(plan, 'pre-service', 'heat');
  const entries = plan.steps.filter((s) => s.kind === 'reload' && s.service === 'magnum');
  expect(entries).toHaveLength(3);
  expect(precedes(plan, before ?? [], entries)).toBe(true);
  expect(await carryOut(plan, copyOf(deployed))).toMatchObject({ done: plan.steps.length, failed: [], left: [] });
});

describe('hooks', () => {
  const plan = hooked(must(changed.plan('upgrade', observe(deployed))), changed);

  it('run when the turn of their service comes', () => {
    const [first] = hookSteps(plan, 'pre-service', 'magnum');
    const heat = plan.steps.filter((s) => s.kind === 'healthy' && s.service === 'heat');
    expect(precedes(plan, heat, first ?? [])).toBe(true);
  });

  it('are shown in the plan, those around the run too, but not as a host', () => {
    const text = planText(plan);
    expect(text).toContain('on 3 hosts');
    expect(text).toContain('  run hook pre-service.d/10 on localhost: before magnum is touched');
    expect(text).toContain('note: runs pre-run.d/10, pre-run.d/20 before the first step');
    expect(text).toContain('note: runs on-failure.d/10, on-failure.d/20 if the run fails');
  });

  it('are not in a plan that does nothing, nor of services that only get images', () => {
    expect(hooked(must(site.plan('deploy', observe(deployed))))).toMatchObject({ steps: [], notices: [] });
    const pull = hooked(must(changed.plan('pull', observe(deployed))), changed);
    expect(pull.steps.some((s) => s.kind === 'hook')).toBe(false);
    expect(pull.notices).toHaveLength(3);
  });

  it('a pre-service that fails leaves its service and what requires it alone', async () => {
    const world = copyOf(deployed);
    world.hook = ({ when, service }) =>
      when === 'pre-service' && service === 'heat' ? { ok: false, said: 'ended with 3' } : { ok: true };
    const result = await carryOut(plan, world);
    expect(result.failed.flatMap(({ diagnostics }) => diagnostics.map(formatDiagnostic))).toEqual([
      'error: hook pre-service.d/10 ended with 3\n    heat and what needs it were not touched: see /h/pre-service.d/10',
    ]);
    const tagOf = (name: string) => world.running(name).map((c) => c.spec.image.tag);
    expect(tagOf('heat_api')).toEqual(Array(3).fill('zed-debian-bookworm'));
    expect(tagOf('magnum_api')).toEqual(Array(3).fill('zed-debian-bookworm'));
    expect(tagOf('keystone')).toEqual(Array(3).fill('newer'));
  });

  it('a post-service that fails is a warning, and everything else is done', async () => {
    const world = copyOf(deployed);
    world.hook = ({ when }) => (when === 'post-service' ? { ok: false, said: 'ended with 1' } : { ok: true });
    const result = await carryOut(plan, world);
    expect(result.failed.flatMap(({ diagnostics }) => diagnostics.map((d) => d.severity))).toContain('warning');
    expect(result.failed.every(({ step }) => step.kind === 'hook')).toBe(true);
    expect(result.left.every((step) => step.kind === 'hook')).toBe(true);
    expect(must(changed.plan('upgrade', observe(world))).steps).toEqual([]);
  });
});
