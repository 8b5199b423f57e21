/**
 * A run as a process of its own: the real runner, journal, output and signals on simulated nodes. Arguments: the tag,
 * and a call that stands still (`stop memcached node1`) until the file `go` is beside `world.json`, which tells at the
 * exit what the nodes are like. With `ask` the run asks first.
 */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { carryOut, confirmed } from '../../src/cli/carry-out.ts';
import { changeOptions } from '../../src/cli/invocation.ts';
import { holderOf } from '../../src/cli/lock.ts';
import { createOutput } from '../../src/cli/output.ts';
import { report } from '../../src/cli/program.ts';
import { guardStreams } from '../../src/cli/streams.ts';
import type { Survey } from '../../src/cli/survey.ts';
import type { ExitCode } from '../../src/core/model/diagnostic.ts';
import { label } from '../../src/core/model/node.ts';
import { change, emptyWorld, observe } from './scenario.ts';
import { must, SimulatedSite } from './site.ts';

const [tag = '', still = '', ask = ''] = process.argv.slice(2);
const directory = process.env.SIMULATION ?? process.env.XDG_STATE_HOME ?? '';
const argv = ['upgrade', '--tags', tag];
const output = createOutput(false);
const finish = guardStreams(process.stdout, process.stderr);
process.on('uncaughtException', (cause) => process.exit(report(cause, argv, output)));

const site = new SimulatedSite();
const world = emptyWorld(site);
await change(site, world, 'deploy');
const newer = new SimulatedSite({ globals: 'openstack_tag: 2025.1-debian-trixie\n' });
const logged: string[] = [];

const calls = new Set(['start', 'stop', 'wait']);

/** The node, whose calls take their time, and which writes down what a run has to say to it. */
function slow(host: string) {
  const node = world.nodes.get(host);
  if (node === undefined) throw new Error(`there is no ${host}`);
  return new Proxy(node, {
    get(target, name) {
      if (name === 'logRun') return async ({ event }: { event: string }) => logged.push(`${host} ${event}`) > 0;
      const method: unknown = Reflect.get(target, name);
      if (typeof method !== 'function') return method;
      return async (...args: unknown[]) => {
        if (calls.has(String(name)) && `${String(name)} ${args[0]} ${host}` === still) await untilGo();
        return Reflect.apply(method, target, args) as unknown;
      };
    },
  });
}

async function untilGo(): Promise<void> {
  writeFileSync(join(directory, 'waits'), '');
  while (!existsSync(join(directory, 'go'))) await sleep(20);
}

process.on('exit', () => {
  const versions = [...world.nodes.values()].flatMap((node) =>
    [...node.containers]
      .filter(([name]) => name === tag)
      .map(([, one]) => `${node.host} ${one.state} ${one.labels[label.image]?.split(':').pop()}`),
  );
  writeFileSync(join(directory, 'world.json'), JSON.stringify({ versions, logged }));
});

async function main(): Promise<ExitCode> {
  const { target, desired } = newer.desired({ tags: [tag] });
  const observed = observe(world);
  const plan = must(newer.plan('upgrade', observed, { tags: [tag] }));
  const options = { ...changeOptions({ tags: [tag], yes: ask !== 'ask' }), argv };
  const nodes = new Map([...world.nodes.keys()].map((host) => [host, slow(host)]));
  const holder = holderOf('run-1', 'upgrade', argv);
  const surveyed = { loaded: newer.loaded, target, desired, observed, nodes, holder };
  const survey = { ...surveyed, digests: new Map(), hooks: new Map(), hookTimeout: 20 } as unknown as Survey;
  if (!(await confirmed(options, 'Carry this out?'))) return 0;
  return carryOut(plan, survey, options, output, async () => {
    const left = must(newer.plan('upgrade', observe(world), { tags: [tag] })).steps;
    if (left.length > 0) throw new Error(`${left.length} steps are left`);
  });
}

process.exitCode = finish(await main().catch((cause: unknown) => report(cause, argv, output)));
