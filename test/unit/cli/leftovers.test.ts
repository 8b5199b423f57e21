import { describe, expect, it } from 'vitest';
import { leftoverInput, openOthers, otherHosts } from '../../../src/cli/leftovers.ts';
import type { SelectionOptions } from '../../../src/cli/options.ts';
import type { Target } from '../../../src/cli/site.ts';
import { SimulatedSite } from '../../sim/site.ts';

const { loaded } = new SimulatedSite({ hosts: ['node1', 'node2', 'node3', 'node4'] });
const selection = new Map([['heat', { service: 'heat', whole: false, containers: new Set(['heat_api']) }]]);
const target: Target = { selection, hosts: ['node1', 'node2'] };
const options: SelectionOptions = {
  configdir: '/nowhere',
  inventory: [],
  extraVars: [],
  forks: 1,
  json: false,
  knownHosts: ['/nowhere'],
  rollout: {},
  tags: [],
  skipTags: [],
  limit: undefined,
};

describe('hosts that may hold what is left over', () => {
  it('are all others of the inventory', () => {
    expect(otherHosts(loaded, target, options)).toEqual(['node3', 'node4']);
  });

  it('are those within the limit, and none when tags say what it is about', () => {
    expect(otherHosts(loaded, target, { ...options, limit: 'node1,node4' })).toEqual(['node4']);
    expect(otherHosts(loaded, target, { ...options, tags: ['heat'] })).toEqual([]);
  });

  it('are not the machine deploy runs on', () => {
    const site = {
      ...loaded.site,
      scope: (host: string) => {
        const scope = loaded.site.scope(host);
        if (host !== 'node3') return scope;
        return { ...scope, has: () => true, get: () => 'local' } as unknown as typeof scope;
      },
    };
    expect(otherHosts({ ...loaded, site }, target, options)).toEqual(['node4']);
  });

  it('are passed over with a warning when they cannot be reached', async () => {
    const { site } = new SimulatedSite({ globals: 'ansible_port: 70000\n' }).loaded;
    const { nodes, problems } = await openOthers({ ...loaded, site }, ['node3'], options);
    expect(nodes.size).toBe(0);
    expect(problems).toMatchObject([{ severity: 'warning', code: 'leftovers-unknown', host: 'node3' }]);
  });
});

describe('what a run is about', () => {
  const covers = (given: Partial<SelectionOptions>) =>
    leftoverInput(loaded, target, { ...options, ...given }, new Map()).covers;

  it('is everything but what is skipped, by service, container or tag', () => {
    expect(covers({})('gone', 'gone_api')).toBe(true);
    expect(covers({ skipTags: ['gone'] })('gone', 'gone_api')).toBe(false);
    expect(covers({ skipTags: ['gone-api'] })('gone', 'gone_api')).toBe(false);
    expect(covers({ skipTags: ['heat'] })('heat', 'heat_engine')).toBe(false);
  });

  it('is what tags select', () => {
    expect(covers({ tags: ['heat_api'] })('heat', 'heat_api')).toBe(true);
    expect(covers({ tags: ['heat_api'] })('heat', 'heat_engine')).toBe(false);
    expect(covers({ tags: ['heat_api'] })('gone', 'gone_api')).toBe(false);
  });
});
