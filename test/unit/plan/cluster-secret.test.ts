import { describe, expect, it } from 'vitest';
import { sha256 } from '../../../src/core/hash.ts';
import { type Diagnostic, formatDiagnostic } from '../../../src/core/model/diagnostic.ts';
import { makePlan } from '../../../src/core/plan/plan.ts';
import { recordedKey, rolledBack } from '../../../src/core/plan/rollback.ts';
import type { Plan } from '../../../src/core/plan/steps.ts';
import { planStop } from '../../../src/core/plan/teardown.ts';
import { killEverywhere } from '../../sim/kill.ts';
import { steps } from '../../sim/order.ts';
import { nodeOf, save } from '../../sim/saved.ts';
import { carryOut, change, copyOf, emptyWorld, observe, planInDetail, stateOf } from '../../sim/scenario.ts';
import { type Choice, must, passwordOf, SimulatedSite, type SiteSettings } from '../../sim/site.ts';
import type { SimulatedWorld } from '../../sim/world.ts';

const file = '/etc/kolla/rabbitmq/erlang.cookie';
const tags: Choice = { tags: ['rabbitmq'] };
const fourHosts = ['node1', 'node2', 'node3', 'node4'];
const tuning = 'rabbitmq_extra_config: {heartbeat: 30}\n';

function withCookie(cookie: string, settings: SiteSettings = {}): SimulatedSite {
  return new SimulatedSite({
    ...settings,
    passwords: (name) => (name === 'rabbitmq_cluster_cookie' ? cookie : undefined),
  });
}

const site = new SimulatedSite();
const other = withCookie('another-cookie');
const tuned = new SimulatedSite({ globals: tuning });
const deployed = emptyWorld(site);
await change(site, deployed, 'deploy');

/** The same nodes after some work on them. */
function nodesAfter(work: (world: SimulatedWorld) => void, from = deployed): SimulatedWorld {
  const world = copyOf(from);
  work(world);
  return world;
}

function edit(world: SimulatedWorld, host: string, content: string): void {
  nodeOf(world, host).files.set(file, { content, mode: '0660', sha256: sha256(content) });
}

async function stop(world: SimulatedWorld, choice = tags): Promise<SimulatedWorld> {
  const { desired } = site.desired(choice);
  expect((await carryOut(planStop(desired, observe(world)), world)).failed).toEqual([]);
  return world;
}

const stopped = await stop(copyOf(deployed));

function diagnose(of: SimulatedSite, world: SimulatedWorld, choice = tags): readonly Diagnostic[] {
  const result = of.plan('reconfigure', observe(world), choice);
  expect(result.ok).toBe(result.diagnostics.length === 0);
  return result.diagnostics;
}

function cookies(world: SimulatedWorld): (string | undefined)[] {
  return world.running('rabbitmq').map(({ cookie }) => cookie);
}

describe('another cookie than that of the members that run', () => {
  it.each(['deploy', 'reconfigure', 'upgrade', 'reconcile'] as const)('is no plan: %s', async (verb) => {
    const world = copyOf(deployed);
    const refused = save(other, world, verb, tags);
    await expect(refused).rejects.toMatchObject({ exit: 4, diagnostics: [{ code: 'cluster-secret-changed' }] });
    expect(stateOf(world)).toEqual(stateOf(deployed));
    expect(world.log).toEqual([]);
  });

  it('is said with hosts, place and both ways on, and without its value', () => {
    const [problem, ...more] = diagnose(other, deployed, {});
    expect(more).toEqual([]);
    const text = problem ? formatDiagnostic(problem) : '';
    expect(text).toMatchInlineSnapshot(`
      "passwords.yml:18:27: error: rabbitmq: the members on node1, node2, node3 run with another rabbitmq_cluster_cookie than the one that is wanted: a member that starts with it cannot join them
          put theirs back into passwords.yml (node1 has it in /etc/kolla/rabbitmq/erlang.cookie), or take the whole cluster down and start it with the wanted one: deploy stop --tags rabbitmq, then deploy reconfigure --tags rabbitmq"
    `);
    expect(text).not.toContain('another-cookie');
    expect(text).not.toContain(passwordOf('rabbitmq_cluster_cookie'));
  });

  it('does not concern what is planned without them', () => {
    expect(diagnose(other, deployed, { tags: ['magnum'] })).toEqual([]);
    expect(diagnose(other, deployed, { skipTags: ['rabbitmq'] })).toEqual([]);
  });

  it('is refused whatever some of the hosts hold meanwhile, as long as most run with theirs', () => {
    const one = nodesAfter((world) => edit(world, 'node1', 'another-cookie'));
    expect(diagnose(other, one)[0]?.message).toContain('on node2, node3 run ');
    const down = nodesAfter((world) => nodeOf(world, 'node1').containers.delete('rabbitmq'));
    expect(diagnose(other, down)[0]?.message).toContain('on node2, node3 run ');
  });

  it('is refused beside a member that is new', async () => {
    const four = emptyWorld(new SimulatedSite({ hosts: fourHosts }));
    await change(site, four, 'deploy');
    expect(diagnose(new SimulatedSite({ hosts: fourHosts }), four)).toEqual([]);
    const both = withCookie('another-cookie', { hosts: fourHosts });
    expect(diagnose(both, four)[0]?.message).toContain('on node1, node2, node3 run ');
  });

  it('is refused also where a limit shows only one of them', () => {
    const [problem] = diagnose(other, deployed, { ...tags, limit: 'node2' });
    expect(problem?.message).toContain('the members on node2 run with another');
    expect(problem?.hint).toMatch(/^node1, node3 were not looked at: run without --limit; or put theirs/);
  });

  it('is no matter where there is only one', async () => {
    const hosts = ['node1'];
    const alone = new SimulatedSite({ hosts });
    const world = emptyWorld(alone);
    await change(alone, world, 'deploy');
    await change(withCookie('another-cookie', { hosts }), world, 'reconfigure', tags);
    expect(world.running('rabbitmq')).toHaveLength(1);
  });

  it('keeps a rollback from the one before', async () => {
    const world = copyOf(stopped);
    await change(other, world, 'reconfigure', tags);
    const back = async (of: SimulatedWorld) => {
      const { desired } = other.desired(tags);
      const recorded = new Map(
        await Promise.all(
          desired.services
            .flatMap((service) => service.containers)
            .map(
              async ({ host, name, directory }) =>
                [recordedKey(host, name), await nodeOf(of, host).readGeneration(name, directory, 'previous')] as const,
            ),
        ),
      );
      const before = must(rolledBack(desired, observe(of), recorded)).desired;
      return makePlan({ verb: 'rollback', desired: before, observed: observe(of), digests: new Map() });
    };
    const refused = await back(world);
    expect(refused.diagnostics.map(({ code, at }) => [code, at])).toEqual([['cluster-secret-changed', undefined]]);
    expect(refused.diagnostics[0]?.hint).toMatch(
      /^take the whole cluster down .* then deploy rollback --tags rabbitmq$/,
    );
    const down = await stop(world);
    expect((await carryOut(must(await back(down)), down)).failed).toEqual([]);
    expect(cookies(down)).toEqual(cookies(deployed));
  });
});

describe('another cookie while no member runs', () => {
  it('is given to all of them at once, and they are one cluster again', async () => {
    for (const verb of ['deploy', 'reconfigure', 'upgrade', 'reconcile'] as const) {
      const world = copyOf(stopped);
      const plan = await change(other, world, verb, tags);
      expect(steps(plan, 'rabbitmq-check', 'rabbitmq')).toHaveLength(3);
      expect(new Set(cookies(world)).size).toBe(1);
      expect(cookies(world)).toHaveLength(3);
      expect(cookies(world)).not.toEqual(cookies(deployed));
      expect(must(other.plan(verb, observe(world), tags)).steps).toEqual([]);
    }
  });

  it('also where their containers are gone', async () => {
    const world = nodesAfter((one) => {
      for (const node of one.nodes.values()) node.containers.delete('rabbitmq');
    });
    await change(other, world, 'deploy', tags);
    expect(cookies(world)).toHaveLength(3);
  });

  it('is finished by the same command, wherever it was killed', async () => {
    const start = () => copyOf(stopped);
    const { points, problems } = await killEverywhere({
      site: other,
      verb: 'reconfigure',
      choice: tags,
      start,
      between: 'changes',
    });
    expect(problems).toEqual([]);
    expect(points).toBeGreaterThan(20);
  });

  it('cannot be taken back once a member runs with it', async () => {
    const world = copyOf(stopped);
    let begun: SimulatedWorld | undefined;
    world.after = ({ call, subject }) => {
      if (call === 'start' && subject === 'rabbitmq') begun ??= copyOf(world);
    };
    await change(other, world, 'reconfigure', tags);
    if (begun === undefined) throw new Error('nothing was started');
    expect(cookies(begun)).toHaveLength(1);
    expect(diagnose(site, begun)[0]?.message).toContain('the members on node1 run with another');
    expect(diagnose(other, begun)).toEqual([]);
  });

  it('is not given to some of them only', () => {
    const [problem] = diagnose(other, stopped, { ...tags, limit: 'node1,node2' });
    expect(problem?.message).toBe(
      'rabbitmq: the members on node1, node2 would get another rabbitmq_cluster_cookie, and node3 was not looked at, where the old one may be in use',
    );
    expect(diagnose(site, stopped, { ...tags, limit: 'node1' })).toEqual([]);
    expect(diagnose(other, emptyWorld(other), { ...tags, limit: 'node1' })).toEqual([]);
  });

  it('stays with a member that is put back', async () => {
    const world = copyOf(stopped);
    const newest = withCookie('another-cookie', { globals: tuning });
    const conf = '/etc/kolla/rabbitmq/rabbitmq.conf';
    world.crashes = (container) => {
      const node = nodeOf(world, 'node2');
      return (
        node.containers.get('rabbitmq') === container && node.files.get(conf)?.content.includes('heartbeat') === true
      );
    };
    const result = await carryOut(must(newest.plan('reconfigure', observe(world), tags)), world);
    expect(result.reverted).toMatchObject([{ way: { container: 'rabbitmq' }, failed: [] }]);
    expect(nodeOf(world, 'node2').files.get(conf)?.content).not.toContain('heartbeat');
    expect(new Set(cookies(world)).size).toBe(1);
    expect(cookies(world)).toHaveLength(3);
    world.crashes = () => false;
    await change(newest, world, 'reconfigure', tags);
    expect(must(newest.plan('reconfigure', observe(world), tags)).steps).toEqual([]);
  });
});

describe('a cookie that differs on a few hosts', () => {
  const byHand = nodesAfter((world) => edit(world, 'node2', 'by hand'));

  it('is put right where a hand has changed the file, without a restart', () => {
    const plan: Plan = must(planInDetail(site, byHand, 'reconfigure', tags));
    expect(plan.steps.map(({ kind, host }) => `${host} ${kind}`)).toEqual(['node2 write']);
  });

  it('is put right together with another change, also with a limit', async () => {
    const world = copyOf(byHand);
    expect(diagnose(tuned, byHand, { ...tags, limit: 'node2' })).toEqual([]);
    await change(tuned, world, 'reconfigure', tags);
    expect(cookies(world)).toEqual(cookies(deployed));
  });

  it('is taken for what the others have when nothing tells what that host runs with', async () => {
    const world = nodesAfter((one) => {
      const conf = { content: 'by hand', mode: '0660', sha256: sha256('by hand') };
      nodeOf(one, 'node2').files.set('/etc/kolla/rabbitmq/rabbitmq.conf', conf);
    }, byHand);
    await change(tuned, world, 'reconfigure', tags);
    expect(cookies(world)).toEqual(cookies(deployed));
  });

  it('is brought to what the others run with', async () => {
    const world = await stop(copyOf(byHand), { ...tags, limit: 'node2' });
    await change(site, world, 'reconfigure', tags);
    expect(cookies(world)).toEqual(cookies(deployed));
  });
});
