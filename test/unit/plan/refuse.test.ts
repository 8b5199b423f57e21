import { describe, expect, it } from 'vitest';
import type { Diagnostic } from '../../../src/core/model/diagnostic.ts';
import { label } from '../../../src/core/model/node.ts';
import { change, copyOf, emptyWorld, observe } from '../../sim/scenario.ts';
import { type Choice, SimulatedSite } from '../../sim/site.ts';
import type { SimulatedWorld } from '../../sim/world.ts';

const site = new SimulatedSite();
const deployed = emptyWorld(site);
await change(site, deployed, 'deploy');

function diagnose(world: SimulatedWorld, choice: Choice = {}, of = site): readonly Diagnostic[] {
  const result = of.plan('deploy', observe(world), choice);
  expect(result.ok).toBe(result.diagnostics.every((d) => d.severity === 'warning'));
  return result.diagnostics;
}

function changed(work: (world: SimulatedWorld) => void): SimulatedWorld {
  const world = copyOf(deployed);
  work(world);
  return world;
}

function stopEverywhere(name: string, hosts = site.hosts) {
  return changed((world) => {
    for (const host of hosts) {
      const found = world.nodes.get(host)?.containers.get(name);
      if (found) found.state = 'exited';
    }
  });
}

describe('a container that is not ours', () => {
  const foreign = (labels: Record<string, string>) =>
    changed((world) => {
      const node = world.nodes.get('node2');
      const old = node?.containers.get('heat_api');
      if (node && old) node.containers.set('heat_api', { ...old, labels });
    });

  it('stops everything before the first step', () => {
    expect(diagnose(foreign({}))).toMatchObject([
      { code: 'foreign-container', host: 'node2', message: 'container heat_api was not created by this site' },
    ]);
  });

  it('is named with the site it belongs to', () => {
    expect(diagnose(foreign({ [label.container]: 'heat_api', [label.site]: 'other' }))).toMatchObject([
      { message: 'container heat_api was not created by this site but by other' },
    ]);
  });

  it('is no obstacle to what does not touch it', () => {
    expect(diagnose(foreign({}), { tags: ['magnum_api'] })).toEqual([]);
  });
});

describe('a stopped Galera cluster', () => {
  it('is never formed anew over its data', () => {
    expect(diagnose(stopEverywhere('mariadb'))).toMatchObject([{ code: 'galera-stopped', severity: 'error' }]);
  });

  it('nor when its containers are gone and the data is still there', () => {
    const world = changed((one) => {
      for (const node of one.nodes.values()) node.containers.delete('mariadb');
    });
    expect(diagnose(world)).toMatchObject([{ code: 'galera-stopped' }]);
    for (const node of world.nodes.values()) node.markers.delete('galera.formed');
    expect(diagnose(world)).toMatchObject([{ code: 'galera-stopped' }]);
  });

  it('nor in place of data that has gone', () => {
    const world = changed((one) => {
      for (const node of one.nodes.values()) {
        node.containers.delete('mariadb');
        node.volumes.delete('mariadb');
      }
    });
    const message =
      'mariadb runs nowhere, but its cluster was formed before: its data is gone, or not where it belongs';
    expect(diagnose(world)).toMatchObject([{ code: 'galera-stopped', message }]);
  });

  it('is recognised by its data, whatever the volume is called', () => {
    const renamed = new SimulatedSite({ globals: 'mariadb_datadir_volume: galera_data\n' });
    const world = emptyWorld(renamed);
    world.nodes.get('node2')?.volumes.set('galera_data', new Map());
    expect(diagnose(world, {}, renamed)).toMatchObject([
      { code: 'galera-stopped', message: expect.stringContaining('node2') },
    ]);
  });

  it('of one member is started: nobody else can have committed more', async () => {
    const lone = new SimulatedSite({ hosts: ['node1'] });
    const world = emptyWorld(lone);
    await change(lone, world, 'deploy');
    const member = world.nodes.get('node1')?.containers.get('mariadb');
    if (member) member.state = 'exited';
    expect((await change(lone, world, 'deploy')).steps.map((s) => s.kind)).toEqual([
      'start',
      'galera-synced',
      'healthy',
      'undrain',
    ]);
  });

  it('is brought back member by member while one of them runs', () => {
    expect(diagnose(stopEverywhere('mariadb', ['node1', 'node3']))).toEqual([]);
  });

  it('is not judged by a part of its members', () => {
    expect(diagnose(emptyWorld(site), { tags: ['mariadb'], limit: 'node1,node2' })).toMatchObject([
      { code: 'galera-incomplete', message: expect.stringContaining('node3') },
    ]);
  });
});

describe('required services', () => {
  it('that run nowhere are an error before any step', () => {
    expect(diagnose(stopEverywhere('keystone'), { tags: ['magnum'] })).toMatchObject([
      { code: 'required-service-down', hint: 'deploy deploy --tags keystone' },
    ]);
  });

  it('that were never deployed are all named', () => {
    const found = diagnose(emptyWorld(site), { tags: ['heat'] });
    expect(new Set(found.map((d) => d.code))).toEqual(new Set(['required-service-down']));
    for (const name of ['loadbalancer', 'mariadb', 'memcached', 'rabbitmq', 'keystone']) {
      expect(found.map((d) => d.message).join('\n')).toContain(`heat requires ${name}`);
    }
  });

  it('that lack a replica are a warning', () => {
    expect(diagnose(stopEverywhere('keystone', ['node2']), { tags: ['magnum'] })).toMatchObject([
      { code: 'required-service-degraded', severity: 'warning', message: expect.stringContaining('keystone on node2') },
    ]);
  });

  it('are not expected to run what is not enabled', () => {
    const without = new SimulatedSite({ globals: 'enable_keepalived: false\n' });
    const world = changed((one) => {
      for (const node of one.nodes.values()) node.containers.delete('keepalived');
    });
    expect(diagnose(world, { tags: ['magnum'] }, without)).toEqual([]);
  });
});

describe('prechecks', () => {
  it('find a port that something else has taken, and an address the node does not have', () => {
    const world = emptyWorld(site);
    world.nodes.get('node2')?.listening.push({ address: '0.0.0.0', port: 5672 });
    const result = site.plan(
      'deploy',
      new Map(
        [...observe(world)].map(([host, node]) => [
          host,
          host === 'node3' ? { ...node, addresses: ['198.51.100.1'] } : node,
        ]),
      ),
    );
    expect(result.diagnostics).toMatchObject([
      { code: 'address-not-on-host', host: 'node3' },
      { code: 'port-taken', host: 'node2', message: expect.stringContaining('rabbitmq needs it') },
    ]);
  });

  it('find a port that something else has taken where ours runs too, as far as they can see who listens', () => {
    const listening = (owner: string | undefined) =>
      new Map(
        [...observe(copyOf(deployed))].map(([host, node]) => {
          const of = owner === 'rabbitmq' ? node.containers.find(({ name }) => name === owner)?.id : owner;
          return [host, { ...node, listening: [{ address: '0.0.0.0', port: 11211, owner: of }] }];
        }),
      );
    const own = observe(copyOf(deployed))
      .get('node1')
      ?.containers.find(({ name }) => name === 'memcached')?.id;
    const messages = (owner: string | undefined) =>
      site.plan('deploy', listening(owner)).diagnostics.map(({ host, message }) => `${host}: ${message}`);
    expect(messages('node')).toContain('node1: port 11211 is already taken; memcached needs it');
    expect(messages('rabbitmq')).toContain('node2: port 11211 is already taken by rabbitmq; memcached needs it');
    expect(messages(own).filter((text) => text.startsWith('node1'))).toEqual([]);
    expect(messages(undefined)).toEqual([]);
  });

  it('do not mind that our own containers listen', () => {
    const world = copyOf(deployed);
    world.nodes.get('node2')?.listening.push({ address: '0.0.0.0', port: 5672 });
    expect(diagnose(world)).toEqual([]);
  });
});
