import { describe, expect, it } from 'vitest';
import { DeployError, error, exitCode } from '../../../src/core/model/diagnostic.ts';
import type { Plan } from '../../../src/core/plan/steps.ts';
import { outcomeText } from '../../../src/report/outcome-text.ts';
import type { RunResult } from '../../../src/run/run.ts';
import {
  carryOut,
  change,
  copyOf,
  emptyWorld,
  observe,
  stateOf,
  watchForCallsFromAhead,
  watchForMixedVersions,
} from '../../sim/scenario.ts';
import { type Choice, must, SimulatedSite } from '../../sim/site.ts';
import type { SimulatedWorld } from '../../sim/world.ts';

const old = 'zed-debian-bookworm';
const wanted = '2025.1-debian-trixie';
const site = new SimulatedSite();
const deployed = emptyWorld(site);
await change(site, deployed, 'deploy');
const newer = new SimulatedSite({ globals: `openstack_tag: ${wanted}\n` });
const tuned = new SimulatedSite({ overrides: { 'magnum.conf': '[DEFAULT]\ndebug = true\n' } });
const magnum: Choice = { tags: ['magnum'] };

type Fault = 'ends at once' | 'is never healthy' | 'hangs in its health check' | 'cannot be started';
const faults: readonly Fault[] = ['ends at once', 'is never healthy', 'hangs in its health check', 'cannot be started'];

/** Makes every new container of this name fail, on one host or on all. */
function breakNew(world: SimulatedWorld, name: string, fault: Fault, host?: string): void {
  const isBad = (of: string | undefined, tag: string | undefined, container: string) =>
    container === name && tag === wanted && (host === undefined || host === of);
  if (fault === 'cannot be started') {
    world.before = ({ host: of, call, subject }) => {
      const tag = world.nodes.get(of)?.containers.get(subject)?.spec.image.tag;
      if (call !== 'start' || !isBad(of, tag, subject)) return;
      throw new DeployError([error('engine', `cannot start the container ${subject}: no such file`)], exitCode.failed);
    };
  } else if (fault === 'ends at once') {
    world.crashes = (c) => {
      const of = [...world.nodes.values()].find((node) => [...node.containers.values()].includes(c))?.host;
      return isBad(of, c.spec.image.tag, c.spec.name);
    };
  } else {
    world.exec = (node, container) => {
      if (!isBad(node.host, node.containers.get(container)?.spec.image.tag, container)) return undefined;
      if (fault === 'is never healthy') return { code: 1, stdout: '', stderr: 'refused' };
      throw new DeployError([error('timeout', 'run a check did not finish within 10 s')], exitCode.nodeNotUsable);
    };
  }
}

function heal(world: SimulatedWorld): void {
  world.before = () => {};
  world.crashes = () => false;
  world.exec = () => undefined;
}

async function upgrade(world: SimulatedWorld, of = newer, choice = magnum): Promise<{ plan: Plan; result: RunResult }> {
  const plan = must(of.plan('upgrade', observe(world), choice));
  return { plan, result: await carryOut(plan, world) };
}

function containersOf(result: RunResult): string[] {
  return result.reverted.map(({ way }) => way.container);
}

function tags(world: SimulatedWorld, name: string): (string | undefined)[] {
  return [...world.nodes.values()].map((node) => {
    const found = node.containers.get(name);
    return found?.state === 'running' ? found.spec.image.tag : undefined;
  });
}

/** State of a world in which only what is named differs from before: conductors are new, the migration has run. */
async function withNewConductors(): Promise<SimulatedWorld> {
  const world = copyOf(deployed);
  breakNew(world, 'magnum_api', 'cannot be started');
  const { result } = await upgrade(world);
  expect(result.failed).toHaveLength(1);
  heal(world);
  return world;
}

describe('a replica whose new version', () => {
  it.each(faults)('%s is put back; the others were never touched', async (fault) => {
    const world = copyOf(deployed);
    breakNew(world, 'magnum_api', fault);
    const { plan, result } = await upgrade(world);
    expect(result.failed).toMatchObject([{ step: { host: 'node1', container: 'magnum_api' } }]);
    expect(result.reverted).toMatchObject([{ way: { container: 'magnum_api' }, failed: [] }]);
    expect(result.notReverted).toEqual([]);
    expect(tags(world, 'magnum_api')).toEqual([old, old, old]);
    expect(tags(world, 'magnum_conductor')).toEqual([wanted, wanted, wanted]);
    for (const host of ['node2', 'node3']) {
      const touched = world.log.filter((o) => o.host === host && o.subject.startsWith('magnum_api'));
      expect(touched).toEqual([]);
    }
    expect(result.done + result.left.length + 1).toBe(plan.steps.length);
    const nodes = JSON.stringify(stateOf(world));
    expect(nodes).not.toContain('__next');
    expect(nodes).not.toContain('__previous');
    expect(nodes).not.toContain('drained');
    heal(world);
    expect((await upgrade(world)).result.failed).toEqual([]);
    const undisturbed = copyOf(deployed);
    await change(newer, undisturbed, 'upgrade', magnum);
    expect(stateOf(world)).toEqual(stateOf(undisturbed));
  });

  it('fails leaves the nodes as they were, files included, and the plan as it was', async () => {
    const start = await withNewConductors();
    const both = new SimulatedSite({
      globals: `openstack_tag: ${wanted}\n`,
      overrides: { 'magnum/magnum-api.conf': '[DEFAULT]\ndebug = true\n' },
    });
    const world = copyOf(start);
    const before = must(both.plan('upgrade', observe(world), magnum));
    breakNew(world, 'magnum_api', 'is never healthy');
    const { result } = await upgrade(world, both);
    expect(result.reverted).toHaveLength(1);
    expect(world.log.some((o) => o.call === 'write' && o.subject.endsWith('magnum.conf'))).toBe(true);
    expect(stateOf(world)).toEqual(stateOf(start));
    const after = must(both.plan('upgrade', observe(world), magnum));
    expect(after.steps.map((s) => s.id)).toEqual(before.steps.map((s) => s.id).filter((id) => !id.includes('/pull/')));
  });

  it('is given up early when it does nothing, and late when it still gets somewhere', async () => {
    const elapsed = async (log: (n: number) => string) => {
      const world = await withNewConductors();
      breakNew(world, 'magnum_api', 'is never healthy');
      let asked = 0;
      world.logs = () => log(asked++);
      return (await upgrade(world)).result.failed[0]?.diagnostics[0]?.message.split(';')[0];
    };
    expect(await elapsed((n) => `12:00:${n} [pid ${n}] GET /healthcheck 503\n`)).toContain('no progress for 30 s');
    expect(await elapsed((n) => `loaded ${'abcdefghijklmnopqrstuvwxyz'[n % 26]}${'x'.repeat(n)}\n`)).toContain(
      'did not become healthy in 180 s',
    );
  });

  it('fails on the second host leaves the first one new', async () => {
    const world = copyOf(deployed);
    breakNew(world, 'magnum_api', 'ends at once', 'node2');
    const { plan, result } = await upgrade(world);
    expect(tags(world, 'magnum_api')).toEqual([wanted, old, old]);
    expect(outcomeText(plan, result)?.split('\n')).toEqual([
      '',
      'PUT BACK: magnum_api on node2',
      '  node2: magnum_api does not stay up (exit code 1)',
      '  as before: node2, which serve with what they had',
      '  not touched: node3',
      '  new already (magnum-api:2025.1-debian-trixie): node1',
      '',
      'Then correct the image or the configuration and run the same command again; it goes on from here.',
    ]);
  });
});

describe('replicas whose versions must not mix', () => {
  it.each(faults)('all go back when one of them %s', async (fault) => {
    const world = copyOf(deployed);
    const mixed = watchForMixedVersions(world, 'magnum_conductor');
    const ahead = watchForCallsFromAhead(world, old);
    breakNew(world, 'magnum_conductor', fault, 'node2');
    const { result } = await upgrade(world);
    expect(new Set(containersOf(result))).toEqual(new Set(['magnum_api', 'magnum_conductor']));
    expect(containersOf(result).at(-1)).toBe('magnum_conductor');
    expect(ahead).toEqual([]);
    expect([...world.nodes.values()].flatMap((node) => [...node.markers.keys()])).not.toContain('drained.magnum_api');
    expect(tags(world, 'magnum_conductor')).toEqual([old, old, old]);
    expect(tags(world, 'magnum_api')).toEqual([old, old, old]);
    expect(mixed).toEqual([]);
    heal(world);
    await change(newer, world, 'upgrade', magnum);
    expect(tags(world, 'magnum_conductor')).toEqual([wanted, wanted, wanted]);
    expect(mixed).toEqual([]);
  });

  it('stop everywhere before the first old one starts, in any order of the steps', () => {
    const plan = must(newer.plan('upgrade', observe(deployed), magnum));
    const [way, ...more] = plan.waysBack.filter((one) => one.container === 'magnum_conductor');
    expect(more).toEqual([]);
    const stops = way?.steps.filter((one) => one.kind === 'stop').map((one) => one.id);
    expect(stops).toHaveLength(3);
    for (const one of way?.steps ?? []) {
      if (one.kind === 'put-back') expect(one.needs).toEqual(expect.arrayContaining(stops ?? []));
    }
  });

  it('do not wait for one that is still starting when another has failed', async () => {
    const world = copyOf(deployed);
    breakNew(world, 'magnum_conductor', 'ends at once', 'node1');
    let asked = 0;
    world.exec = (node, name) => {
      if (name !== 'magnum_conductor' || node.host === 'node1') return undefined;
      if (node.containers.get(name)?.spec.image.tag !== wanted) return undefined;
      asked++;
      return { code: 1, stdout: '', stderr: 'refused' };
    };
    const { result } = await upgrade(world);
    expect(new Set(containersOf(result))).toEqual(new Set(['magnum_api', 'magnum_conductor']));
    expect(containersOf(result).at(-1)).toBe('magnum_conductor');
    expect(asked).toBeLessThan(8);
  });

  it('let no API go on that is replaced beside them when they cannot be stopped', async () => {
    const world = copyOf(deployed);
    let refused = 0;
    world.before = ({ call, subject }) => {
      if (call !== 'stop' || subject !== 'magnum_conductor' || refused++ > 0) return;
      throw new DeployError([error('engine', 'cannot stop the container')], exitCode.failed);
    };
    const { plan, result } = await upgrade(world);
    expect(containersOf(result).at(-1)).toBe('magnum_conductor');
    expect(world.log.filter(({ call, subject }) => call === 'start' && subject === 'magnum_api')).toEqual([]);
    expect([...world.nodes.values()].flatMap((node) => [...node.markers.keys()])).not.toContain('drained.magnum_api');
    expect(outcomeText(plan, result)).toContain('PUT BACK: magnum_conductor on node1, node2, node3');
    expect(tags(world, 'magnum_api')).toEqual([old, old, old]);
  });

  it('are finished by an upgrade, and by no verb that keeps images, when a kill left an API ahead of them', async () => {
    const world = copyOf(deployed);
    let killed: SimulatedWorld | undefined;
    world.after = ({ host, call, subject }) => {
      if (host === 'node1' && call === 'start' && subject === 'magnum_api') killed = copyOf(world);
    };
    await upgrade(world);
    if (killed === undefined) throw new Error('never started');
    const refused = newer.plan('reconfigure', observe(killed), magnum);
    expect(refused.diagnostics).toMatchObject([{ code: 'upgrade-unfinished', host: 'node1' }]);
    const ahead = watchForCallsFromAhead(killed, old);
    await change(newer, killed, 'upgrade', magnum);
    expect(ahead).toEqual([]);
    expect(stateOf(killed)).toEqual(stateOf(world));
  });

  it('go back with their files when a new configuration stops them', async () => {
    const world = copyOf(deployed);
    const broken = 'magnum/magnum-conductor.conf';
    const bad = new SimulatedSite({ overrides: { [broken]: '[DEFAULT]\ndebug = maybe\n' } });
    world.crashes = (c) =>
      c.spec.name === 'magnum_conductor' &&
      [...world.nodes.values()].some((node) =>
        [...node.files].some(([path, f]) => path.includes('magnum-conductor') && f.content.includes('maybe')),
      );
    const plan = must(bad.plan('reconfigure', observe(world), magnum));
    const result = await carryOut(plan, world);
    expect(result.reverted).toHaveLength(1);
    expect(stateOf(world)).toEqual(stateOf(deployed));
  });
});

describe('a reload that fails', () => {
  const moved = new SimulatedSite({ globals: 'heat_api_port: 18004\n' });
  it.each([
    ['of a selected load balancer', {}],
    ['for a service alone', { tags: ['heat'] }],
  ] as const)('%s is undone', async (_, choice) => {
    const world = copyOf(deployed);
    let refused = 0;
    world.exec = (node, name, argv) =>
      node.host === 'node2' && name === 'haproxy' && argv[0] === 'kolla_set_configs' && refused++ === 0
        ? { code: 1, stdout: '', stderr: 'bad file' }
        : undefined;
    const result = await carryOut(must(moved.plan('reconfigure', observe(world), choice)), world);
    expect(result.reverted).toMatchObject([{ way: { container: 'haproxy' } }]);
    const files = (of: SimulatedWorld) =>
      [...(of.nodes.get('node2')?.files ?? [])].filter(([path]) => path.startsWith('/etc/kolla/haproxy/'));
    expect(files(world)).toEqual(files(deployed));
    await change(moved, world, 'reconfigure', choice);
    const undisturbed = copyOf(deployed);
    await change(moved, undisturbed, 'reconfigure', choice);
    expect(stateOf(world)).toEqual(stateOf(undisturbed));
  });
});

describe('what is no bad version', () => {
  it('a node that cannot be reached', async () => {
    const world = copyOf(deployed);
    world.before = ({ host, call, subject }) => {
      if (host === 'node1' && call === 'start' && subject === 'magnum_api')
        throw new DeployError([error('connection-lost', 'the connection was lost', { host })], exitCode.nodeNotUsable);
    };
    const { result } = await upgrade(world);
    expect(result.failed).toMatchObject([{ diagnostics: [{ code: 'connection-lost' }] }]);
    expect([...result.reverted, ...result.notReverted]).toEqual([]);
    heal(world);
    await change(newer, world, 'upgrade', magnum);
    const undisturbed = copyOf(deployed);
    await change(newer, undisturbed, 'upgrade', magnum);
    expect(stateOf(world)).toEqual(stateOf(undisturbed));
  });

  it('one that stands or falls with a node that was lost before', async () => {
    const world = copyOf(deployed);
    breakNew(world, 'magnum_conductor', 'is never healthy', 'node3');
    let lost = false;
    world.before = ({ host, call, subject }) => {
      if (host !== 'node1') return;
      lost ||= call === 'start' && subject === 'magnum_conductor';
      if (!lost) return;
      throw new DeployError([error('connection-lost', 'the connection was lost', { host })], exitCode.nodeNotUsable);
    };
    const { plan, result } = await upgrade(world);
    expect([...result.reverted, ...result.notReverted]).toEqual([]);
    const codes = result.failed.map(({ step, diagnostics }) => [step.host, ...diagnostics.map(({ code }) => code)]);
    expect(codes).toContainEqual(['node3', 'step-failed', 'not-blamed']);
    expect(outcomeText(plan, result) ?? '').not.toContain('PUT BACK');
    heal(world);
    await change(newer, world, 'upgrade', magnum);
    const undisturbed = copyOf(deployed);
    await change(newer, undisturbed, 'upgrade', magnum);
    expect(stateOf(world)).toEqual(stateOf(undisturbed));
  });

  it('a way back that fails too is told apart, and the next run goes on', async () => {
    const world = copyOf(deployed);
    world.crashes = (c) => c.spec.name === 'magnum_api';
    const { plan, result } = await upgrade(world);
    expect(result.reverted).toEqual([]);
    expect(result.notReverted).toMatchObject([
      { way: { container: 'magnum_api' }, failed: [{ step: { kind: 'healthy' } }] },
    ]);
    expect(outcomeText(plan, result)).toContain('on the way back, node1: magnum_api does not stay up');
    heal(world);
    await change(newer, world, 'upgrade', magnum);
    expect(tags(world, 'magnum_api')).toEqual([wanted, wanted, wanted]);
  });
});

describe('a run that is killed', () => {
  it.each(['magnum_api', 'magnum_conductor'])('in the middle of a way back of %s converges', async (name) => {
    const world = copyOf(deployed);
    const snapshots: SimulatedWorld[] = [];
    world.after = () => snapshots.push(copyOf(world));
    breakNew(world, name, 'is never healthy', 'node1');
    await upgrade(world);
    const undisturbed = copyOf(deployed);
    await change(newer, undisturbed, 'upgrade', magnum);
    for (const [at, snapshot] of snapshots.entries()) {
      if (at % 3 !== 0) continue;
      const again = copyOf(snapshot);
      const mixed = watchForMixedVersions(again, 'magnum_conductor');
      await change(newer, again, 'upgrade', magnum);
      expect(stateOf(again), `killed after ${at} changes`).toEqual(stateOf(undisturbed));
      // The same with the bad version once more: it is found out again, and the old one serves.
      breakNew(snapshot, name, 'is never healthy', 'node1');
      const { result } = await upgrade(snapshot);
      expect(result.notReverted, `killed after ${at} changes`).toEqual([]);
      expect(tags(snapshot, name)[0], `killed after ${at} changes`).toBe(old);
      expect(mixed).toEqual([]);
    }
  });

  it('after a new container was started asks whether it serves before the old one is removed', async () => {
    const world = copyOf(deployed);
    let killed: SimulatedWorld | undefined;
    world.after = ({ host, call, subject }) => {
      if (host === 'node1' && call === 'start' && subject === 'magnum_api') killed = copyOf(world);
    };
    await upgrade(world);
    if (killed === undefined) throw new Error('never started');
    breakNew(killed, 'magnum_api', 'is never healthy');
    const { result } = await upgrade(killed);
    expect(result.reverted).toHaveLength(1);
    expect(tags(killed, 'magnum_api')).toEqual([old, old, old]);
  });
});

describe('a migration that cannot be undone', () => {
  const keystone: Choice = { tags: ['keystone'] };

  it('that runs last is announced, and does not take the way back from what it follows', async () => {
    const world = copyOf(deployed);
    breakNew(world, 'keystone', 'ends at once');
    const { plan, result } = await upgrade(world, newer, keystone);
    expect(plan.notices).toContain(
      'finish_upgrade_database cannot be undone: after it there is no automatic way back to the old version of keystone',
    );
    expect(result.reverted).toHaveLength(1);
    expect(tags(world, 'keystone')).toEqual([old, old, old]);
  });

  it('a member of a database cluster is put back only while its data has not been written to', async () => {
    const mariadb: Choice = { tags: ['mariadb'] };
    const site = new SimulatedSite({ globals: `mariadb_tag: ${wanted}\n` });
    for (const written of [true, false]) {
      const world = copyOf(deployed);
      world.written = () => written;
      breakNew(world, 'mariadb', 'ends at once');
      const { plan, result } = await upgrade(world, site, mariadb);
      expect(plan.notices).toContainEqual(expect.stringContaining('only while the new version has not written'));
      // The last one of the group goes first, and with it the rollout ends.
      expect(world.log.filter(({ call }) => call === 'stop').map(({ host }) => host)).toEqual(['node3']);
      expect(world.running('mariadb').map(({ spec }) => spec.image.tag)).toEqual(
        written ? [old, old] : [old, old, old],
      );
      expect(result.reverted).toHaveLength(written ? 0 : 1);
      const [left] = result.notReverted.flatMap(({ failed }) => failed.flatMap(({ diagnostics }) => diagnostics));
      expect(left?.message).toEqual(written ? expect.stringContaining('has written to its data') : undefined);
    }
  });
});

it('a configuration that does not serve is put back with the files of before', async () => {
  const world = copyOf(deployed);
  world.exec = (node, name) =>
    name === 'magnum_api' && node.files.get('/etc/kolla/magnum-api/magnum.conf')?.content.includes('debug = true')
      ? { code: 1, stdout: '', stderr: 'bad' }
      : undefined;
  const result = await carryOut(must(tuned.plan('reconfigure', observe(world), { tags: ['magnum_api'] })), world);
  expect(result.reverted).toHaveLength(1);
  expect(stateOf(world)).toEqual(stateOf(deployed));
});
