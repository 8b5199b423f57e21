import { describe, expect, it } from 'vitest';
import type { Plan } from '../../../src/core/plan/steps.ts';
import { precedes, step, steps } from '../../sim/order.ts';
import { emptyWorld, observe } from '../../sim/scenario.ts';
import { must, SimulatedSite } from '../../sim/site.ts';

const site = new SimulatedSite();
const plan: Plan = must(site.plan('deploy', observe(emptyWorld(site))));
const services = site.desired().desired.services;

describe('a first deployment', () => {
  it('names only steps that exist, each after what it needs', () => {
    const seen = new Set<string>();
    for (const { id, needs } of plan.steps) {
      for (const need of needs) expect(seen, `${id} needs ${need}`).toContain(need);
      expect(seen).not.toContain(id);
      seen.add(id);
    }
  });

  it('brings every container up: pulled and written, created, started, healthy', () => {
    for (const { name, host, image } of services.flatMap((service) => service.containers)) {
      const pull = step(plan, 'pull', image.repository.slice(image.repository.lastIndexOf('/') + 1), host);
      const [create, start, healthy] = (['create', 'start', 'healthy'] as const).map((kind) =>
        steps(plan, kind, name, host).slice(0, 1),
      );
      const write = step(plan, 'write', name, host);
      expect(precedes(plan, [pull, write], create ?? [])).toBe(true);
      expect(precedes(plan, create ?? [], start ?? [])).toBe(true);
      expect(precedes(plan, start ?? [], healthy ?? [])).toBe(true);
    }
  });

  it('waits with each service for those it requires, until they are healthy', () => {
    for (const service of services) {
      const own = plan.steps.filter((s) => s.service === service.name && s.kind !== 'pull');
      for (const required of service.requires.filter((name) => services.some((other) => other.name === name))) {
        const healthy = plan.steps.filter((s) => s.service === required && s.kind === 'healthy');
        expect(precedes(plan, healthy, own), `${required} before ${service.name}`).toBe(true);
      }
    }
  });
});

describe('a new Galera cluster', () => {
  const start = (host: string) => steps(plan, 'start', 'mariadb', host)[0] ?? [];
  const served = (host: string) => steps(plan, 'healthy', 'mariadb', host)[0] ?? [];

  it('is made on the first host, which starts alone; the others join one after the other', () => {
    const bootstrap = step(plan, 'one-shot', 'bootstrap_mariadb', 'node1');
    expect(precedes(plan, step(plan, 'write', 'mariadb', 'node1'), bootstrap)).toBe(true);
    expect(precedes(plan, bootstrap, start('node1'))).toBe(true);
    expect(precedes(plan, served('node1'), start('node2'))).toBe(true);
    expect(precedes(plan, served('node2'), start('node3'))).toBe(true);
  });

  it('is formed by a container that carries the option only that once', () => {
    const [forming, lasting, ...more] = steps(plan, 'create', 'mariadb', 'node1');
    expect(more).toEqual([]);
    expect(forming).toMatchObject({ spec: { environment: { BOOTSTRAP_ARGS: '--wsrep-new-cluster' } } });
    expect(lasting?.kind === 'create' && lasting.spec.environment).not.toHaveProperty('BOOTSTRAP_ARGS');
    for (const host of ['node2', 'node3']) {
      const joiner = step(plan, 'create', 'mariadb', host);
      expect(joiner.kind === 'create' && joiner.spec.environment).not.toHaveProperty('BOOTSTRAP_ARGS');
    }
  });

  it('replaces the first member last, after a look at all three', () => {
    const [check, again] = steps(plan, 'galera-check', 'mariadb', 'node1');
    if (!check || !again) throw new Error('two looks');
    const stop = step(plan, 'stop', 'mariadb', 'node1');
    expect(check).toMatchObject({ members: 3 });
    expect(precedes(plan, again, stop)).toBe(true);
    expect(precedes(plan, [served('node2'), served('node3')].flat(), check)).toBe(true);
    expect(precedes(plan, check, stop)).toBe(true);
    expect(precedes(plan, stop, steps(plan, 'start', 'mariadb', 'node1')[1] ?? [])).toBe(true);
    expect(plan.steps.filter((s) => s.kind === 'stop')).toEqual([stop]);
  });

  it('notes that it has been formed once the first member serves', () => {
    expect(served('node1')).toMatchObject({ marker: { key: 'galera.formed' } });
  });
});

describe('the order inside services', () => {
  it('starts RabbitMQ on one host after the other, then makes its users', () => {
    for (const [one, next] of [
      ['node1', 'node2'],
      ['node2', 'node3'],
    ] as const) {
      expect(precedes(plan, step(plan, 'healthy', 'rabbitmq', one), step(plan, 'start', 'rabbitmq', next))).toBe(true);
    }
    expect(precedes(plan, steps(plan, 'healthy', 'rabbitmq'), step(plan, 'messaging', 'rabbitmq'))).toBe(true);
  });

  it('shares the keys of Keystone after all its containers are made and before any starts', () => {
    const keys = step(plan, 'keys', 'keystone');
    expect(precedes(plan, steps(plan, 'create', 'keystone'), keys)).toBe(true);
    expect(precedes(plan, keys, steps(plan, 'start', 'keystone'))).toBe(true);
    expect(keys.kind === 'keys' && keys.holders.map(({ host }) => host)).toEqual(['node1', 'node2', 'node3']);
  });

  it.each([
    ['keystone', 'bootstrap_keystone', 'keystone'],
    ['glance', 'bootstrap_glance', 'glance_api'],
    ['heat', 'bootstrap_heat', 'heat_api'],
    ['magnum', 'bootstrap_magnum', 'magnum_api'],
  ])('%s: database, then %s, then its processes', (service, oneShot, container) => {
    const database = step(plan, 'databases', service);
    const migration = step(plan, 'one-shot', oneShot);
    expect(precedes(plan, database, migration)).toBe(true);
    expect(precedes(plan, migration, steps(plan, 'start', container))).toBe(true);
  });

  it('registers Keystone only behind load balancers that serve, with its admin made', () => {
    const identity = step(plan, 'identity', 'keystone');
    expect(precedes(plan, steps(plan, 'healthy', 'haproxy'), identity)).toBe(true);
    expect(precedes(plan, steps(plan, 'healthy', 'keepalived'), identity)).toBe(true);
    expect(precedes(plan, steps(plan, 'healthy', 'keystone'), identity)).toBe(true);
    expect(precedes(plan, step(plan, 'one-shot', 'bootstrap_keystone_admin'), identity)).toBe(true);
  });

  it('gives the load balancers the entries of all services before they start', () => {
    const write = step(plan, 'write', 'haproxy', 'node2');
    const names = write.kind === 'write' ? write.files.map((f) => f.path) : [];
    for (const name of ['keystone', 'glance-api', 'heat-api', 'heat-api-cfn', 'magnum-api', 'mariadb']) {
      expect(names).toContain(`/etc/kolla/haproxy/services.d/${name}.cfg`);
    }
    expect(plan.steps.filter((s) => s.kind === 'reload')).toEqual([]);
  });

  it('starts fresh replicas together: nothing serves that could be taken away', () => {
    const [one, two] = [step(plan, 'healthy', 'heat_api', 'node1'), step(plan, 'start', 'heat_api', 'node2')];
    expect(precedes(plan, one, two)).toBe(false);
  });

  it('runs no migration that is for upgrades', () => {
    expect(plan.steps.filter((s) => s.kind === 'one-shot' && s.name.includes('upgrade'))).toEqual([]);
  });
});
