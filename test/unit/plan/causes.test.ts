import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { DesiredContainer } from '../../../src/core/desired/model.ts';
import { type Cause, type ContainerChange, causesOf, planCauses, recordOf } from '../../../src/core/plan/causes.ts';
import { causesText } from '../../../src/report/causes-text.ts';
import { type Choice, passwordOf, SimulatedSite, type SiteSettings } from '../../sim/site.ts';

function containers(settings: SiteSettings, choice: Choice = {}): DesiredContainer[] {
  return new SimulatedSite(settings).desired(choice).desired.services.flatMap((service) => service.containers);
}

const sourceOf = (settings: SiteSettings, variable: string) =>
  containers(settings)
    .find(({ name }) => name === 'heat_engine')
    ?.sources()
    .get(`var:${variable}`);

const key = (c: DesiredContainer) => `${c.name} ${c.host}`;
const contents = (c: DesiredContainer) => `${c.specHash} ${c.files.map(({ path, sha256 }) => `${path} ${sha256}`)}`;

const plainSite = containers({});

/** What differs between two sites, with what was recorded when the first was carried out. */
function changes(before: SiteSettings, after: SiteSettings): ContainerChange[] {
  const from = Object.keys(before).length === 0 ? plainSite : containers(before);
  const old = new Map(from.map((c) => [key(c), c]));
  return containers(after).flatMap((container) => {
    const was = old.get(key(container));
    const image = JSON.stringify(was?.image) !== JSON.stringify(container.image);
    if (was === undefined || (contents(was) === contents(container) && !image)) return [];
    const { host, name, sources } = container;
    return [{ host, container: name, recorded: recordOf(was.sources()), sources: sources(), keepsImage: !image }];
  });
}

function told(before: SiteSettings, after: SiteSettings): string[] {
  return causesText(planCauses(changes(before, after)));
}

const lines = (...texts: string[]) => texts.map((text) => `${text}\n`).join('');

/** Lines of globals.yml the simulated site has before those of a test. */
const first = 6;

describe('causes of a change', { timeout: 30_000 }, () => {
  it('name the variable that was edited, through all that is made from it, and its line', () => {
    const before = { globals: lines('openstack_region_name: one', 'openstack_logging_debug: false') };
    const after = { globals: lines('openstack_region_name: one', 'openstack_logging_debug: true') };
    const [most, onFirstOnly, ...more] = planCauses(changes(before, after));
    expect(more).toEqual([]);
    expect(onFirstOnly).toMatchObject({
      name: 'openstack_logging_debug',
      containers: ['glance_api'],
      hosts: ['node1'],
    });
    expect(most).toMatchObject({
      what: 'variable',
      kind: 'changed',
      name: 'openstack_logging_debug',
      cause: `openstack_logging_debug (globals.yml:${first + 1})`,
      at: { file: 'globals.yml', line: first + 1 },
      containers: expect.arrayContaining(['heat_api', 'heat_api_cfn', 'heat_engine', 'magnum_conductor']),
      hosts: ['node1', 'node2', 'node3'],
    });
  });

  it('say when a variable is no longer set, and what holds instead', () => {
    const [only, ...more] = told({ globals: 'heat_logging_debug: true\n' }, {});
    expect(more).toEqual([]);
    expect(only).toMatch(
      /^heat_logging_debug, no longer set \(now from services\/heat\/service\.yml:\d+\) → heat_api, heat_api_cfn, heat_engine on node1, node2, node3$/,
    );
  });

  it('name group_vars, host_vars of the one host, and -e', () => {
    expect(told({}, { groupVars: { 'heat-engine': '---\nheat_engine_workers: 7\n' } })).toEqual([
      'heat_engine_workers (group_vars/heat-engine.yml:2) → heat_engine on node1, node2, node3',
    ]);
    expect(told({}, { hostVars: { node2: '---\n\nheat_engine_workers: 7\n' } })).toEqual([
      'heat_engine_workers (host_vars/node2.yml:3) → heat_engine on node2',
    ]);
    expect(told({}, { extraVars: ['heat_engine_workers=7'] })).toEqual([
      'heat_engine_workers (-e) → heat_engine on node1, node2, node3',
    ]);
  });

  it("name what others read of a host, also when it is no longer the host's own", () => {
    const own = { hostVars: { node3: 'api_interface_address: 192.0.2.99\n' } };
    for (const [before, after, says] of [
      [{}, own, /^api_interface_address \(host_vars\/node3\.yml:1\)$/],
      [own, {}, /^api_interface_address( of node3)?, no longer set \(now from services\/defaults\.yml:\d+\)$/],
    ] as const) {
      const found = planCauses(changes(before, after));
      for (const { cause } of found) expect(cause).toMatch(says);
      const heat = found.filter(({ containers }) => containers.includes('heat_api')).flatMap(({ hosts }) => hosts);
      expect(heat.sort()).toEqual(['node1', 'node2', 'node3']);
    }
  });

  it('name an override file that is new, edited or gone', () => {
    const file = (text: string) => ({ overrides: { 'heat/heat-engine.conf': `[DEFAULT]\nx = ${text}\n` } });
    const onEngines = '→ heat_engine on node1, node2, node3';
    const name = 'override file config/heat/heat-engine.conf';
    expect(told({}, file('1'))).toEqual([`${name} ${onEngines}`]);
    expect(told(file('1'), file('2'))).toEqual([`${name} ${onEngines}`]);
    expect(told(file('1'), {})).toEqual([`${name}, which is gone ${onEngines}`]);
  });

  it('name a variable that only an override file reads, also one that had no value before', () => {
    const overrides = { 'heat/heat-engine.conf': "[DEFAULT]\nx = {{ site_note | default('none') }}\n" };
    expect(told({ overrides }, { overrides, globals: 'site_note: hello\n' })).toEqual([
      `site_note (globals.yml:${first}) → heat_engine on node1, node2, node3`,
    ]);
  });

  it('name a password, never its value', () => {
    const [found] = [
      changes({}, { passwords: (name) => (name === 'heat_database_password' ? 'another-value' : undefined) }),
    ];
    const text = causesText(planCauses(found)).join('\n');
    expect(text).toMatch(/^heat_database_password \(passwords\.yml:\d+\) → heat_api, heat_api_cfn, heat_engine on /);
    const all = text + JSON.stringify([planCauses(found), found.map(({ recorded }) => recorded)]);
    expect(all).not.toContain('another-value');
    expect(all).not.toContain(passwordOf('heat_database_password'));
  });

  it('do not give equal passwords equal hashes', () => {
    const same = (name: string) => (/^(heat|magnum)_database_password$/.test(name) ? 'the-same-for-both' : undefined);
    const hashes = containers({ passwords: same })
      .filter(({ name, host }) => ['heat_api', 'heat_engine', 'magnum_api'].includes(name) && host === 'node1')
      .map((c) => ['heat', 'magnum'].flatMap((of) => c.sources().get(`var:${of}_database_password`)?.hash ?? []));
    expect(hashes.flat()).toHaveLength(3);
    expect(new Set(hashes.flat()).size).toBe(3);
  });

  it('do not name a variable that has nothing to do with it', () => {
    const after = { globals: lines('magnum_logging_debug: true', 'enable_cinder: false', 'heat_engine_workers: 7') };
    const engine = told({}, after).filter((line) => line.includes('heat_engine'));
    expect(engine).toEqual([`heat_engine_workers (globals.yml:${first + 2}) → heat_engine on node1, node2, node3`]);
  });

  it('do not name a variable that only moved to another file, or is written out as its default was', () => {
    const before = { globals: 'openstack_region_name: one\n' };
    const after = {
      groupVars: {
        all: 'openstack_region_name: one\nopenstack_service_rpc_workers: "{{ openstack_service_workers }}"\n',
      },
      globals: 'heat_logging_debug: true\n',
    };
    const written = sourceOf({}, 'openstack_service_rpc_workers')?.hash.split(':')[1];
    expect(sourceOf(after, 'openstack_service_rpc_workers')?.hash).toBe(`set:${written}`);
    expect(told(before, after)).toEqual([
      `heat_logging_debug (globals.yml:${first}) → heat_api, heat_api_cfn, heat_engine on node1, node2, node3`,
    ]);
  });

  it('name the tag when the image changes, and not when a reconfigure leaves it', () => {
    const before = { globals: 'heat_tag: one\n' };
    const after = { globals: lines('heat_tag: two', 'heat_engine_workers: 7') };
    const engine = changes(before, after).filter(({ container }) => container === 'heat_engine');
    expect(planCauses(engine).map(({ name }) => name)).toEqual(['heat_engine_workers', 'heat_tag']);
    const kept = engine.map((change) => ({ ...change, keepsImage: true }));
    expect(planCauses(kept).map(({ name }) => name)).toEqual(['heat_engine_workers']);
  });

  it('reach the load balancer with the entries of the services', () => {
    expect(told({}, { globals: 'heat_api_port: 8104\n' })).toEqual(
      expect.arrayContaining([expect.stringMatching(/^heat_api_port \(globals\.yml:6\) → .*haproxy.* on node1/)]),
    );
    const fragments = new SimulatedSite({ globals: 'heat_api_port: 8104\n' })
      .desired({ tags: ['heat'] })
      .desired.services.flatMap((service) => service.fragments);
    expect(fragments.length).toBeGreaterThan(0);
    for (const { file, sources } of fragments.filter(({ file }) => file.path.endsWith('heat-api.cfg'))) {
      expect(sources().get('var:heat_api_port'), file.path).toMatchObject({ layer: 'globals.yml' });
    }
  });
});

describe('causes without an edit', () => {
  const [engine] = containers({ globals: 'heat_engine_workers: 7\n' }).filter((c) => c.name === 'heat_engine');
  const sources = engine?.sources() ?? new Map();
  const change = { host: 'node1', container: 'heat_engine', sources };

  it('claim nothing when nothing was recorded', () => {
    expect(causesOf(undefined, sources)).toEqual([]);
    expect(planCauses([change, { ...change, asMade: true }])).toEqual([]);
  });

  it('say that the node changed when what is wanted is what was made, whatever was edited', () => {
    const recorded = { ...recordOf(sources), 'var:heat_engine_workers': 'set:0' };
    const found = planCauses([
      { ...change, recorded, asMade: true },
      { ...change, recorded, asMade: true, host: 'node2' },
    ]);
    expect(causesText(found)).toEqual(['changed on the node → heat_engine on node1, node2']);
  });

  it('tell another version of the tool by its templates, definitions and defaults', () => {
    const recorded = {
      ...recordOf(sources),
      'template:heat/heat.conf.hbs': 'old',
      'template:heat/service.yml#heat_engine': 'old',
      'var:heat_logging_debug': 'default:old',
    };
    expect(causesText(planCauses([{ ...change, recorded }]))).toEqual([
      expect.stringMatching(
        /^heat_logging_debug, whose default is new in this version \(services\/heat\/service\.yml:\d+\) →/,
      ),
      'definition of heat_engine of this version → heat_engine on node1',
      'template heat/heat.conf.hbs of this version → heat_engine on node1',
    ]);
  });

  it('do not take what is read for the first time, or no longer, for a cause', () => {
    const { 'var:heat_engine_workers': _, ...without } = recordOf(sources);
    expect(causesOf({ ...without, 'var:gone': 'set:1', 'template:heat/gone.hbs': '1' }, sources)).toEqual([]);
  });

  it('keep causes apart that concern different hosts', () => {
    const recorded = { ...recordOf(sources), 'var:heat_engine_workers': 'set:0' };
    const at = (host: string, container: string) => ({ ...change, host, container, recorded });
    expect(
      causesText(planCauses([at('a', 'one'), at('b', 'one'), at('a', 'two'), at('b', 'two'), at('b', 'three')])),
    ).toEqual([
      `heat_engine_workers (globals.yml:${first}) → one, two on a, b`,
      `heat_engine_workers (globals.yml:${first}) → three on b`,
    ]);
  });
});

/** Variables of several kinds with a value that differs from their default. */
const edits: readonly (readonly [string, readonly string[]])[] = [
  ['openstack_logging_debug', ['true', 'yes']],
  ['heat_logging_debug', ['true']],
  ['openstack_region_name', ['elsewhere', 'Other']],
  ['heat_api_port', ['8104', '8204']],
  ['rabbitmq_port', ['5773']],
  ['memcached_port', ['11311']],
  ['database_max_pool_size', ['7']],
  ['openstack_service_workers', ['2', '3']],
  ['keystone_internal_port', ['5001']],
  ['node_hostname', ['"{{inventory_hostname}}-x"']],
];

describe('property: an edit of one variable', () => {
  it('is the one cause of every container that changes', () => {
    const seen = new Set<string>();
    const edit = fc.constantFrom(...edits.flatMap(([name, values]) => values.map((value) => [name, value] as const)));
    const place = fc.constantFrom('globals' as const, 'group' as const, 'host' as const, 'extra' as const);
    fc.assert(
      fc.property(edit, place, ([name, value], where) => {
        const text = `${name}: ${value}\n`;
        const after: SiteSettings = {
          globals: { globals: text },
          group: { groupVars: { all: text } },
          host: { hostVars: { node1: text, node2: text } },
          extra: { extraVars: [`${name}=${value}`] },
        }[where];
        const differing = changes({}, after);
        for (const { recorded, sources, container, host } of differing) {
          const causes: Cause[] = causesOf(recorded, sources);
          expect(new Set(causes.map((cause) => cause.name)), `${container} ${host}`).toEqual(new Set([name]));
          seen.add(name);
        }
      }),
      { numRuns: 15 },
    );
    expect(seen.size).toBeGreaterThan(2);
  }, 60_000);
});
