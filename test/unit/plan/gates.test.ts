import { describe, expect, it } from 'vitest';
import { formatDiagnostic } from '../../../src/core/model/diagnostic.ts';
import type { Plan } from '../../../src/core/plan/steps.ts';
import { planText } from '../../../src/report/plan-text.ts';
import { precedes, step, steps } from '../../sim/order.ts';
import { carryOut, change, copyOf, emptyWorld, observe } from '../../sim/scenario.ts';
import { type Choice, must, passwordOf, SimulatedSite } from '../../sim/site.ts';

const gated = `
magnum_gates:
  - name: api answers
    http: {url: "http://{{ kolla_internal_vip_address }}:9511/", status: [200, 300], auth: keystone}
    passes: 2
`;
const site = new SimulatedSite();
const deployed = emptyWorld(site);
await change(site, deployed, 'deploy');
const newer = new SimulatedSite({ globals: `magnum_tag: 2025.1-debian-trixie\n${gated}` });
const magnum = { tags: ['magnum'] };

function upgrade(choice: Choice = magnum, of = newer): Plan {
  return must(of.plan('upgrade', observe(deployed), choice));
}

function problems(globals: string): string {
  try {
    new SimulatedSite({ globals }).desired(magnum);
    return '';
  } catch (cause) {
    return cause instanceof Error ? cause.message : String(cause);
  }
}

function gatesOf(globals: string, choice: Choice = magnum) {
  const { desired } = new SimulatedSite({ globals }).desired(choice);
  return desired.services.find(({ name }) => name === 'magnum')?.gates ?? [];
}

/** The plan of a run that dies before these steps: without them and all that waits for them. */
function without(plan: Plan, gates: readonly string[]): Plan {
  const lost = new Set(gates);
  return {
    ...plan,
    steps: plan.steps.filter(({ id, needs }) => !lost.has(id) && !(needs.some((n) => lost.has(n)) && lost.add(id))),
  };
}

describe('gates that a run has died before', () => {
  const plan = upgrade();
  const asked = steps(plan, 'gate').map(({ id }) => id);

  it('between two batches are asked by the next run before it goes on', async () => {
    const world = copyOf(deployed);
    await carryOut(without(plan, asked), world);
    const next = must(newer.plan('upgrade', observe(world), magnum));
    const [first] = steps(next, 'gate');
    expect(steps(next, 'drain', 'magnum_api').map(({ host }) => host)).toEqual(['node2', 'node3']);
    expect(first && precedes(next, first, step(next, 'drain', 'magnum_api', 'node2'))).toBe(true);
  });

  it('at the end are asked by the next run, which does nothing else to what serves', async () => {
    const world = copyOf(deployed);
    await carryOut(without(plan, asked.slice(-1)), world);
    const next = must(newer.plan('upgrade', observe(world), magnum));
    expect(new Set(next.steps.map(({ kind }) => kind))).toEqual(new Set(['gate', 'record']));
    await carryOut(next, world);
    expect(must(newer.plan('upgrade', observe(world), magnum)).steps).toEqual([]);
  });
});

describe('the gates of a service', () => {
  it('are evaluated for its first host, or the first that a limit leaves', () => {
    expect(gatesOf(gated)).toEqual([
      {
        name: 'api answers',
        host: 'node1',
        within: 30,
        passes: 2,
        check: {
          kind: 'http',
          url: 'http://192.0.2.250:9511/',
          method: 'GET',
          statuses: [200, 300],
          headers: {},
          contains: undefined,
          auth: {
            authUrl: 'http://192.0.2.250:5000',
            user: 'admin',
            project: 'admin',
            password: expect.anything(),
          },
          timeoutSeconds: 10,
        },
      },
    ]);
    const tcp = 'magnum_gates: [{tcp: {address: "{{ api_interface_address }}", port: "{{ 9511 }}"}}]\n';
    expect(gatesOf(tcp, { ...magnum, limit: 'node3' })).toMatchObject([
      { name: 'port 9511 of 192.0.2.13', host: 'node3', check: { address: '192.0.2.13', port: 9511 } },
    ]);
  });

  it('ask the database as its own user, and another database as the administrator', () => {
    const [own, other] = gatesOf(
      'magnum_gates: [{sql: {query: SELECT 1, expect: 1}}, {sql: {query: SELECT 1, database: keystone}}]\n',
    );
    expect(own?.check).toMatchObject({ database: 'magnum', expect: '1', server: { user: 'magnum', port: 3306 } });
    expect(other?.check).toMatchObject({ database: 'keystone', server: { user: 'root' } });
    const server = own?.check.kind === 'sql' ? own.check.server : undefined;
    expect(server?.password.reveal()).toBe(passwordOf('magnum_database_password'));
  });

  it('run a command where its container is, and tell it of that node', () => {
    const text = '[{command: {container: haproxy, argv: [curl, "{{ api_interface_address }}"]}}]\n';
    const node1 = [{ host: 'node1', check: { argv: ['curl', '192.0.2.11'] } }];
    expect(gatesOf(`magnum_gates: ${text}`)).toMatchObject(node1);
  });

  it('come from the definition and from the operator, in this order, each evaluated once', () => {
    const definitions = {
      magnum: 'gates:\n  - tcp: {address: "{{ api_interface_address }}", port: "{{ magnum_api_port }}"}\n',
    };
    const globals = `odd: "{{ '{{ nowhere }}' }}"\nmagnum_gates: [{http: {url: "http://a/", contains: "{{ odd }}"}}]\n`;
    const { desired } = new SimulatedSite({ globals, definitions }).desired(magnum);
    expect(desired.services[0]?.gates.map(({ check }) => check)).toMatchObject([
      { kind: 'tcp', address: '192.0.2.11', port: 9511 },
      { kind: 'http', contains: '{{ nowhere }}' },
    ]);
  });

  it('of a definition are refused where they stand', () => {
    const definitions = { magnum: 'gates:\n  - tcp: {address: "{{ nowhere }}", port: x}\n' };
    const found = () => new SimulatedSite({ definitions }).desired(magnum);
    expect(found).toThrow(/magnum\/service\.yml:\d+:\d+: error: .*nowhere is not defined/);
    expect(found).toThrow(/magnum\/service\.yml:\d+:43: error: gate: tcp\.port must be a port number/);
  });

  it.each([
    ['magnum_gates: {tcp: 1}\n', /globals\.yml:\d+:15: error: magnum_gates: must be a list, not a map/],
    ['magnum_gates:\n  - htpp: {url: x}\n', /globals\.yml:\d+:\d+: error: unknown key htpp.*\n.*did you mean http\?/],
    [
      'magnum_gates:\n  - tcp: {address: a, port: 99999}\n',
      /globals\.yml:\d+:29: error: gate: tcp\.port must be a port/,
    ],
    ['magnum_gates:\n  - http: {url: "magnum"}\n', /http\.url must be an address like/],
    ['magnum_gates:\n  - command: {container: magnum_apy, argv: [x]}\n', /no container magnum_apy\n.*magnum_api/],
    [
      'magnum_gates:\n  - command: {container: magnum_api, argv: ["{{ keystone_admin_password }}"]}\n',
      /must not hold a/,
    ],
    ['magnum_gates:\n  - tcp: {address: "{{ nowhere }}", port: 1}\n', /globals\.yml:\d+:\d+: .*nowhere is not defined/],
  ])('%j is refused where it stands', (globals, expected) => {
    expect(problems(globals)).toMatch(expected);
    expect(problems(globals)).not.toContain(passwordOf('keystone_admin_password'));
  });

  it('are left out with a warning when a limit leaves no host for the command', () => {
    const text = 'heat_gates: [{command: {container: glance_api, argv: [x]}}]\n';
    const limited = new SimulatedSite({ globals: text }).desired({ tags: ['heat'], limit: 'node3' });
    expect(limited.desired.services.find(({ name }) => name === 'heat')?.gates).toEqual([]);
    expect(limited.diagnostics.map((d) => `${d.severity}: ${d.message}`)).toEqual([
      'warning: gate is left out: none of the selected hosts holds glance_api',
    ]);
  });
});

describe('a plan with gates', () => {
  const plan = upgrade();

  it('asks after each batch before the next, and at the end', () => {
    const gates = steps(plan, 'gate');
    expect(gates).toHaveLength(3);
    for (const [i, [one, next]] of [
      ['node1', 'node2'],
      ['node2', 'node3'],
    ].entries()) {
      const gate = gates[i] ?? [];
      expect(precedes(plan, step(plan, 'undrain', 'magnum_api', one), gate)).toBe(true);
      expect(precedes(plan, gate, step(plan, 'drain', 'magnum_api', next))).toBe(true);
    }
    expect(precedes(plan, steps(plan, 'undrain', 'magnum_api'), gates[2] ?? [])).toBe(true);
    expect(planText(plan)).toContain('  gate: api answers on node1: must pass before the next batch');
  });

  it('lets nothing that requires the service begin before they pass', () => {
    const both = new SimulatedSite({ globals: 'openstack_tag: new\nheat_gates: [{tcp: {address: a, port: 1}}]\n' });
    const all = upgrade({}, both);
    const last = steps(all, 'gate').at(-1) ?? [];
    expect(precedes(all, last, steps(all, 'stop', 'magnum_api'))).toBe(true);
  });

  it('asks a new service once, at the end, and one that is as wanted not at all', () => {
    const fresh = must(newer.plan('deploy', observe(emptyWorld(site))));
    expect(steps(fresh, 'gate')).toHaveLength(1);
    const only = new SimulatedSite({ globals: gated });
    expect(must(only.plan('deploy', observe(deployed))).steps).toEqual([]);
  });
});

describe('a run with gates', () => {
  it('stops at the first replica when a gate does not pass, and leaves the others as they were', async () => {
    const world = copyOf(deployed);
    world.gate = () => ({ ok: false, said: 'GET / answered HTTP 503 instead of 200' });
    const result = await carryOut(upgrade(), world);
    expect(result.failed.flatMap(({ diagnostics }) => diagnostics.map(formatDiagnostic))).toEqual([
      "error: node1: the rollout of magnum stops here: gate 'api answers' did not pass within 30 s: " +
        'GET / answered HTTP 503 instead of 200\n    what is done stays, the rest of magnum and what needs it were ' +
        'not touched: look why, then run the same command again',
    ]);
    const tags = [...world.nodes.values()].map((node) => node.containers.get('magnum_api')?.spec.image.tag);
    expect(tags).toEqual(['2025.1-debian-trixie', 'zed-debian-bookworm', 'zed-debian-bookworm']);
    world.gate = () => ({ ok: true });
    await change(newer, world, 'upgrade', magnum);
    expect(must(newer.plan('upgrade', observe(world), magnum)).steps).toEqual([]);
  });

  it('tries again until it has passed as often in a row as it must', async () => {
    const world = copyOf(deployed);
    const answers = [false, true, false, true, true];
    let asked = 0;
    world.gate = () => {
      const ok = answers[asked++ % answers.length] ?? true;
      return ok ? { ok } : { ok, said: 'not yet' };
    };
    expect((await carryOut(upgrade(), world)).failed).toEqual([]);
    expect(asked).toBe(15);
  });
});
