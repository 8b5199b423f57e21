import { describe, expect, it } from 'vitest';
import type { Output } from '../../../src/cli/output.ts';
import { reach, skippedWarnings } from '../../../src/cli/reach.ts';
import { DeployError, formatDiagnostic } from '../../../src/core/model/diagnostic.ts';
import type { LockHolder } from '../../../src/core/model/lock.ts';
import type { OpenNode } from '../../../src/edge/node/node.ts';
import { nodeError } from '../../../src/edge/ssh/failures.ts';
import { condense } from '../../../src/report/diagnostics.ts';
import { change, emptyWorld } from '../../sim/scenario.ts';
import { SimulatedSite } from '../../sim/site.ts';

const site = new SimulatedSite();
const world = emptyWorld(site);
await change(site, world, 'deploy', { tags: ['memcached', 'common'] });
const holder: LockHolder = { run: 'r', verb: 'upgrade', command: 'deploy upgrade', user: 'u', from: 'f', pid: 1 };

/** What is wrong with a host: `connect` at once, `engine` when it is looked at. */
interface Trouble {
  readonly at: 'connect' | 'engine';
  readonly code: string;
}

async function reaching(trouble: Readonly<Record<string, Trouble>>, skipUnreachable: boolean | undefined) {
  const said: string[] = [];
  const locked: string[] = [];
  const closed = new Set<string>();
  const open = async (hosts: readonly string[]) => {
    const done = new Map<string, OpenNode>();
    const failures = new Map<string, unknown>();
    for (const host of hosts) {
      const { at, code } = trouble[host] ?? {};
      const problem = nodeError(host, code ?? '', `${code} of ${host}`);
      if (at === 'connect') failures.set(host, problem);
      const simulated = world.nodes.get(host);
      if (at === 'connect' || simulated === undefined) continue;
      const node = {
        host,
        observe: async () => {
          if (at === 'engine') throw problem;
          return simulated.look({});
        },
        lock: async () => {
          locked.push(host);
          return { taken: true, lease: { assertHeld() {}, release: async () => {} } };
        },
        close: async () => void closed.add(host),
      };
      done.set(host, node as unknown as OpenNode);
    }
    return { done, failures };
  };
  const output = {
    json: false,
    note: () => {},
    diagnostics: (list) =>
      condense(list)
        .map(formatDiagnostic)
        .forEach((line) => void said.push(line)),
  } as Partial<Output> as Output;
  const options = { ...optionsOf(skipUnreachable) };
  const { loaded } = site;
  const result = await reach({ loaded, hosts: site.hosts, others: [], options, want: {}, holder, output, open }).catch(
    (cause: unknown) => {
      if (!(cause instanceof DeployError)) throw cause;
      return cause;
    },
  );
  return { result, said, locked: locked.sort(), closed: [...closed].sort() };
}

function optionsOf(skipUnreachable: boolean | undefined) {
  const lists = { inventory: [], extraVars: [], knownHosts: [], tags: [], skipTags: [] };
  return { configdir: '/nowhere', ...lists, forks: 1, json: false, limit: undefined, rollout: {}, skipUnreachable };
}

const silentTwo: Readonly<Record<string, Trouble>> = {
  node2: { at: 'connect', code: 'unreachable' },
  node3: { at: 'engine', code: 'no-engine' },
};

describe('hosts that cannot be used', () => {
  it('are all named at once with their causes, engines too, before any lock is taken', async () => {
    const { result, locked, closed } = await reaching(silentTwo, false);
    if (!(result instanceof DeployError)) throw new Error('it was to fail');
    expect(result.exit).toBe(4);
    expect(result.diagnostics.map((d) => d.message)).toEqual([
      'unreachable of node2',
      'no-engine of node3',
      'nothing was changed: node2, node3 do not answer',
    ]);
    expect(result.diagnostics.at(-1)?.hint).toContain('--skip-unreachable');
    expect(locked).toEqual([]);
    expect(closed).toEqual(['node1', 'node3']);
  });

  it.each([
    ['where skipping is not offered', silentTwo, undefined],
    ['when none is left', { ...silentTwo, node1: { at: 'connect', code: 'timeout' } as const }, false],
    ['when one answers, but not as it should', { node2: { at: 'connect', code: 'host-key-changed' } as const }, false],
  ])('are not offered to be skipped %s', async (_, trouble, offered) => {
    const { result } = await reaching(trouble, offered);
    if (!(result instanceof DeployError)) throw new Error('it was to fail');
    expect(result.diagnostics.map(({ host }) => host)).toEqual(Object.keys(trouble).sort());
    expect(result.message).not.toContain('--skip-unreachable');
  });
});

describe('--skip-unreachable', () => {
  it('goes on with the others, which alone are locked, and names those that are skipped', async () => {
    const { result, said, locked, closed } = await reaching(silentTwo, true);
    if (result instanceof DeployError) throw result;
    expect([...result.nodes.keys()]).toEqual(['node1']);
    expect([...result.observed.keys()]).toEqual(['node1']);
    expect(locked).toEqual(['node1', 'node3']);
    // Its lock ends with its connection.
    expect(closed).toEqual(['node3']);
    expect(said).toEqual([
      'warning: node2: skipped: unreachable of node2',
      'warning: node3: skipped: no-engine of node3',
    ]);
    expect(condense(skippedWarnings(result.skipped)).map(formatDiagnostic)).toEqual([
      'warning: node2, node3: was skipped: nothing was done there\n    run the same command again when it is back',
    ]);
  });

  it.each([
    ['any host', Object.fromEntries(site.hosts.map((host) => [host, { at: 'connect', code: 'timeout' } as const]))],
    ['a host whose key has changed', { ...silentTwo, node1: { at: 'connect', code: 'host-key-changed' } as const }],
    ['a host that refuses the login', { node1: { at: 'connect', code: 'authentication-refused' } as const }],
  ])('does not go on without %s', async (_, trouble) => {
    const { result, locked } = await reaching(trouble, true);
    expect(result instanceof DeployError && result.exit).toBe(4);
    expect(locked).toEqual([]);
  });
});
