import { describe, expect, it } from 'vitest';
import { planFor, type Survey } from '../../../src/cli/survey.ts';
import type { ImagelessSpec } from '../../../src/core/desired/model.ts';
import { label } from '../../../src/core/model/node.ts';
import { isSecret } from '../../../src/core/model/secret.ts';
import { detailsOf, generationPath, wantedDetails } from '../../../src/core/plan/details.ts';
import type { DiffMode } from '../../../src/core/plan/file-diff.ts';
import type { Plan } from '../../../src/core/plan/steps.ts';
import { planJson, planText } from '../../../src/report/plan-text.ts';
import { step, steps } from '../../sim/order.ts';
import { change, copyOf, emptyWorld, observe, planInDetail } from '../../sim/scenario.ts';
import { must, SimulatedSite } from '../../sim/site.ts';
import type { SimulatedWorld } from '../../sim/world.ts';

const site = new SimulatedSite();
const deployed = emptyWorld(site);
await change(site, deployed, 'deploy');

function reasons(plan: Plan, container: string): string[] {
  return [...new Set(steps(plan, 'create', container).map((one) => one.reason))];
}

/** What a node keeps of a container after it serves; `was` changes its settings. */
function recorded(world: SimulatedWorld, host: string, name: string, was: (spec: ImagelessSpec) => object): void {
  const wanted = site
    .desired()
    .desired.services.flatMap((s) => s.containers)
    .find((c) => c.name === name && c.host === host);
  const node = world.nodes.get(host);
  const container = node?.containers.get(name);
  if (!wanted || !node || !container) throw new Error(`no ${name} on ${host}`);
  const environment = Object.fromEntries(
    Object.entries(wanted.spec.environment).map(([key, value]) => [key, isSecret(value) ? value.reveal() : value]),
  );
  const spec = was({ ...wanted.spec, environment });
  const generation = {
    format: 1,
    container: name,
    service: wanted.service,
    image: container.spec.image,
    specHash: 'x',
    configHash: 'y',
    spec,
    sources: {},
    run: 'r',
    previous: null,
  };
  const content = JSON.stringify(generation);
  node.files.set(generationPath(name), { content, mode: '0600', sha256: '' });
  node.containers.set(name, { ...container, labels: { ...container.labels, [label.specHash]: 'another' } });
}

/** The node's look leaves out what lies under `.deploy`; the simulator's shows every file it has. */
function without(world: SimulatedWorld, path: string): SimulatedWorld {
  for (const node of world.nodes.values()) {
    const look = node.look.bind(node);
    node.look = (want) => {
      const seen = look(want);
      return { ...seen, files: seen.files.filter((file) => file.path !== path) };
    };
  }
  return world;
}

describe('what is wanted of a second look', () => {
  it('is nothing where nothing differs, and of nodes that hold nothing yet', () => {
    expect(wantedDetails(must(site.plan('reconfigure', observe(deployed))), observe(deployed)).size).toBe(0);
    const empty = emptyWorld(site);
    expect(wantedDetails(must(site.plan('deploy', observe(empty))), observe(empty)).size).toBe(0);
  });

  it('is what differs, on the hosts where it does', () => {
    const other = new SimulatedSite({
      overrides: { 'heat/node2/heat.conf': '[DEFAULT]\nmax_resources_per_stack = 7\n' },
    });
    const wanted = wantedDetails(must(other.plan('reconfigure', observe(deployed))), observe(deployed));
    const containers = ['heat_api', 'heat_api_cfn', 'heat_engine'];
    const files = containers.map((name) => `/etc/kolla/${name.replaceAll('_', '-')}/heat.conf`);
    expect([...wanted]).toEqual([['node2', { files, generations: containers }]]);
  });
});

describe('planFor', () => {
  /** Plans as the command line does and counts the second looks. */
  async function planned(
    of: SimulatedSite,
    world: SimulatedWorld,
    diff?: DiffMode,
  ): Promise<{ plan: Plan; looks: string[] }> {
    const looks: string[] = [];
    const nodes = new Map(
      [...world.nodes].map(([host, node]) => {
        const readDetails = async (paths: readonly string[]) => {
          looks.push(host);
          return node.readDetails(paths);
        };
        return [host, { readDetails }];
      }),
    );
    const { target, desired } = of.desired();
    const survey = {
      loaded: of.loaded,
      target,
      desired,
      observed: observe(world),
      nodes,
      digests: new Map(),
      options: { tags: [], skipTags: [], rollout: {}, diff },
      hooks: new Map(),
    };
    const output = { json: false, line() {}, note() {}, data() {}, diagnostics() {}, failure() {}, redactWith() {} };
    return { plan: await planFor('reconfigure', survey as unknown as Survey, output), looks };
  }

  it('looks again only where something differs', async () => {
    expect(await planned(site, deployed)).toMatchObject({ plan: { steps: [], diffs: [] }, looks: [] });
    const other = new SimulatedSite({
      overrides: { 'heat/node2/heat.conf': '[DEFAULT]\nmax_resources_per_stack = 7\n' },
    });
    const { plan, looks } = await planned(other, deployed);
    expect(looks).toEqual(['node2']);
    expect(reasons(plan, 'heat_engine')).toEqual(['config heat.conf [DEFAULT] max_resources_per_stack = 7 added']);
    expect(plan.diffs).toHaveLength(3);
    expect(plan.diffs[0]).toMatchObject({
      path: '/etc/kolla/heat-api/heat.conf',
      hosts: ['node2'],
      added: 1,
      removed: 0,
    });
  });

  it('shows what is in new files when asked to', async () => {
    const world = copyOf(deployed);
    world.nodes.get('node1')?.files.delete('/etc/kolla/heat-api/heat.conf');
    const [inFull, usual] = [await planned(site, world, 'all'), await planned(site, world)];
    expect(usual.plan.diffs).toMatchObject([{ kind: 'added', text: '' }]);
    expect(planText(usual.plan)).toContain('  new on node1: heat-api/heat.conf (');
    expect(inFull.plan.diffs[0]?.text).toContain('+debug = false');
    expect(planText(inFull.plan)).toContain('    +stack_domain_admin_password = ‹secret›');
    expect(planText(inFull.plan)).not.toContain('cänary');
  });
});

describe('a plan with details', () => {
  const changes = 'openstack_logging_debug: true\nmemcached_max_memory: 512\n';
  const other = new SimulatedSite({ globals: changes });
  const plan = must(planInDetail(other, deployed, 'reconfigure'));

  it('does what one without does', () => {
    const coarse = must(other.plan('reconfigure', observe(deployed)));
    const action = ({ reason: _, ...rest }: Plan['steps'][number]) => rest;
    expect(plan.steps.map(action)).toEqual(coarse.steps.map(action));
    expect(coarse.diffs.map((diff) => diff.note)).toContain('the old content was not read');
  });

  it('is the same bytes for the same input', () => {
    const again = must(planInDetail(new SimulatedSite({ globals: changes }), copyOf(deployed), 'reconfigure'));
    expect(planText(again)).toBe(planText(plan));
    expect(JSON.stringify(planJson(again))).toBe(JSON.stringify(planJson(plan)));
  });

  it('gives hosts one reason when only values of their own differ', () => {
    const moved = new SimulatedSite({ globals: 'heat_api_port: 18004\n' });
    const changed = must(planInDetail(moved, deployed, 'reconfigure', { tags: ['heat_api'] }));
    expect(reasons(changed, 'heat_api')).toEqual([
      'container settings changed; config heat-api-uwsgi.ini [uwsgi] http-socket changed (another value on each host)',
    ]);
    const one = must(planInDetail(moved, deployed, 'reconfigure', { tags: ['heat_api'], limit: 'node1' }));
    expect(reasons(one, 'heat_api')).toEqual([
      'container settings changed; config heat-api-uwsgi.ini [uwsgi] http-socket 192.0.2.11:8004 → 192.0.2.11:18004',
    ]);
  });

  it('says what a file that was changed by hand held', () => {
    const world = copyOf(deployed);
    const path = '/etc/kolla/heat-api/heat.conf';
    const node = world.nodes.get('node3');
    const content = `${node?.files.get(path)?.content.replace('debug = false', 'debug = True')}by_hand = 1\n`;
    node?.files.set(path, { content, mode: '0660', sha256: 'other' });
    const { diffs } = must(planInDetail(site, world, 'reconfigure'));
    expect(diffs).toMatchObject([{ path, hosts: ['node3'], kind: 'changed', added: 1, removed: 2 }]);
    expect(diffs[0]?.text).toContain('-debug = True\n+debug = false');
  });

  it('says how many replicas are away', () => {
    expect(step(plan, 'stop', 'heat_api', 'node2')).toMatchObject({ impact: 'replica', away: { count: 1, of: 3 } });
    expect(step(plan, 'stop', 'magnum_conductor', 'node2')).toMatchObject({
      impact: 'service',
      away: { count: 3, of: 3 },
    });
    expect(plan.steps.filter((s) => s.away !== undefined && s.kind !== 'stop')).toEqual([]);
  });

  it('marks every step of a container’s change', () => {
    const ofRollout = [
      'write',
      'create',
      'drain',
      'stop',
      'start',
      'healthy',
      'undrain',
      'remove',
      'reload',
      'galera-check',
      'rabbitmq-check',
      'record',
    ];
    for (const one of plan.steps) {
      const container = 'container' in one ? one.container.replace(/__.*/, '') : '';
      expect(one.rollout).toBe(ofRollout.includes(one.kind) ? `${one.service}/${container}` : undefined);
    }
  });
});

describe('settings of a container', () => {
  const path = generationPath('memcached');
  it.each<[string, (spec: ImagelessSpec) => object, string]>([
    [
      'environment',
      (s) => ({ ...s, environment: { ...s.environment, http_proxy: 'http://me:hidden-word@p:1' } }),
      'environment http_proxy removed (was http://me:‹secret›@p:1)',
    ],
    [
      'a secret',
      (s) => ({ ...s, environment: { ...s.environment, KOLLA_SERVICE_NAME: 'x', OS_TOKEN: 'hidden-word' } }),
      'environment KOLLA_SERVICE_NAME x → memcached, environment OS_TOKEN removed (was ‹secret›)',
    ],
    [
      'volumes',
      (s) => ({ ...s, volumes: [...s.volumes, '/c:/d'].slice(1) }),
      'volumes + /etc/kolla/memcached/:/var/lib/kolla/config_files/:ro, volumes - /c:/d',
    ],
    [
      'the health check',
      (s) => ({ ...s, healthcheck: { ...s.healthcheck, interval: 7, test: 'true' } }),
      'healthcheck test true → healthcheck_listen memcached 11211, healthcheck interval 7 → ',
    ],
    [
      'privileges',
      (s) => ({ ...s, privileged: true, capAdd: ['NET_ADMIN'] }),
      'capabilities - NET_ADMIN, privileged true → false',
    ],
    [
      'more than three',
      (s) => ({ ...s, privileged: true, environment: {}, dimensions: { mem_limit: '1g' } }),
      'environment KOLLA_CONFIG_STRATEGY = COPY_ALWAYS added, environment KOLLA_SERVICE_NAME = memcached added, privileged true → false and 1 more',
    ],
  ])('that changed are named: %s', (_, was, expected) => {
    const world = copyOf(deployed);
    recorded(world, 'node1', 'memcached', was);
    const plan = must(planInDetail(site, without(world, path), 'reconfigure'));
    expect(reasons(plan, 'memcached').join()).toContain(expected.replace(' and 1 more', ', and 1 more'));
    expect(JSON.stringify(plan)).not.toContain('hidden-word');
  });

  it('are not named when the record is another container’s, or cannot be read', () => {
    const spec = { name: 'web', environment: {}, volumes: [], privileged: false, capAdd: [], dimensions: {} };
    const image = { repository: 'r/web', tag: 'a', digest: 'sha256:1' };
    const hashes = { specHash: 'a', configHash: 'b', run: 'r', previous: null };
    const good = { format: 1, container: 'web', service: 'web', image, ...hashes, spec: { ...spec, restart: 'no' } };
    const wanted = { files: [], generations: ['web'] };
    const read = (text: string) => detailsOf(wanted, new Map([[generationPath('web'), text]])).generations.size;
    expect(read(JSON.stringify(good))).toBe(1);
    expect(read(JSON.stringify({ ...good, container: 'other' }))).toBe(0);
    expect(read(JSON.stringify({ ...good, format: 2 }))).toBe(0);
    expect(read('{"format":1,')).toBe(0);
  });
});
