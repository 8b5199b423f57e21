import { describe, expect, it } from 'vitest';
import { sha256 } from '../../../src/core/hash.ts';
import type { ImageDefinition, PlannedImage } from '../../../src/core/images/definition.ts';
import { describeFailure, mayPass } from '../../../src/core/images/failure.ts';
import { type BuildSettings, planBuild } from '../../../src/core/images/graph.ts';
import { selectImages } from '../../../src/core/images/select.ts';
import { parseTag } from '../../../src/core/images/tag.ts';

function image(service: string, name: string, dockerfile: string, files: Record<string, string> = {}): ImageDefinition {
  return {
    service,
    name,
    dockerfile: { text: dockerfile, file: `services/${service}/images/${name}/Dockerfile.hbs` },
    context: Object.entries(files).map(([path, text]) => ({
      path,
      mode: 0o644,
      content: new TextEncoder().encode(text),
      sha256: sha256(text),
    })),
  };
}

const tree = [
  image('magnum', 'magnum-api', 'FROM {{parent "magnum-base"}}\n'),
  image('common', 'base', 'FROM {{base_image}}\nRUN {{install "a  b"}}\n', { 'sources.list': 'deb x' }),
  image(
    'magnum',
    'magnum-base',
    'FROM {{parent "openstack-base"}}\n{{#if (eq openstack_release "zed")}}\nRUN old\n{{/if}}\n',
  ),
  image('common', 'openstack-base', 'FROM {{parent "base"}}\n'),
  image('heat', 'heat-api', 'FROM {{parent "openstack-base"}}\n'),
];

function plan(selected: readonly ImageDefinition[], more: Partial<BuildSettings> = {}) {
  return planBuild({
    definitions: tree,
    selected,
    tagsOf: () => ['zed-debian-bookworm'],
    repositoryOf: (name) => `r:5000/deploy/${name}`,
    baseImageOf: (tag) => ({ reference: `r:5000/lab/${tag.distro}:${tag.version}` }),
    arch: 'x86_64',
    ...more,
  });
}

function planned(...args: Parameters<typeof plan>): readonly PlannedImage[] {
  const result = plan(...args);
  if (!result.ok) throw new Error(result.diagnostics.map((d) => d.message).join('; '));
  return result.value.images;
}

function named(...names: string[]): ImageDefinition[] {
  return tree.filter((definition) => names.includes(definition.name));
}

function hashes(images: readonly PlannedImage[]): Record<string, string> {
  return Object.fromEntries(images.map((one) => [one.key, one.contentHash]));
}

describe('planBuild', () => {
  it('adds parents, orders them first and renders what the release asks for', () => {
    const images = planned(named('magnum-api'));
    expect(images.map((one) => one.name)).toEqual(['base', 'openstack-base', 'magnum-base', 'magnum-api']);
    expect(images.map((one) => one.selected)).toEqual([false, false, false, true]);
    expect(images[0]?.dockerfile).toMatch(
      /^FROM r:5000\/lab\/debian:bookworm\nRUN apt-get update && apt-get -y --no-install-recommends install a b && .*\nLABEL deploy\.content-hash="[0-9a-f]{64}"\n$/,
    );
    expect(images[2]?.dockerfile).toMatch(/^FROM r:5000\/deploy\/openstack-base:zed-debian-bookworm\nRUN old\nLABEL/);
  });

  it('builds a parent once per tag of its children', () => {
    const tagsOf = (one: ImageDefinition) => [
      one.service === 'magnum' ? '2025.1-debian-trixie' : 'zed-debian-bookworm',
    ];
    const images = planned(named('magnum-api', 'heat-api'), { tagsOf });
    expect(images.map((one) => one.key)).toEqual([
      'base:2025.1-debian-trixie',
      'openstack-base:2025.1-debian-trixie',
      'magnum-base:2025.1-debian-trixie',
      'magnum-api:2025.1-debian-trixie',
      'base:zed-debian-bookworm',
      'openstack-base:zed-debian-bookworm',
      'heat-api:zed-debian-bookworm',
    ]);
  });

  it('changes the content hash of exactly what depends on a change', () => {
    const before = hashes(planned(tree));
    const definitions = tree.map((one) =>
      one.name === 'magnum-base' ? image('magnum', one.name, one.dockerfile.text, { f: '1' }) : one,
    );
    const after = hashes(planned(definitions, { definitions }));
    const changed = Object.keys(before).filter((key) => before[key] !== after[key]);
    expect(changed.sort()).toEqual(['magnum-api:zed-debian-bookworm', 'magnum-base:zed-debian-bookworm']);
    const rebased = hashes(
      planned(tree, { baseImageOf: () => ({ reference: 'r:5000/lab/debian:bookworm', digest: 'sha256:2' }) }),
    );
    expect(Object.keys(before).every((key) => before[key] !== rebased[key])).toBe(true);
    expect(hashes(planned(tree))).toEqual(before);
  });

  it('reports unknown parents, circles and bad tags together with their places', () => {
    const definitions = [
      image('a', 'one', 'FROM {{parent "two"}}'),
      image('a', 'two', 'FROM {{parent "one"}}'),
      image('b', 'three', '\nFROM {{parent "twoo"}}'),
    ];
    const tagsOf = (one: ImageDefinition) =>
      one.name === 'three' ? ['zed-debian-bookworm', 'latest'] : ['zed-debian-bookworm'];
    const result = plan(definitions, { definitions, tagsOf });
    expect(result.diagnostics.map((d) => `${d.at?.file ?? ''}:${d.at?.line ?? ''} ${d.message}`)).toEqual([
      'services/a/images/one/Dockerfile.hbs:1 images are built from each other: one → two → one',
      'services/b/images/three/Dockerfile.hbs:2 there is no image "twoo" to build from; did you mean two?',
      ': "latest" is not an image tag that can be built',
    ]);
  });

  it('refuses two images of one name', () => {
    const definitions = [image('a', 'x', ''), image('b', 'x', '')];
    expect(plan([], { definitions }).diagnostics[0]?.message).toBe(
      'image x is also defined in services/a/images/x/Dockerfile.hbs',
    );
  });
});

describe('selectImages', () => {
  it.each([
    [[], ['heat-api']],
    [['magnum'], ['magnum-api', 'magnum-base']],
    [['base'], ['base']],
    [['magnum-*'], ['magnum-api', 'magnum-base']],
    [['*-api'], ['heat-api', 'magnum-api']],
    [['/^m.*api$/'], ['magnum-api']],
    [
      ['/base/', 'heat'],
      ['base', 'heat-api', 'magnum-base', 'openstack-base'],
    ],
  ])('%j', (patterns, expected) => {
    const result = selectImages(patterns, tree, new Set(['heat']));
    expect(result.ok && result.value.map((one) => one.name).sort()).toEqual(expected);
  });

  it('names what is near a pattern that matches nothing, and every bad pattern', () => {
    const result = selectImages(['magnm-api', 'zz*', '/(/'], tree, new Set());
    expect(result.diagnostics.map((d) => d.message)).toEqual([
      'no image or service matches magnm-api',
      'no image or service matches zz*',
      '/(/ is not a valid regular expression',
    ]);
    expect(result.diagnostics[0]?.hint).toBe('did you mean magnum-api?');
  });
});

it.each([
  ['zed-debian-bookworm', { release: 'zed', distro: 'debian', version: 'bookworm', suffix: undefined }],
  ['2025.1-rocky-9-20250730T090000', { release: '2025.1', distro: 'rocky', version: '9', suffix: '20250730T090000' }],
  ['2025.1-ubuntu-24.04-aarch64', { release: '2025.1', distro: 'ubuntu', version: '24.04', suffix: 'aarch64' }],
])('parses the tag %s', (text, expected) => expect(parseTag(text)).toMatchObject({ value: { text, ...expected } }));

it.each(['latest', 'zed-debian', 'zed_debian_x', 'ZED-debian-bookworm', ''])('refuses the tag %j', (text) => {
  expect(parseTag(text).ok).toBe(false);
});

describe('failures', () => {
  it.each([
    ['E: Failed to fetch http://x Hash Sum mismatch', true],
    ['Temporary failure resolving x', true],
    ['received unexpected HTTP status: 503 Service Unavailable', true],
    ['read ECONNRESET', true],
    ["The command '/bin/sh -c false' returned a non-zero code: 1", false],
    ['E: Unable to locate package x', false],
    ['404 Not Found', false],
    ['unknown instruction: FOO', false],
  ])('%s: may pass %s', (message, expected) => expect(mayPass({ message, lines: [] })).toBe(expected));

  it('finds the line of the template behind a failed step', () => {
    const text = 'FROM scratch\n{{#if true}}\n# note\nRUN one \\\n  # inside\n  two\n\nRUN three\n{{/if}}\n';
    const definition = image('x', 'x', text);
    const [only] = planned([definition], { definitions: [definition] });
    if (!only) throw new Error('nothing planned');
    const failure = {
      message: 'returned a non-zero code: 1',
      lines: ['Step 2/4 : RUN one   two', 'Step 3/4 : RUN three', 'oops'],
    };
    const said = describeFailure(only, text, failure);
    expect(said.at).toEqual({ file: definition.dockerfile.file, line: 8, column: 1 });
    expect(said.message).toBe('x:zed-debian-bookworm: step 3 of 4 failed: RUN three: returned a non-zero code: 1');
  });
});
