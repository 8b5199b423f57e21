import { expect, it } from 'vitest';
import { type Killing, killEverywhere } from '../../sim/kill.ts';
import { change, copyOf, emptyWorld } from '../../sim/scenario.ts';
import { SimulatedSite } from '../../sim/site.ts';

const site = new SimulatedSite();
const deployed = emptyWorld(site);
await change(site, deployed, 'deploy');
const newer = new SimulatedSite({ globals: 'magnum_tag: 2025.1-debian-trixie\nglance_tag: 2025.1-debian-trixie\n' });
const tuned = new SimulatedSite({
  globals: 'openstack_tag: 2025.1-debian-trixie\nheat_api_port: 18004\n',
  overrides: { 'magnum.conf': '[DEFAULT]\ndebug = true\n', 'galera.cnf': '[mysqld]\nmax_connections = 5\n' },
});

const magnum = { site: newer, verb: 'upgrade', choice: { tags: ['magnum'] }, neverMixed: 'magnum_conductor' } as const;
const start = () => copyOf(deployed);

const lone = new SimulatedSite({ hosts: ['node1'] });
const loneDeployed = emptyWorld(lone);
await change(lone, loneDeployed, 'deploy');
const loneNewer = new SimulatedSite({ hosts: ['node1'], globals: 'mariadb_tag: 2025.1-debian-trixie\n' });

/** Containers that somebody has put in the place of ours, one without our labels. */
function byHand() {
  const world = copyOf(deployed);
  for (const [host, name, labels] of [
    ['node1', 'heat_api', undefined],
    ['node2', 'memcached', {}],
  ] as const) {
    const node = world.nodes.get(host);
    const old = node?.containers.get(name);
    if (old) node?.containers.set(name, { ...old, id: world.newId(), labels: labels ?? old.labels });
  }
  return world;
}

const killings: readonly [string, Killing][] = [
  [
    'a first deployment, between any two steps',
    { site, verb: 'deploy', start: () => emptyWorld(site), between: 'steps' },
  ],
  [
    'a first deployment, inside its steps (every seventh change)',
    { site, verb: 'deploy', start: () => emptyWorld(site), between: 'changes', every: 7 },
  ],
  ['an upgrade of magnum, between any two steps', { ...magnum, start, between: 'steps' }],
  ['an upgrade of magnum, inside its steps', { ...magnum, start, between: 'changes' }],
  [
    'an upgrade of a service with one container, inside its steps',
    { site: newer, verb: 'upgrade', choice: { tags: ['glance'] }, start, between: 'changes' },
  ],
  [
    'a reconfigure beside a newer tag that is not asked for, inside its steps',
    {
      site: tuned,
      verb: 'reconfigure',
      choice: { tags: ['magnum', 'glance', 'mariadb'] },
      start,
      between: 'changes',
      neverMixed: 'magnum_conductor',
    },
  ],
  [
    'a reconfigure of one service behind a load balancer that is not selected',
    { site: tuned, verb: 'reconfigure', choice: { tags: ['heat'] }, start, between: 'changes' },
  ],
  [
    'a reconfigure of one container of a service, inside its steps',
    { site: tuned, verb: 'reconfigure', choice: { tags: ['heat_api'] }, start, between: 'changes' },
  ],
  [
    'the removal of a service that was disabled, inside its steps',
    {
      site: new SimulatedSite({ globals: 'enable_magnum: false\n' }),
      verb: 'reconfigure',
      choice: { prune: true, tags: [] },
      start,
      between: 'changes',
    },
  ],
  [
    'a reconcile of containers made by hand, inside its steps',
    { site, verb: 'reconcile', start: byHand, between: 'changes' },
  ],
  [
    'a first deployment on one host, between any two steps',
    { site: lone, verb: 'deploy', start: () => emptyWorld(lone), between: 'steps' },
  ],
  [
    'an upgrade of a database that is alone, inside its steps',
    {
      site: loneNewer,
      verb: 'upgrade',
      choice: { tags: ['mariadb'] },
      start: () => copyOf(loneDeployed),
      between: 'changes',
    },
  ],
];

it.each(killings)('the same command finishes %s', { timeout: 60_000 }, async (_, killing) => {
  const { points, problems } = await killEverywhere(killing);
  expect(points).toBeGreaterThan(5);
  expect(problems).toEqual([]);
});
