import { describe, expect, it } from 'vitest';
import { error, failure, success } from '../../../src/core/model/diagnostic.ts';
import { renderConfigFile } from '../../../src/core/render/config-file.ts';
import { buildConfigJson } from '../../../src/core/render/config-json.ts';
import { selectOverrides, unusedOverrides } from '../../../src/core/render/overrides.ts';

const files = new Map([
  ['global.conf', '[DEFAULT]\ndebug = {{ debug }}\n'],
  ['magnum.conf', '[magnum]\nworkers = 2\n'],
  ['magnum/node1/magnum.conf', '[magnum]\nworkers = 3\n'],
  ['magnun/magnum-api.conf', 'never read'],
]);
const candidates = ['global.conf', 'magnum.conf', 'magnum/magnum-api.conf', 'magnum/node1/magnum.conf'];

describe('selectOverrides', () => {
  it('takes every file that exists, in order, for ini', () => {
    const { sources, used } = selectOverrides(candidates, 'ini', files);
    expect(sources.map((s) => s.path)).toEqual(['global.conf', 'magnum.conf', 'magnum/node1/magnum.conf']);
    expect(used).toEqual(sources.map((s) => s.path));
  });

  it('takes the last for text, and still counts the others as looked at', () => {
    const { sources, used } = selectOverrides(candidates, 'text', files);
    expect(sources.map((s) => s.path)).toEqual(['magnum/node1/magnum.conf']);
    expect(used).toHaveLength(3);
  });

  it('names what nothing reads, with the nearest path that is read', () => {
    const { used } = selectOverrides(candidates, 'ini', files);
    const [only, ...more] = unusedOverrides(files.keys(), new Set(used), new Set(candidates));
    expect(more).toEqual([]);
    expect(only?.message).toBe('the override file magnun/magnum-api.conf is not used');
    expect(only?.hint).toContain('magnum/magnum-api.conf');
  });
});

describe('renderConfigFile', () => {
  const template = { text: '[DEFAULT]\nhost = {{host}}\n[magnum]\nworkers = 1\n', file: 'magnum.conf.hbs' };
  const renderOverride = (text: string) => success(text.replace('{{ debug }}', 'True'));

  it('merges the template and the rendered overrides', () => {
    const { sources: overrides } = selectOverrides(candidates, 'ini', files);
    const result = renderConfigFile({ format: 'ini', template, overrides, context: { host: 'a' }, renderOverride });
    expect(result).toMatchObject({ value: '[DEFAULT]\nhost = a\ndebug = True\n\n[magnum]\nworkers = 3\n\n' });
  });

  it('lets a text override replace the template without rendering it', () => {
    const overrides = [{ path: 'x', text: 'mine' }];
    const result = renderConfigFile({ format: 'text', template, overrides, context: {}, renderOverride });
    expect(result).toMatchObject({ value: 'mine' });
  });

  it('gives nothing for nothing', () => {
    expect(renderConfigFile({ format: 'ini', overrides: [], context: {}, renderOverride })).toMatchObject({
      ok: true,
      value: undefined,
    });
  });

  it('reports the errors of all sources together', () => {
    const overrides = [
      { path: 'a', text: '' },
      { path: 'b', text: '' },
    ];
    const broken = (_text: string, file: string) => failure<string>([error('x', `in ${file}`)]);
    const result = renderConfigFile({ format: 'ini', template, overrides, context: {}, renderOverride: broken });
    expect(result.diagnostics.map((d) => d.message)).toEqual(['variable host is not defined', 'in a', 'in b']);
  });
});

it('builds config.json', () => {
  const text = buildConfigJson({
    command: 'magnum-api --config-file /etc/magnum/magnum.conf',
    files: [
      { name: 'magnum.conf', dest: '/etc/magnum/magnum.conf', owner: 'magnum', perm: '600' },
      { name: 'policy.yaml', dest: '/etc/magnum/', owner: 'magnum', perm: '0600', optional: true },
    ],
    directories: [],
    permissions: [{ path: '/var/log/kolla/magnum', owner: 'magnum:magnum', recurse: true }],
  });
  expect(text).toBe(`{
  "command": "magnum-api --config-file /etc/magnum/magnum.conf",
  "config_files": [
    {
      "source": "/var/lib/kolla/config_files/magnum.conf",
      "dest": "/etc/magnum/magnum.conf",
      "owner": "magnum",
      "perm": "0600"
    },
    {
      "source": "/var/lib/kolla/config_files/policy.yaml",
      "dest": "/etc/magnum/",
      "owner": "magnum",
      "perm": "0600",
      "optional": true
    }
  ],
  "permissions": [
    {
      "path": "/var/log/kolla/magnum",
      "owner": "magnum:magnum",
      "recurse": true
    }
  ]
}
`);
});
