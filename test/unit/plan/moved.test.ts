import { describe, expect, it } from 'vitest';
import { label } from '../../../src/core/model/node.ts';
import { configurationPrint } from '../../../src/core/plan/fingerprint.ts';
import { movedBasis } from '../../../src/core/plan/moved.ts';
import type { SimulatedNode } from '../../sim/node.ts';
import { nodeOf, refusals, save, twinOf } from '../../sim/saved.ts';
import { change, emptyWorld } from '../../sim/scenario.ts';
import { SimulatedSite } from '../../sim/site.ts';
import type { SimulatedWorld } from '../../sim/world.ts';

const site = new SimulatedSite();
const deployed = emptyWorld(site);
await change(site, deployed, 'deploy');
const newer = new SimulatedSite({ globals: 'magnum_tag: 2025.1-debian-trixie\n' });
const magnum = { tags: ['magnum'] };
const upgrade = await save(newer, deployed, 'upgrade', magnum);

/** The world as it was, with something moved by hand. */
function movedWorld(move: (node: SimulatedNode) => void, host = 'node2'): SimulatedWorld {
  const world = twinOf(deployed);
  move(nodeOf(world, host));
  return world;
}

const file = '/etc/kolla/magnum-api/magnum.conf';

describe('what moved on a node is named', () => {
  it.each<[string, string, (node: SimulatedNode) => void]>([
    [
      'replaced',
      'node2: container magnum_api was replaced by another one on the node',
      (node) => node.containers.set('magnum_api', { ...containerOf(node, 'magnum_api'), id: 'other' }),
    ],
    ['removed', 'node2: container magnum_api was removed on the node', (node) => node.containers.delete('magnum_api')],
    [
      'left aside',
      'node2: container magnum_api__previous was created on the node',
      (node) => node.containers.set('magnum_api__previous', { ...containerOf(node, 'magnum_api'), state: 'exited' }),
    ],
    [
      'stopped',
      'node2: container magnum_conductor was running, it is exited',
      (node) => {
        containerOf(node, 'magnum_conductor').state = 'exited';
      },
    ],
    [
      'relabelled',
      'node2: container magnum_api is another one by its labels or image',
      (node) => {
        const found = containerOf(node, 'magnum_api');
        node.containers.set('magnum_api', { ...found, labels: { ...found.labels, [label.specHash]: 'x' } });
      },
    ],
    [
      'edited',
      'node2: files in /etc/kolla/magnum-api/ were changed on the node: magnum.conf',
      (node) => node.files.set(file, { content: 'x', mode: '0660', sha256: 'x' }),
    ],
    [
      'a mode',
      'node2: files in /etc/kolla/magnum-api/ were changed on the node: magnum.conf',
      (node) => node.files.set(file, { content: '', mode: '0666', sha256: node.files.get(file)?.sha256 ?? '' }),
    ],
    [
      'deleted',
      'node2: files in /etc/kolla/magnum-api/ were removed on the node: magnum.conf',
      (node) => node.files.delete(file),
    ],
    [
      'added',
      'node2: files in /etc/kolla/magnum-api/ were added on the node: a, b',
      (node) => {
        for (const name of ['a', 'b']) {
          node.files.set(`/etc/kolla/magnum-api/${name}`, { content: '', mode: '0660', sha256: 'x' });
        }
      },
    ],
    [
      'a record',
      'node2: records of what was done on the node changed: identity.magnum',
      (node) => node.markers.set('identity.magnum', 'other'),
    ],
    ['a volume', 'node2: volumes were removed on the node: magnum', (node) => node.volumes.delete('magnum')],
    ['a balancer', 'node2: container haproxy was removed on the node', (node) => node.containers.delete('haproxy')],
  ])('%s', async (_, says, move) => {
    const [first, ...sentences] = await refusals(upgrade.saved, newer, movedWorld(move), magnum);
    expect(first).toBe(
      'x.plan is not carried out: what it was made from has moved since it was made\n    nothing was changed; deploy plan upgrade … --out x.plan makes it anew',
    );
    expect(sentences).toEqual([says]);
  });

  it('once for all hosts, and not without end', async () => {
    const world = twinOf(deployed);
    for (const node of world.nodes.values()) node.files.delete(file);
    expect((await refusals(upgrade.saved, newer, world, magnum)).slice(1)).toEqual([
      'node1, node2, node3: files in /etc/kolla/magnum-api/ were removed on the node: magnum.conf',
    ]);
    const all = await save(site, emptyWorld(site), 'deploy');
    const sentences = await refusals(all.saved, site, deployed);
    expect(sentences).toHaveLength(22);
    expect(sentences[21]).toMatch(/^and \d+ more$/);
  });
});

function containerOf(node: SimulatedNode, name: string) {
  const found = node.containers.get(name);
  if (found === undefined) throw new Error(`there is no ${name}`);
  return found;
}

describe('what moved in the configuration is named', () => {
  const tag = 'magnum_tag: 2025.1-debian-trixie\n';

  it.each([
    [
      'a tag',
      { globals: 'magnum_tag: 2024.1-debian-trixie\n' },
      /magnum_api wants image \S+:2024.1-debian-trixie, it was \S+:2025.1/,
    ],
    [
      'a variable',
      { globals: `${tag}magnum_api_port: 19511\n` },
      /^node1, node2, node3: the configuration of magnum_api changed \(var:magnum_api_port\): .*magnum.conf/,
    ],
    [
      'an override',
      { globals: tag, overrides: { 'magnum.conf': '[DEFAULT]\na = 1\n' } },
      /the configuration of magnum_conductor changed \(override:magnum.conf\): magnum.conf/,
    ],
    [
      'an environment',
      { globals: `${tag}openstack_region_name: other\n` },
      /service magnum: .*its registration in Keystone/,
    ],
    [
      'a host less',
      { globals: tag, hosts: ['node1', 'node2'] },
      /^node3: this host is no longer part of what is selected$/,
    ],
    [
      'a host more',
      { globals: tag, hosts: ['node1', 'node2', 'node3', 'node4'] },
      /^node4: this host has come to what is selected$/,
    ],
  ])('%s', async (_, settings, says) => {
    const other = new SimulatedSite(settings);
    const world = other.hosts.length > 3 ? widened(other) : twinOf(deployed);
    const sentences = await refusals(upgrade.saved, other, world, magnum);
    expect(sentences.slice(1)).toContainEqual(expect.stringMatching(says));
  });

  function widened(other: SimulatedSite): SimulatedWorld {
    const wide = emptyWorld(other);
    for (const node of twinOf(deployed).nodes.values()) wide.nodes.set(node.host, node);
    return wide;
  }

  it('the variable that is the cause', () => {
    const before = configurationPrint(newer.desired(magnum).desired);
    const now = structuredClone(before);
    const [old, fresh] = [before, now].map(({ hosts }) => hosts.node1?.containers.magnum_api);
    if (!old || !fresh) throw new Error('node1 has no magnum_api');
    Object.assign(old.sources, { 'var:magnum_api_workers': 'a', 'var:other': 'b' });
    Object.assign(fresh.sources, { 'var:magnum_api_workers': 'c', 'var:other': 'b' });
    fresh.spec = 'other';
    const moved = movedBasis({ configuration: before, nodes: {} }, { configuration: now, nodes: {} });
    expect(moved.map(({ host, message }) => `${host}: ${message}`)).toEqual([
      'node1: the container settings of magnum_api changed (var:magnum_api_workers)',
    ]);
  });

  it('a moved tag in the registry does not matter, another digest in the file does', async () => {
    expect(await refusals(upgrade.saved, newer, deployed, magnum)).toEqual([]);
    const digests = Object.fromEntries(Object.keys(upgrade.saved.digests).map((key) => [key, 'sha256:other']));
    const sentences = await refusals({ ...upgrade.saved, digests }, newer, deployed, magnum);
    expect(sentences.join('\n')).toContain('would be done differently now (image): pull magnum-api');
    const none = await refusals({ ...upgrade.saved, digests: {} }, newer, deployed, magnum);
    expect(none[1]).toContain('the plan does not say which ');
  });

  it('a step that is not in the plan, and one that is in it and no more to be done', async () => {
    const { saved } = upgrade;
    const [first, ...rest] = saved.steps;
    if (first === undefined) throw new Error('no steps');
    const less = await refusals({ ...saved, steps: rest }, newer, deployed, magnum);
    expect(less.slice(1)).toEqual([`${first.host}: is to be done now and is not in the plan: ${first.text}`]);
    const more = await refusals(
      { ...saved, steps: [...saved.steps, { ...first, id: 'other', text: 'do more' }] },
      newer,
      deployed,
      magnum,
    );
    expect(more.slice(1)).toEqual([`${first.host}: is in the plan and is no longer to be done: do more`]);
    const turned = await refusals({ ...saved, steps: [...saved.steps].reverse() }, newer, deployed, magnum);
    expect(turned.slice(1)).toEqual(['the steps would be carried out in another order']);
  });

  it('other words for the same step are no other plan', async () => {
    const steps = upgrade.saved.steps.map((step) => ({ ...step, reason: 'x', text: 'y' }));
    expect(await refusals({ ...upgrade.saved, steps }, newer, deployed, magnum)).toEqual([]);
  });
});
