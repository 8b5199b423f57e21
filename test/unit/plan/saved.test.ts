import { describe, expect, it } from 'vitest';
import { planAgain } from '../../../src/cli/verbs.ts';
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
