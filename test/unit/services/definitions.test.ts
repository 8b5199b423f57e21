import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { compileTemplate } from '../../../src/core/render/template.ts';
import { parseInventory } from '../../../src/core/schema/inventory.ts';
import { type ServiceDefinition, serviceSchema } from '../../../src/core/schema/service.ts';
import { mergeInventory } from '../../../src/core/site/inventory.ts';
import { loadService, must, read, repository, serviceNames, templateNames } from './shipped-site.ts';

const definitions = new Map<string, ServiceDefinition>(
  serviceNames.map((name) => [name, serviceSchema.parse(parse(read(`services/${name}/service.yml`)))]),
);
const all = [...definitions.values()];
const containers = all.flatMap((d) =>
  Object.entries(d.containers).map(([name, c]) => ({ name, service: d.service, c })),
);

/** Every text of a value with the way to it. */
function texts(value: unknown, path = ''): [string, string][] {
  if (typeof value === 'string') return [[path, value]];
  if (value === null || typeof value !== 'object') return [];
  return Object.entries(value).flatMap(([key, item]) => texts(item, `${path}.${key}`));
}

describe('every definition', () => {
  it.each(serviceNames)('%s is named after its folder and passes the cross checks', (name) => {
    expect(loadService(name).definition.service).toBe(name);
  });

  it.each(serviceNames)('%s: templates named exist, and none lies there unused', (name) => {
    const definition = definitions.get(name);
    const named = Object.values(definition?.containers ?? {}).flatMap((c) => [
      ...c.files.flatMap((f) => f.template ?? []),
      ...(c.fragments ? [c.fragments.template] : []),
    ]);
    expect([...new Set(named)].sort()).toEqual(templateNames(name));
  });

  it.each(serviceNames)('%s: templates can be compiled', (name) => {
    for (const template of templateNames(name)) {
      const file = `services/${name}/templates/${template}`;
      must(compileTemplate(read(file), file));
    }
  });

  it.each(serviceNames)('%s: braces of expressions are balanced', (name) => {
    for (const [path, text] of texts(definitions.get(name))) {
      const braces = text.match(/\{\{|\}\}|\{%|%\}/g) ?? [];
      const wanted = braces.map((_, i) => (i % 2 === 0 ? /^\{[{%]$/ : /^[}%]\}$/));
      expect(braces.every((b, i) => wanted[i]?.test(b)) && braces.length % 2 === 0, `${path}: ${text}`).toBe(true);
    }
  });

  it.each(serviceNames)('%s: each container has an image folder, its own tag and its own limits', (name) => {
    const definition = definitions.get(name);
    for (const [container, c] of Object.entries(definition?.containers ?? {})) {
      const variables = definition?.variables ?? {};
      const image = String(variables[c.image.replaceAll(/[{} ]/g, '')]);
      expect(existsSync(`${repository}services/${name}/images/${image}`), image).toBe(true);
      expect(c.tag).toBe(container === 'keystone' ? '{{ keystone_service_tag }}' : `{{ ${container}_tag }}`);
      expect(c.dimensions).toBe(`{{ ${container}_dimensions }}`);
    }
  });

  it('requires only services that exist, and none is its own requirement', () => {
    for (const { service, requires } of all) {
      for (const name of requires) expect(definitions.has(name) && name !== service, `${service}: ${name}`).toBe(true);
    }
  });

  it('names load balancer entries, one-shots and variables once in the whole site', () => {
    const names = [
      ...containers.flatMap(({ name, c }) => [name, ...Object.keys(c.loadbalancer).map((e) => `entry ${e}`)]),
      ...all.flatMap((d) => [...Object.keys(d.one_shots), ...Object.keys(d.variables).map((v) => `variable ${v}`)]),
      ...Object.keys(parse(read('services/defaults.yml'))).map((v) => `variable ${v}`),
    ];
    expect(names.filter((name, i) => names.indexOf(name) !== i)).toEqual([]);
  });
});

describe('names and ports are those of Kolla', () => {
  const table: [container: string, service: string, group: string, image: string, ports: string[]][] = [
    ['cron', 'common', 'cron', 'cron', []],
    ['haproxy', 'loadbalancer', 'loadbalancer', 'haproxy', ['1984', '61313']],
    ['keepalived', 'loadbalancer', 'loadbalancer', 'keepalived', []],
    ['mariadb', 'mariadb', 'mariadb', 'mariadb-server', ['3306', '4567']],
    ['memcached', 'memcached', 'memcached', 'memcached', ['11211']],
    ['rabbitmq', 'rabbitmq', 'rabbitmq', 'rabbitmq', ['5672', '15672', '25672', '4369']],
    ['keystone', 'keystone', 'keystone', 'keystone', ['5000']],
    ['glance_api', 'glance', 'glance-api', 'glance-api', ['9292']],
    ['heat_api', 'heat', 'heat-api', 'heat-api', ['8004']],
    ['heat_api_cfn', 'heat', 'heat-api-cfn', 'heat-api-cfn', ['8000']],
    ['heat_engine', 'heat', 'heat-engine', 'heat-engine', []],
    ['magnum_conductor', 'magnum', 'magnum-conductor', 'magnum-conductor', []],
    ['magnum_api', 'magnum', 'magnum-api', 'magnum-api', ['9511']],
  ];
  const defaults: Record<string, unknown> = parse(read('services/defaults.yml'));
  const variables: Record<string, unknown> = Object.assign({}, defaults, ...all.map((d) => d.variables));

  /** Follows `{{ name }}` to a plain value. */
  function resolved(value: unknown): string {
    const [, name] = /^\{\{ (\w+) \}\}$/.exec(String(value)) ?? [];
    return name === undefined ? String(value) : resolved(variables[name]);
  }

  it('covers every container', () => {
    expect(containers.map(({ name }) => name).sort()).toEqual(table.map(([name]) => name).sort());
  });

  it.each(table)('%s', (name, service, group, image, ports) => {
    const found = containers.find((entry) => entry.name === name);
    expect(found?.service).toBe(service);
    expect(found?.c.group).toBe(group);
    expect(resolved(found?.c.image)).toBe(image);
    expect(found?.c.ports.map(resolved)).toEqual(ports);
  });

  it('the tag of one project can be set alone', () => {
    expect(variables.magnum_api_tag).toBe('{{ magnum_tag }}');
    expect(variables.magnum_conductor_tag).toBe('{{ magnum_tag }}');
    expect(variables.magnum_tag).toBe('{{ openstack_tag }}');
  });

  it('INI files take overrides from where Kolla takes them', () => {
    const overrides = (name: string) => containers.find((e) => e.name === name)?.c.files[0]?.overrides;
    for (const [name, project] of [
      ['heat_engine', 'heat'],
      ['magnum_api', 'magnum'],
      ['keystone', 'keystone'],
    ] as const) {
      expect(overrides(name)).toEqual([
        'global.conf',
        `${project}.conf`,
        `${project}/{{ container_key }}.conf`,
        `${project}/{{ inventory_hostname }}/${project}.conf`,
      ]);
    }
    expect(overrides('glance_api')?.at(-1)).toBe('glance/{{ inventory_hostname }}/glance-api.conf');
    expect(overrides('mariadb')).toEqual(['galera.cnf', 'mariadb/{{ inventory_hostname }}/galera.cnf']);
  });
});

describe('example inventories', () => {
  it.each(['multinode', 'all-in-one'])('%s has a host for every container, and a place to build images', (name) => {
    const { groups } = must(
      mergeInventory([must(parseInventory(read(`inventory/${name}`), name))], { groupVars: [], hostVars: [] }),
    );
    for (const group of [...containers.map(({ c }) => c.group), 'container-image-builders']) {
      expect(groups.get(group)?.hosts.length, group).toBeGreaterThan(0);
    }
    expect(groups.get('loadbalancer')?.hosts).toEqual(groups.get('network')?.hosts);
    expect(groups.get('magnum-conductor')?.hosts).toEqual(groups.get('control')?.hosts);
  });
});

describe('the order inside a service', () => {
  it('magnum: migration, all conductors together, meanwhile the APIs one by one', () => {
    const magnum = definitions.get('magnum');
    expect(magnum?.phases.slice(-3)).toEqual([
      { run: 'bootstrap_magnum' },
      { replace: ['magnum_conductor'] },
      { replace: ['magnum_api'], begin_early: true },
    ]);
    expect(magnum?.containers.magnum_conductor?.rollout.strategy).toBe('together');
    expect(magnum?.containers.magnum_api?.rollout).toMatchObject({ strategy: 'rolling', batch: 1 });
  });

  it('keystone: the schema shrinks only after the last old process has gone', () => {
    expect(definitions.get('keystone')?.phases).toEqual([
      'databases',
      { run: 'bootstrap_keystone' },
      { run: 'init_upgrade_database' },
      { replace: ['keystone'] },
      { run: 'bootstrap_keystone_admin' },
      { run: 'finish_upgrade_database' },
      'identity',
    ]);
  });

  it('every container is brought up by some phase', () => {
    for (const d of all) {
      const replaced = d.phases.flatMap((phase) =>
        typeof phase === 'object' && 'replace' in phase ? phase.replace : [],
      );
      expect(replaced.sort()).toEqual(Object.keys(d.containers).sort());
    }
  });
});

describe('secrets', () => {
  const owned = all.flatMap((d) => Object.entries(d.passwords));

  it('the template of passwords.yml holds exactly what services own, empty', () => {
    const template: Record<string, unknown> = parse(read('config/passwords.yml'));
    expect(Object.keys(template)).toEqual(owned.map(([name]) => name).sort());
    expect(Object.values(template).every((value) => value === null)).toBe(true);
  });

  it("Heat's key has the length its cipher needs", () => {
    expect(Object.fromEntries(owned).heat_auth_encryption_key).toBe('hex32');
  });

  it('every secret is used by its service', () => {
    for (const d of all) {
      const files = templateNames(d.service).map((t) => read(`services/${d.service}/templates/${t}`));
      const everything = [...files, read(`services/${d.service}/service.yml`)]
        .join('\n')
        .replace(/^passwords:(\n {2}.*)*/m, '');
      for (const name of Object.keys(d.passwords)) {
        const elsewhere = ['memcache_secret_key', 'database_password', 'mariadb_backup_database_password'];
        expect(elsewhere.includes(name) || everything.includes(name), name).toBe(true);
      }
    }
  });
});
