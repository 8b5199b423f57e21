import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { PlannedVerb } from '../../src/cli/verbs.ts';
import { DeployError } from '../../src/core/model/diagnostic.ts';
import { savedSteps } from '../../src/core/plan/saved.ts';
import type { Plan } from '../../src/core/plan/steps.ts';
import { planJson } from '../../src/report/plan-text.ts';
import { again, nodeOf, refusals, save, twinOf } from '../sim/saved.ts';
import { change, emptyWorld } from '../sim/scenario.ts';
import { type Choice, SimulatedSite } from '../sim/site.ts';
import type { SimulatedWorld } from '../sim/world.ts';

/** Set PROPERTY_RUNS to look longer than an ordinary test may. */
const runs = Number(process.env.PROPERTY_RUNS ?? 15);
const timeout = 1_000 + runs * 1_000;

const site = new SimulatedSite();
const deployed = emptyWorld(site);
await change(site, deployed, 'deploy');

const sites = [
  site,
  new SimulatedSite({ globals: 'openstack_tag: 2025.1-debian-trixie\n' }),
  new SimulatedSite({ globals: 'openstack_logging_debug: true\nheat_api_port: 18004\n' }),
  new SimulatedSite({ globals: 'keystone_token_provider: fernet\nmagnum_tag: 2025.1-debian-trixie\n' }),
  new SimulatedSite({ overrides: { 'galera.cnf': '[mysqld]\nmax_connections = 5\n', 'heat.conf': '[a]\nb = 1\n' } }),
];
const choices: readonly Choice[] = [
  {},
  { tags: ['magnum'] },
  { tags: ['heat', 'magnum-api'], limit: 'node2,node3' },
  { skipTags: ['common', 'loadbalancer', 'mariadb'] },
];
const containers = [...new Set([...deployed.nodes.values()].flatMap((node) => [...node.containers.keys()]))];
const files = [...(deployed.nodes.get('node1')?.files.keys() ?? [])];
const markers = [...(deployed.nodes.get('node1')?.markers.keys() ?? [])];

type Kind = 'stop' | 'remove' | 'replace' | 'aside' | 'edit' | 'delete' | 'forget' | 'image';

interface Move {
  readonly host: string;
  readonly kind: Kind;
  readonly container: string;
  readonly file: string;
  readonly marker: string;
}

const move: fc.Arbitrary<Move> = fc.record({
  host: fc.constantFrom(...site.hosts),
  kind: fc.constantFrom<Kind>('stop', 'remove', 'replace', 'aside', 'edit', 'delete', 'forget', 'image'),
  container: fc.constantFrom(...containers),
  file: fc.constantFrom(...files),
  marker: fc.constantFrom(...markers),
});

const anyCase = fc.record({
  of: fc.nat(sites.length - 1),
  next: fc.nat(sites.length - 1),
  verb: fc.constantFrom<PlannedVerb>('deploy', 'upgrade', 'reconfigure', 'pull', 'stop', 'destroy'),
  choice: fc.constantFrom(...choices),
  move,
});

function moved({ host, kind, container: name, file, marker }: Move): SimulatedWorld {
  const world = twinOf(deployed);
  const node = nodeOf(world, host);
  const found = node.containers.get(name);
  if (kind === 'edit') node.files.set(file, { content: 'x', mode: '0660', sha256: 'x' });
  else if (kind === 'delete') node.files.delete(file);
  else if (kind === 'forget') node.markers.delete(marker);
  else if (kind === 'image') node.images.delete([...node.images.keys()][0] ?? '');
  else if (found && kind === 'stop') found.state = 'exited';
  else if (found && kind === 'replace') node.containers.set(name, { ...found, id: 'other' });
  else if (found && kind === 'aside') node.containers.set(`${name}__previous`, { ...found, state: 'exited' });
  else if (kind === 'remove') node.containers.delete(name);
  return world;
}

function siteOf(index: number): SimulatedSite {
  return sites[index] ?? site;
}

/** Undefined when the plan is rightly refused: nothing is saved then. */
async function saveOf(of: SimulatedSite, world: SimulatedWorld, verb: PlannedVerb, choice: Choice) {
  try {
    return await save(of, world, verb, choice);
  } catch (cause) {
    if (cause instanceof DeployError) return undefined;
    throw cause;
  }
}

/** What would be done, without the words it is told in. */
function deedsOf(plan: Plan | undefined): string | undefined {
  if (plan === undefined) return undefined;
  const steps = savedSteps(JSON.stringify(planJson(plan)));
  return JSON.stringify(steps.map(({ reason: _reason, text: _text, ...deed }) => deed));
}

describe('any plan that was saved', () => {
  it(
    'is accepted, and is the same, while nothing has moved',
    async () => {
      await fc.assert(
        fc.asyncProperty(anyCase, async ({ of, verb, choice, move }) => {
          const start = moved(move);
          const made = await saveOf(siteOf(of), start, verb, choice);
          if (made === undefined) return;
          expect(await again(made.saved, siteOf(of), twinOf(start), choice)).toEqual(made.plan);
        }),
        { numRuns: runs },
      );
    },
    timeout,
  );

  it(
    'is refused when a change of the nodes would make it another plan',
    async () => {
      await fc.assert(
        fc.asyncProperty(anyCase, async ({ of, verb, choice, move }) => {
          const world = moved(move);
          const made = await saveOf(siteOf(of), deployed, verb, choice);
          const now = await saveOf(siteOf(of), world, verb, choice);
          if (made === undefined || deedsOf(now?.plan) === deedsOf(made.plan)) return;
          expect(await refusals(made.saved, siteOf(of), world, choice)).not.toEqual([]);
        }),
        { numRuns: runs },
      );
    },
    timeout,
  );

  it(
    'is refused when a change of the configuration would make it another plan',
    async () => {
      await fc.assert(
        fc.asyncProperty(anyCase, async ({ of, next, verb, choice }) => {
          const made = await saveOf(siteOf(of), deployed, verb, choice);
          const now = await saveOf(siteOf(next), deployed, verb, choice);
          if (made === undefined || deedsOf(now?.plan) === deedsOf(made.plan)) return;
          expect(await refusals(made.saved, siteOf(next), deployed, choice)).not.toEqual([]);
        }),
        { numRuns: runs },
      );
    },
    timeout,
  );
});
