import { describe, expect, it } from 'vitest';
import type { Sources } from '../../../src/core/desired/model.ts';
import { recordOf } from '../../../src/core/plan/causes.ts';
import { SimulatedSite, type SiteSettings } from '../../sim/site.ts';

function sourcesOf(settings: SiteSettings, name: string, host = 'node2'): Sources {
  const containers = new SimulatedSite(settings).desired().desired.services.flatMap((s) => s.containers);
  const found = containers.find((c) => c.name === name && c.host === host);
  if (found === undefined) throw new Error(`there is no ${name} on ${host}`);
  return found.sources();
}

describe('sources of a container', () => {
  it('are variables, override files, templates and its definition, each with its place', () => {
    const sources = sourcesOf(
      {
        globals: 'openstack_logging_debug: true\n',
        overrides: { 'heat.conf': '[DEFAULT]\nx = 1\n', 'heat/heat-api.conf': '[DEFAULT]\nx = 2\n' },
        hostVars: { node2: 'heat_engine_workers: 3\n' },
      },
      'heat_engine',
    );
    expect(sources.get('var:openstack_logging_debug')).toMatchObject({
      layer: 'globals.yml',
      at: { file: 'globals.yml', line: 6, column: 26 },
    });
    expect(sources.get('var:heat_engine_workers')).toMatchObject({
      layer: 'host_vars/node2',
      at: { file: 'host_vars/node2.yml', line: 1 },
    });
    expect(sources.get('var:heat_logging_debug')).toMatchObject({ layer: 'service heat' });
    const others = [...sources.keys()].filter((name) => !name.startsWith('var:')).sort();
    expect(others).toEqual([
      'inventory:groups',
      'override:heat.conf',
      'template:heat/heat.conf.hbs',
      'template:heat/service.yml#heat_engine',
    ]);
    expect(sources.get('override:heat.conf')?.at).toEqual({ file: '/etc/deploy/config/heat.conf', line: 1, column: 1 });
  });

  it('know what only the name of the image was made from', () => {
    const sources = sourcesOf({}, 'heat_engine');
    expect(sources.get('var:heat_engine_tag')?.imageOnly).toBe(true);
    expect(sources.get('var:openstack_region_name')?.imageOnly).toBeFalsy();
  });

  it('have nothing of what decides only where a container runs or how it is replaced', () => {
    const names = [...sourcesOf({}, 'heat_api').keys()];
    for (const name of ['var:enable_heat', 'var:CONFIG_DIR', 'var:inventory_hostname'])
      expect(names).not.toContain(name);
  });

  it('are recorded as hashes: of other hosts only what is their own', () => {
    const record = recordOf(sourcesOf({}, 'heat_engine'));
    expect(record).toHaveProperty(['var:ansible_host@node3']);
    expect(record).not.toHaveProperty(['var:api_interface_address@node3']);
    for (const hash of Object.values(record)) expect(hash).toMatch(/^((set|host|default):)?[0-9a-f]{16}$|^unset:$/);
  });

  it('are the same on every host for what is common, and the same every time', () => {
    const [here, there] = [sourcesOf({}, 'heat_engine', 'node1'), sourcesOf({}, 'heat_engine', 'node3')];
    for (const name of ['var:heat_logging_debug', 'var:rabbitmq_password', 'template:heat/heat.conf.hbs'])
      expect(here.get(name)?.hash).toBe(there.get(name)?.hash);
    expect(recordOf(sourcesOf({}, 'heat_engine', 'node1'))).toEqual(recordOf(here));
  });
});
