import { describe, expect, it } from 'vitest';
import { planAgain } from '../../../src/cli/verbs.ts';
import { label } from '../../../src/core/model/node.ts';
import { configurationPrint } from '../../../src/core/plan/fingerprint.ts';
import { movedBasis } from '../../../src/core/plan/moved.ts';
import { parseSavedPlan } from '../../../src/core/plan/saved.ts';
import type { SimulatedNode } from '../../sim/node.ts';
import { again, nodeOf, refusals, save, surveyOf, twinOf } from '../../sim/saved.ts';
import { carryOut, change, emptyWorld, stateOf } from '../../sim/scenario.ts';
import { digestOf, passwordOf, SimulatedSite } from '../../sim/site.ts';
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

describe('a saved plan', () => {
  it('reads back as it was written, with all it was made with', () => {
    const { saved, plan } = upgrade;
    expect(saved).toMatchObject({
      kind: 'deploy-plan',
      format: 1,
      verb: 'upgrade',
      site: plan.site,
      options: { configdir: '/etc/kolla', inventory: ['/etc/kolla/inventory'], tags: ['magnum'], skipTags: [] },
    });
    expect(saved.steps.map(({ id }) => id)).toEqual(plan.steps.map(({ id }) => id));
    expect(Object.keys(saved.nodes)).toEqual(['node1', 'node2', 'node3']);
    expect(Object.keys(saved.configuration.services)).toEqual(['magnum']);
    for (const [image, digest] of Object.entries(saved.digests)) expect(digest).toBe(digestOf(image));
    expect(Object.keys(saved.digests)).toHaveLength(2);
  });

  it('holds no password and no content of a file', async () => {
    const { text } = await save(site, emptyWorld(site), 'deploy');
    const names = [...site.loaded.services.values()].flatMap((s) => Object.keys(s.definition.passwords));
    expect(names.length).toBeGreaterThan(10);
    for (const name of names) {
      expect(text).not.toContain(passwordOf(name));
      expect(text).not.toContain(encodeURIComponent(passwordOf(name)));
      expect(text).not.toContain(JSON.stringify(passwordOf(name)).slice(1, -1));
    }
    expect(text).not.toContain('[DEFAULT]');
  });

  it('of the same input is the same text', async () => {
    expect((await save(newer, twinOf(deployed), 'upgrade', magnum)).text).toBe(upgrade.text);
  });

  it.each([
    ['keystone_admin_password=whatever', 'keystone_admin_password'],
    ['some_password=whatever', 'some_password'],
    [`a=1 b='mysql://root:${passwordOf('database_password')}@x'`, 'b'],
    [JSON.stringify({ c: { d: [passwordOf('rabbitmq_password')] } }), 'c'],
  ])('is refused with a secret on the command line: -e %s', async (argument, name) => {
    const saving = save(newer, deployed, 'upgrade', magnum, { extraVars: ['x=1', argument] });
    await expect(saving).rejects.toMatchObject({
      exit: 3,
      diagnostics: [{ code: 'secret-in-plan', message: `-e ${name} holds a secret, which a saved plan must not` }],
    });
    await expect(saving).rejects.not.toThrow(passwordOf('rabbitmq_password'));
  });

  it('keeps other extra variables, and of files their absolute paths', async () => {
    const { saved } = await save(newer, deployed, 'upgrade', magnum, { extraVars: ['heat_x=1', '@vars.yml'] });
    expect(saved.options.extraVars).toEqual(['heat_x=1', `@${process.cwd()}/vars.yml`]);
  });
});

describe('a file that is no plan to apply', () => {
  const { text } = upgrade;
  const changed = (change: object) => JSON.stringify({ ...JSON.parse(text), ...change });

  it.each([
    ['cut off', text.slice(0, -100), 'the saved plan is damaged: it is not complete JSON'],
    ['empty', '', 'not a saved plan: the file is not JSON'],
    ['something else', '{"services": []}', 'not a saved plan: the file does not say that it is one'],
    ['a list', '[1]', 'not a saved plan: the file does not say that it is one'],
    ['a text', 'hello', 'not a saved plan: the file is not JSON'],
    ['of a newer program', changed({ format: 2, more: true }), 'has format 2, this program reads format 1'],
    ['without its steps', changed({ steps: undefined }), 'the saved plan is damaged: steps: '],
    ['with a key nobody knows', changed({ stepz: [] }), 'the saved plan is damaged: stepz: '],
    ['with a broken node', changed({ nodes: { node1: { files: 1 } } }), 'damaged: nodes.node1.containers: '],
  ])('%s', (_, broken, says) => {
    const result = parseSavedPlan(broken, 'x.plan');
    expect(result.ok).toBe(false);
    expect(result.diagnostics.map(({ message }) => message).join('\n')).toContain(says);
    for (const { at } of result.diagnostics) expect(at?.file).toBe('x.plan');
  });
});

describe('an apply', () => {
  it.each([
    ['upgrade', newer, deployed, magnum],
    ['deploy', site, emptyWorld(site), {}],
    ['pull', newer, deployed, {}],
    ['reconfigure', new SimulatedSite({ globals: 'heat_api_port: 18004\n' }), deployed, { tags: ['heat'] }],
    ['stop', site, deployed, { tags: ['heat'], limit: 'node1' }],
    ['destroy', site, deployed, { tags: ['heat', 'magnum'] }],
  ] as const)(
    'of %s at once is the same plan, and once carried out leaves nothing to do',
    async (verb, of, start, choice) => {
      const world = twinOf(start);
      const { plan, saved } = await save(of, world, verb, choice);
      expect(plan.steps.length).toBeGreaterThan(0);
      const same = await again(saved, of, world, choice);
      expect(same).toEqual(plan);
      expect((await carryOut(same, world)).failed).toEqual([]);
      const survey = { ...surveyOf(of, world, choice), digests: new Map(Object.entries(saved.digests)) };
      const silent = { json: false, line() {}, note() {}, data() {}, diagnostics() {}, failure() {}, redactWith() {} };
      expect((await planAgain(verb, survey, { keepVolumes: false }, silent)).steps).toEqual([]);
      if (verb !== 'pull') expect((await refusals(saved, of, world, choice)).length).toBeGreaterThan(1);
    },
  );

  it('of a destroy keeps the volumes if the plan did', async () => {
    const { saved, plan } = await save(site, deployed, 'destroy', { tags: ['mariadb'] }, { keepVolumes: true });
    expect(saved.options.keepVolumes).toBe(true);
    const world = twinOf(deployed);
    await carryOut(await again(saved, site, world, { tags: ['mariadb'] }), world);
    expect(nodeOf(world, 'node1').volumes.has('mariadb')).toBe(true);
    const without = { ...saved, options: { ...saved.options, keepVolumes: false } };
    expect((await refusals(without, site, deployed, { tags: ['mariadb'] })).length).toBeGreaterThan(1);
    expect(plan.steps.length).toBeGreaterThan(0);
  });

  it('does not mind what moves by itself, nor what is not the plan’s concern', async () => {
    const world = movedWorld((node) => {
      node.listening.push({ address: '0.0.0.0', port: 80 });
      node.containers.delete('heat_engine');
      node.files.set('/etc/kolla/globals.yml', { content: 'x', mode: '0660', sha256: 'x' });
      node.markers.set('loaded.heat_api', 'x y');
      node.volumes.set('a-volume', new Map());
    });
    expect(await refusals(upgrade.saved, newer, world, magnum)).toEqual([]);
    expect(stateOf(world)).not.toEqual(stateOf(deployed));
  });
});

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
