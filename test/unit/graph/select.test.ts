import { describe, expect, it } from 'vitest';
import { knownTags, selectByTags } from '../../../src/core/graph/select.ts';
import { parseServiceFile } from '../../../src/core/schema/service-file.ts';
import { must } from '../../sim/site.ts';

function service(name: string, containers: Record<string, string[]>, tags: string[] = []) {
  const entries = Object.entries(containers).map(([container, own]) => [
    container,
    { group: name, image: container, tag: 'x', command: 'run', tags: own },
  ]);
  const text = JSON.stringify({ service: name, summary: name, tags, containers: Object.fromEntries(entries) });
  return must(parseServiceFile(text, `services/${name}/service.yml`)).definition;
}

const enabled = [
  service('common', { cron: [] }),
  service('heat', { heat_api: ['api'], heat_engine: [] }, ['orchestration']),
  service('magnum', { magnum_api: ['api'], magnum_conductor: [] }),
];
const disabled = [service('barbican', { barbican_api: ['api'] })];

function select(tags: string[], skip: string[] = []) {
  const result = selectByTags(enabled, disabled, tags, skip);
  if (!result.ok) return result.diagnostics;
  return [...result.value.values()].map(
    ({ service, whole, containers }) => `${service}${whole ? '!' : ''} ${[...containers]}`,
  );
}

describe('selectByTags', () => {
  it.each([
    [
      'no tags: everything',
      [],
      [],
      ['common! cron', 'heat! heat_api,heat_engine', 'magnum! magnum_api,magnum_conductor'],
    ],
    [
      'tags are a union, in the order of the services',
      ['magnum', 'common'],
      [],
      ['common! cron', 'magnum! magnum_api,magnum_conductor'],
    ],
    ['a declared tag of a service', ['orchestration'], [], ['heat! heat_api,heat_engine']],
    ['a container alone does not make the service whole', ['heat_engine'], [], ['heat heat_engine']],
    ['a container by its name with dashes', ['magnum-api'], [], ['magnum magnum_api']],
    ['a tag that containers of two services share', ['api'], [], ['heat heat_api', 'magnum magnum_api']],
    ['service and container together', ['heat', 'magnum_api'], [], ['heat! heat_api,heat_engine', 'magnum magnum_api']],
    ['a skipped service', [], ['common', 'magnum'], ['heat! heat_api,heat_engine']],
    ['a skipped container leaves the service whole', ['heat'], ['heat_api'], ['heat! heat_engine']],
    ['skip wins over tags', ['heat', 'magnum'], ['api'], ['heat! heat_engine', 'magnum! magnum_conductor']],
    ['what is not enabled may be skipped', ['heat'], ['barbican'], ['heat! heat_api,heat_engine']],
  ])('%s', (_, tags, skip, expected) => {
    expect(select(tags, skip)).toEqual(expected);
  });

  it('reports every unknown tag with the nearest names', () => {
    expect(select(['magnun', 'haet'], ['comon'])).toMatchObject([
      {
        code: 'unknown-tag',
        message: '--tags magnun: no service or container has this tag',
        hint: expect.stringContaining('magnum'),
      },
      { code: 'unknown-tag', message: expect.stringContaining('haet') },
      { code: 'unknown-tag', message: expect.stringContaining('--skip-tags comon'), hint: 'did you mean common?' },
    ]);
  });

  it('lists all tags when no name is near', () => {
    expect(select(['zzzzzz'])).toMatchObject([{ hint: `known tags: ${knownTags(enabled).join(', ')}` }]);
  });

  it('tells a disabled service from an unknown one', () => {
    expect(select(['barbican'])).toMatchObject([
      { code: 'disabled-tag', hint: 'set enable_barbican: yes in globals.yml' },
    ]);
  });

  it('refuses a choice of nothing', () => {
    expect(select(['heat'], ['heat'])).toMatchObject([{ code: 'nothing-selected', severity: 'error' }]);
  });
});
