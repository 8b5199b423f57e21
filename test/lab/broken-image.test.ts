import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { versionsPerSecond } from '../load/capacity.ts';
import { startLoad } from '../load/generator.ts';
import { type Kinds, loadKinds } from '../load/kinds.ts';
import { failures } from '../load/outcome.ts';
import { LabError, lastLines, waitFor } from './command.ts';
import { allContainers, changedContainers, deploy, type RunningContainer } from './job/deploy-command.ts';
import { deployedLab } from './job/deployed.ts';
import { nodeExec } from './nodes.ts';
import type { Lab } from './raise.ts';
import { printingReport } from './report.ts';
import { NODES } from './settings.ts';

/** Authenticated requests a second: little, because what is measured here is not how much the lab bears. */
const rate = 2;
const builder = 'node1';
/** The hosts of a group are replaced in the inventory's order. */
const firstReplica = { node: 'node1', address: NODES[0]?.address ?? '' };

/**
 * Shell lines at the end of the image's own preparation, after the part that migrates: the migration works, the
 * service does not.
 */
const broken = {
  exit: ['echo "broken on purpose: exits" >&2', 'exit 3'],
  unhealthy: ['echo "broken on purpose: answers 500" >&2', 'CMD="python3 /usr/local/bin/answers-500"'],
  hang: ['echo "broken on purpose: hangs" >&2', 'CMD="sleep 1000000"'],
} as const;

type Fault = keyof typeof broken;

/** In the last lines the container logs, which the run shows. */
const lastWords: Readonly<Record<Fault, string>> = {
  exit: 'broken on purpose: exits',
  unhealthy: '"GET /healthcheck HTTP/1.1" 500',
  hang: 'broken on purpose: hangs',
};

const answers500 = [
  'import http.server, re',
  'ini = open("/etc/magnum/magnum-api-uwsgi.ini").read()',
  'address, port = re.search(r"http-socket = (.*):(.*)", ini).groups()',
  'class Broken(http.server.BaseHTTPRequestHandler):',
  '    def do_GET(self):',
  '        self.send_error(500)',
  'http.server.HTTPServer((address, int(port)), Broken).serve_forever()',
];

async function makeImage(fault: Fault, from: string): Promise<void> {
  const image = `${from.replace(/:[^:/]*$/, '')}:broken-${fault}`;
  const append = (lines: readonly string[], file: string): string =>
    `RUN printf '%s\\n' ${lines.map((line) => `'${line}'`).join(' ')} >> ${file}`;
  const dockerfile = [
    `FROM ${from}`,
    'USER root',
    append(broken[fault], '/usr/local/bin/kolla_extend_start'),
    append(answers500, '/usr/local/bin/answers-500'),
    'USER magnum',
  ];
  const made = await nodeExec(
    builder,
    `docker build -q -t ${image} - && docker push -q ${image} && docker rmi ${image}`,
    {
      input: `${dockerfile.join('\n')}\n`,
    },
  );
  if (made.code !== 0) throw new LabError(`cannot make ${image}:\n${lastLines(made.stderr, 8)}`);
}

async function answers(): Promise<boolean> {
  try {
    const signal = AbortSignal.timeout(5_000);
    return (await fetch(`http://${firstReplica.address}:9511/healthcheck`, { signal })).ok;
  } catch {
    return false;
  }
}

/** Asks the first replica itself, past the load balancer; `seconds` is how long at most it did not serve. */
function watchFirstReplica(): { stop(): Promise<number> } {
  let away = 0;
  let lastGood = performance.now();
  const done = new AbortController();
  const watching = waitFor(
    async () => {
      const good = await answers();
      away = Math.max(away, performance.now() - lastGood);
      if (good) lastGood = performance.now();
      return done.signal.aborted && good;
    },
    900_000,
    250,
  );
  return {
    stop: async () => {
      done.abort();
      await watching;
      return away / 1000;
    },
  };
}

describe('a new version that does not work', () => {
  let lab: Lab;
  let kinds: Kinds;
  let before: ReadonlyMap<string, RunningContainer>;

  beforeAll(async () => {
    lab = await deployedLab(printingReport());
    const api = (await allContainers()).get(`${builder}/magnum_api`);
    if (api === undefined) throw new LabError('magnum_api is not deployed');
    for (const fault of Object.keys(broken) as Fault[]) await makeImage(fault, api.image);
    kinds = await loadKinds(lab);
  });

  afterAll(async () => {
    await deploy(lab, ['upgrade', '--tags', 'magnum_api', '--skip-tags', 'common', '--yes']);
    for (const { name } of NODES) {
      await nodeExec(name, "docker images --format '{{.Repository}}:{{.Tag}}' | grep ':broken-' | xargs -r docker rmi");
    }
  });

  for (const fault of Object.keys(broken) as Fault[]) {
    const args = ['--tags', 'magnum_api', '--skip-tags', 'common', '-e', `magnum_api_tag=broken-${fault}`];

    it(`goes back to the old one by itself: ${fault}`, async () => {
      before = await allContainers();
      const watch = watchFirstReplica();
      const load = startLoad([
        { kinds: kinds.authenticated, perSecond: rate },
        { kinds: kinds.versions, perSecond: versionsPerSecond },
      ]);
      const ran = await deploy(lab, ['upgrade', ...args, '--yes']);
      const away = await watch.stop();
      const samples = await load.stop();
      const after = await allContainers();
      console.log(
        `${fault}: exit ${ran.code} after ${ran.seconds.toFixed(1)} s, first replica away for ${away.toFixed(1)} s, ` +
          `${samples.length} requests, ${failures(samples).join('; ') || 'none failed'}`,
      );

      expect(ran.code, ran.stdout + ran.stderr).toBe(6);
      expect(ran.stdout + ran.stderr).toContain(lastWords[fault]);
      expect(failures(samples)).toEqual([]);
      expect(changedContainers(before, after)).toEqual([`${firstReplica.node}/magnum_api`]);
      expect([...after.keys()].sort()).toEqual([...before.keys()].sort());
      const first = after.get(`${firstReplica.node}/magnum_api`);
      expect(first).toMatchObject({ id: before.get(`${firstReplica.node}/magnum_api`)?.id, running: true });
      expect(away).toBeLessThan(60);
    });

    it(`plans the same change again: ${fault}`, async () => {
      const planned = await deploy(lab, ['plan', 'upgrade', ...args]);
      expect(planned.code, planned.stdout + planned.stderr).toBe(2);
      expect(planned.stdout).toMatch(
        new RegExp(`replace magnum_api on node1, node2, node3, one after another: .*→ broken-${fault}`),
      );
    });
  }
});
