import { describe, expect, it } from 'vitest';
import { resolveDigests } from '../../../src/cli/registry.ts';
import { DeployError, error, exitCode, formatDiagnostic } from '../../../src/core/model/diagnostic.ts';
import { MissingImages } from '../../../src/edge/registry/missing-images.ts';
import type { Registry } from '../../../src/edge/registry/registry.ts';

type Known = Readonly<Record<string, readonly string[]>>;

/** A registry that has these tags; asked for `broken`, it is not usable. */
function registryWith(known: Known): Registry {
  return {
    resolveDigest: async ({ repository, tag }) => {
      const path = repository.slice(repository.indexOf('/') + 1);
      if (path === 'broken') throw new DeployError([error('registry', 'no access')], exitCode.nodeNotUsable);
      const tags = known[path] ?? [];
      if (!tags.includes(tag)) throw new MissingImages([{ registry: 'r:5000', path, tag, known: tags }]);
      return 'sha256:1';
    },
    inspect: async () => undefined,
    contentHashLabel: async () => undefined,
    smallFile: async () => undefined,
    listTags: async () => [],
  };
}

async function told(known: Known, tag: string, paths: readonly string[]): Promise<string[]> {
  const images = paths.map((path) => ({ repository: `r:5000/${path}`, tag }));
  const thrown: unknown = await resolveDigests(registryWith(known), images).catch((cause: unknown) => cause);
  if (!(thrown instanceof DeployError)) throw new Error('nothing was thrown');
  expect(thrown.exit).toBe(4);
  return thrown.diagnostics.map(formatDiagnostic);
}

describe('a tag the registry lacks', () => {
  it('is one message for all images that want it', async () => {
    const known = { 'd/heat-api': ['zed', 'zeb'], 'd/heat-engine': ['zed'], 'd/keystone': ['zed', 'zeb'] };
    expect(await told(known, 'zen', Object.keys(known))).toEqual([
      `error: there is no tag zen of d/heat-api, d/heat-engine, d/keystone in the registry r:5000; known tags: zed
    set openstack_tag or the tag variables of these services to one of them, or deploy build heat-api heat-engine keystone --push makes them`,
    ]);
  });

  it('keeps its own words for one image, and names images that do not exist apart', async () => {
    expect(await told({ 'd/cron': ['a'] }, 'b', ['d/cron', 'd/nova', 'd/glance', 'broken'])).toEqual([
      'error: no access',
      `error: there is no tag b of d/cron in the registry r:5000; known tags: a
    set the tag variable of this container to one of them, or deploy build cron --push makes it`,
      `error: there is no image d/glance, d/nova in the registry r:5000
    deploy build glance nova --push makes them`,
    ]);
  });

  it('stays readable for many images', async () => {
    const paths = Array.from({ length: 40 }, (_, i) => `d/image${i}`);
    const [message, ...more] = await told(Object.fromEntries(paths.map((p) => [p, ['a']])), 'b', paths);
    expect(more).toEqual([]);
    expect(message).toContain(' and 28 others in the registry');
  });
});
