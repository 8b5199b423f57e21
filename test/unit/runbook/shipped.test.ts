import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { runbookSite, stageVocabulary } from '../../../src/cli/runbook/load.ts';
import { planStages } from '../../../src/cli/runbook/plan.ts';
import { programDirectory } from '../../../src/cli/site.ts';
import type { Survey } from '../../../src/cli/survey.ts';
import { imageName } from '../../../src/core/model/node.ts';
import { imagesToResolve } from '../../../src/core/plan/policy.ts';
import { type ResolvedRunbook, resolveRunbook } from '../../../src/core/runbook/resolve.ts';
import { parseRunbook } from '../../../src/core/runbook/runbook-file.ts';
import type { OpenNode } from '../../../src/edge/node/node.ts';
import { type PlannedStage, plannedStageJson, plannedStageText } from '../../../src/report/runbook-plan.ts';
import { change, emptyWorld, observe } from '../../sim/scenario.ts';
import { digestOf, must, passwordOf, SimulatedSite } from '../../sim/site.ts';

const folder = join(programDirectory, 'playbooks');
const plain = new SimulatedSite();
const world = emptyWorld(plain);
await change(plain, world, 'deploy');
const newMagnum = 'magnum_tag: 2025.1-debian-trixie\n';
const silent = { json: false, line() {}, note() {}, data() {}, diagnostics() {}, failure() {}, redactWith() {} };

function shipped(name: string, site: SimulatedSite): ResolvedRunbook {
  const file = join(folder, `${name}.yml`);
  const parsed = must(parseRunbook(readFileSync(file, 'utf8'), `playbooks/${name}.yml`, stageVocabulary()));
  expect(parsed.definition.runbook).toBe(name);
  return must(resolveRunbook(parsed, runbookSite(site.loaded)));
}

/** What the registry holds: everything but the images a stage builds. */
async function planned(runbook: ResolvedRunbook, site: SimulatedSite, built: readonly string[] = [], nodes = world) {
  const all = site.desired();
  const images = (['pull', 'upgrade'] as const).flatMap((verb) => imagesToResolve(verb, all.desired, observe(nodes)));
  const held = images.map(imageName).filter((name) => !built.includes(name));
  const survey = {
    loaded: site.loaded,
    ...all,
    observed: observe(nodes),
    nodes: nodes.nodes as unknown as ReadonlyMap<string, OpenNode>,
    digests: new Map(held.map((name) => [name, digestOf(name)])),
    hooks: new Map(),
    hookTimeout: 1,
    options: { tags: [], skipTags: [], rollout: {} },
  } as unknown as Survey;
  const stages: PlannedStage[] = [];
  const targets = new Map(
    runbook.stages.map((stage) => [stage.name, site.desired({ tags: stage.tags, skipTags: stage.skipTags }).target]),
  );
  const builds = async () => built.map((reference) => ({ reference, needed: true, parent: false }));
  for await (const stage of planStages(runbook.stages, { targets, output: silent, survey, builds })) stages.push(stage);
  return stages;
}

function textOf(stages: readonly PlannedStage[]): string {
  return `${stages.map((stage) => plannedStageText(stage, stages.length)).join('\n')}\n`;
}

describe('the runbooks that come with the program', () => {
  it('are in order, all of them', () => {
    const names = readdirSync(folder).map((file) => file.replace(/\.yml$/, ''));
    expect(names.sort()).toEqual(['config-reconcile', 'magnum-ahead']);
    for (const name of names) shipped(name, plain);
  });

  it('the example of the README is in order too', () => {
    const readme = readFileSync(join(programDirectory, 'README.md'), 'utf8');
    const [, text = ''] = /```yaml\n(runbook: [^`]*)```/.exec(readme) ?? [];
    const parsed = must(parseRunbook(text, 'README.md', stageVocabulary()));
    const [, upgrade] = must(resolveRunbook(parsed, runbookSite(plain.loaded))).stages;
    expect(upgrade?.note).toBe('Keystone becomes zed-debian-bookworm.');
  });

  it('magnum-ahead is planned as a whole although its images are still to be built', async () => {
    const site = new SimulatedSite({
      globals: newMagnum,
      overrides: { 'heat.conf': '[DEFAULT]\nnum_engine_workers = 3\n' },
    });
    const built = ['magnum-base', 'magnum-api', 'magnum-conductor'].map(
      (name) => `registry.example.org:5000/deploy/${name}:2025.1-debian-trixie`,
    );
    const stages = await planned(shipped('magnum-ahead', site), site, built);
    const text = textOf(stages);
    for (const line of [
      'stage build (1 of 7)\n  Magnum becomes 2025.1-debian-trixie. ',
      '> deploy build magnum --push\n  registry.example.org:5000/deploy/magnum-base:2025.1-debian-trixie\n',
      '> deploy pull --tags magnum --skip-tags common\n  not built yet: magnum-api:2025.1-debian-trixie after stage build',
      'pull magnum-api:2025.1-debian-trixie',
      '> deploy prechecks --tags magnum --skip-tags common\n  only looks\n',
      '> deploy upgrade --tags magnum --skip-tags common\n  not built yet: ',
      '  as it would be now, before stage pull\n  deploy upgrade: ',
      "gate 'Magnum lists cluster templates' from node1, within 120 s\n",
      'stage template (5 of 7): skipped, its condition is false\n',
      '> deploy reconfigure --tags heat --skip-tags common\n  deploy reconfigure: ',
    ]) {
      expect(text).toContain(line);
    }
    expect(stages.map(({ stage, pending }) => `${stage.name} ${pending}`)).toEqual([
      'build true',
      'pull true',
      'precheck false',
      'upgrade true',
      'template false',
      'heat true',
      'verify false',
    ]);
    const json = JSON.stringify(stages.map(plannedStageJson));
    for (const said of [text, json]) expect(said).not.toContain(passwordOf('keystone_admin_password'));
  });

  it('config-reconcile has nothing to do when nothing was edited, and only what was meant when something was', async () => {
    expect((await planned(shipped('config-reconcile', plain), plain)).some(({ pending }) => pending)).toBe(false);
    const edited = new SimulatedSite({ overrides: { 'heat.conf': '[DEFAULT]\nnum_engine_workers = 3\n' } });
    const stages = await planned(shipped('config-reconcile', edited), edited);
    expect(stages.filter(({ pending }) => pending).map(({ stage }) => stage.name)).toEqual(['apply']);
    const apply = stages.find(({ stage }) => stage.name === 'apply')?.parts[0]?.plan;
    expect(new Set(apply?.steps.map(({ service }) => service))).toEqual(new Set(['heat']));
    // The last plan is made before anything was applied, and says so.
    expect(textOf(stages)).toContain('as it would be now, before stage apply');
  });

  it('what cannot be planned before an earlier stage is said, not refused', async () => {
    const text = `runbook: r
summary: s
stages:
  - {stage: base, verb: deploy, tags: [mariadb, loadbalancer, memcached, common]}
  - {stage: keystone, verb: deploy, tags: [keystone]}
`;
    const runbook = must(
      resolveRunbook(must(parseRunbook(text, 'r.yml', stageVocabulary())), runbookSite(plain.loaded)),
    );
    const stages = await planned(runbook, plain, [], emptyWorld(plain));
    expect(textOf(stages)).toContain('cannot be planned before stage base:\n  error: ');
    const alone = { ...runbook, stages: runbook.stages.slice(1) };
    await expect(planned(alone, plain, [], emptyWorld(plain))).rejects.toThrow(/keystone/);
  });
});
