import { describe, expect, it } from 'vitest';
import { parseYaml } from '../../../src/core/schema/yaml.ts';
import { assembleSite, type Site, type SiteInputs } from '../../../src/core/site/load.ts';
import { fillPasswords, missingPasswords } from '../../../src/core/site/passwords.ts';

const at = { file: 'here', line: 1, column: 1 };

const service = (name: string, more = '') => ({
  file: `services/${name}/service.yml`,
  text: `service: ${name}\nsummary: s\nvariables:\n  ${name}_port: 80\n${more}`,
});

function inputs(change: Partial<SiteInputs> = {}): SiteInputs {
  return {
    configDir: '/etc/demo',
    globals: { file: 'globals.yml', text: 'color: green\n' },
    globalsD: [],
    passwords: { file: 'passwords.yml', text: 'demo_password: hunter2hunter2\nempty_password:\npin_password: 0123\n' },
    inventories: [{ file: 'hosts', text: '[demo]\nnode1\nnode2 color=blue\n' }],
    groupVars: [],
    hostVars: [],
    defaults: { file: 'services/defaults.yml', text: 'color: white\nshape: round\n' },
    services: [
      service('demo', 'passwords: {demo_password: password, empty_password: password, lost_password: uuid}\n'),
    ],
    extraVars: [],
    overrides: new Map([['demo.conf', 'x']]),
    ...change,
  };
}

function load(change: Partial<SiteInputs> = {}): Site {
  const site = assembleSite(inputs(change));
  if (!site.ok) throw new Error(JSON.stringify(site.diagnostics));
  return site.value;
}

function messages(change: Partial<SiteInputs>): string[] {
  return assembleSite(inputs(change)).diagnostics.map(
    (d) => `${d.at?.file}:${d.at?.line}:${d.at?.column} ${d.message}${d.hint ? ` (${d.hint})` : ''}`,
  );
}

describe('a site', () => {
  it('has its layers in order', () => {
    const site = load({
      defaults: {
        file: 'd',
        text: 'a: default\nb: default\nc: default\nd: default\ne: default\nf: default\ng: default\nh: default\ni: default\n',
      },
      services: [
        {
          file: 'services/x/service.yml',
          text: 'service: x\nsummary: s\nvariables: {b: svc, c: svc, d: svc, e: svc, f: svc, g: svc, h: svc, i: svc}\n',
        },
      ],
      inventories: [
        {
          file: 'hosts',
          text: '[g]\nn1 e=host f=host g=host h=host i=host\n[all:vars]\nc=all\nd=all\ne=all\nf=all\ng=all\n[g:vars]\nd=group\ne=group\nf=group\n',
        },
      ],
      globals: { file: 'globals.yml', text: 'f: globals\ng: globals\nh: globals\ni: globals\n' },
      passwords: { file: 'passwords.yml', text: 'g: passwords\nh: passwords\ni: passwords\n' },
      globalsD: [{ file: 'globals.d/1.yml', text: 'h: dropin\ni: dropin\n' }],
      extraVars: [{ kind: 'argument', text: 'i=extra' }],
    });
    const scope = site.scope('n1');
    expect([...'abcdefghi'].map((name) => scope.get(name))).toEqual([
      'default',
      'svc',
      'all',
      'group',
      'host',
      'globals',
      'passwords',
      'dropin',
      'extra',
    ]);
    expect(scope.origin('i')?.layers.map(({ name }) => name)).toEqual([
      'services/defaults.yml',
      'service x',
      'inventory host n1',
      'globals.yml',
      'passwords.yml',
      'globals.d/1.yml',
      '-e',
    ]);
    expect(scope.get('CONFIG_DIR')).toBe('/etc/demo');
  });

  it('passwords: numbers stay text, empty ones are errors when used, all are secrets', () => {
    const site = load();
    const scope = site.scope('node1');
    expect(scope.get('pin_password')).toBe('0123');
    expect(() => scope.get('empty_password')).toThrow(/passwords\.yml: empty_password is empty[\s\S]*deploy genpwd/);
    expect(() => scope.get('lost_password')).toThrow(/lost_password is empty/);
    expect(() => scope.evaluate('{{ empty_password | default("") }}', at)).toThrow(/is empty/);
    expect(site.secretValues()).toEqual(['hunter2hunter2', '0123']);
  });

  it('enabled services', () => {
    const site = load({ services: [service('one'), service('two', 'enabled: "{{ one_port == 81 }}"\n')] });
    expect([site.enabled('one'), site.enabled('two')]).toEqual([true, false]);
  });

  it.each<[string, Partial<SiteInputs>, string[]]>([
    [
      'unknown requirement',
      { services: [service('demo'), service('b', 'requires: [demoo, qqq]\n')] },
      [
        'services/b/service.yml:5:12 service demoo is not defined (did you mean demo?)',
        'services/b/service.yml:5:19 service qqq is not defined',
      ],
    ],
    [
      'cycle',
      { services: [service('a', 'requires: [b]\n'), service('b', 'requires: [a]\n')] },
      ['services/a/service.yml:5:11 services require each other: a → b → a'],
    ],
    [
      'variable of two services',
      {
        services: [
          service('a'),
          { file: 'services/b/service.yml', text: 'service: b\nsummary: s\nvariables: {a_port: 1}\n' },
        ],
      },
      ['services/b/service.yml:3:13 variable a_port is defined by service a already (see services/a/service.yml)'],
    ],
    [
      'same service twice',
      { services: [service('a'), { ...service('a'), file: 'own/a/service.yml' }] },
      ['own/a/service.yml:1:10 service a is defined in services/a/service.yml already'],
    ],
    [
      'wrong folder',
      { services: [{ ...service('a'), file: 'services/b/service.yml' }] },
      ['services/b/service.yml:1:10 service a lies in the folder b; both must have the same name'],
    ],
    [
      'all files together',
      {
        globals: { file: 'globals.yml', text: 'a: [\n' },
        passwords: { file: 'passwords.yml', text: '- x\n' },
        inventories: [{ file: 'hosts', text: '[a\n' }],
      },
      ['passwords.yml:1:1 the file must be a map of variables, "name: value"'],
    ],
    ['no hosts', { inventories: [{ file: 'hosts', text: '[a]\n' }] }, ['hosts:1:1 the inventory has no hosts']],
    [
      'enabled is nonsense',
      { services: [service('a', 'enabled: perhaps\n')] },
      [
        'services/a/service.yml:5:10 must be yes or no, not another text (write true or false (yes, no, on, off are understood too))',
      ],
    ],
    [
      'near miss',
      { globals: { file: 'globals.yml', text: 'demo_prot: 1\nmy_own: 2\n' } },
      ['globals.yml:1:1 no service knows a variable demo_prot (did you mean demo_port?)'],
    ],
    [
      'near miss of the gates of a service',
      { globals: { file: 'globals.yml', text: 'demo_gats: []\n' } },
      ['globals.yml:1:1 no service knows a variable demo_gats (did you mean demo_gates?)'],
    ],
    [
      'bad -e',
      { extraVars: [{ kind: 'argument', text: 'x' }] },
      ['-e:1:1 an extra variable is not name=value (write -e name=value, -e \'{"name": "value"}\' or -e @file.yml)'],
    ],
  ])('%s', (_, change, expected) => {
    const found = messages(change);
    for (const message of expected) expect(found).toContain(message);
    if (expected.length === 0) expect(found.length).toBeGreaterThan(0);
  });

  it('-e takes pairs, JSON and files', () => {
    const site = load({
      extraVars: [
        { kind: 'argument', text: 'one=1 two="a b"' },
        { kind: 'argument', text: '{"three": [1, true]}' },
        { kind: 'file', file: 'x.yml', text: 'four: yes\n' },
      ],
    });
    const scope = site.scope('node1');
    expect(['one', 'two', 'three', 'four'].map((name) => scope.get(name))).toEqual(['1', 'a b', [1, true], true]);
  });
});

describe('passwords file', () => {
  const fill = (text: string, values: Record<string, string>) =>
    fillPasswords(text, new Map(Object.entries(values)), 'p');
  it('fills what has no value and keeps the rest byte for byte', () => {
    const text = '---\n# first\nb_password:   # why\na_password: ~\nkept: value # stays\r\n\nc: null\n';
    const filled = fill(text, { b_password: 'BBB', a_password: '1234', c: 'x=', new_password: 'N' });
    expect(filled.ok && filled.value).toBe(
      '---\n# first\nb_password: BBB   # why\na_password: "1234"\nkept: value # stays\r\n\nc: "x="\nnew_password: N\r\n',
    );
  });

  it('never replaces a value', () => {
    expect(fill('a: 1\n', { a: 'x' }).ok).toBe(false);
    expect(fill('{a: 1}\n', { b: 'x' }).ok).toBe(false);
  });

  it('knows what is missing', () => {
    const document = parseYaml('a:\nb: x\n', 'p');
    const site = load({ services: [service('demo', 'passwords: {a: hex32, b: uuid, c: fernet}\n')] });
    expect(document.ok && missingPasswords(document.value, site.services.values())).toEqual([
      { name: 'a', kind: 'hex32', service: 'demo' },
      { name: 'c', kind: 'fernet', service: 'demo' },
    ]);
  });
});
