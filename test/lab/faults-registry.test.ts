import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { waitFor } from './command.ts';
import { allContainers, changedContainers, deploy, type Ran } from './job/deploy-command.ts';
import { deployedLab } from './job/deployed.ts';
import { type Asked, type FaultRegistry, type Mischief, startFaultRegistry } from './job/fault-registry.ts';
import { forgetSpare, makeSpare, spare } from './job/spare-image.ts';
import { nodeExec } from './nodes.ts';
import type { Lab } from './raise.ts';
import { printingReport } from './report.ts';
import { NODES, nodeByName, paths, REGISTRY } from './settings.ts';

const select = ['--tags', 'memcached', '--skip-tags', 'common'];
const upgrade = ['upgrade', ...select, '-e', `memcached_tag=${spare}`, '--yes'];
/** The only node for which the registry misbehaves, where it does not do so for all. */
const unlucky = nodeByName('node2').address;

interface RegistryFault {
  readonly name: string;
  /** Asked before each answer; `times` counts the requests that this fault is about. */
  readonly mischief: (asked: Asked, times: () => number) => Mischief | undefined;
  /** Away altogether, before the run. */
  readonly away?: boolean;
  readonly expected: {
    /** 0: patience was enough. Otherwise no container of any node is another one than before. */
    readonly exit: number;
    /** In what the operator reads. */
    readonly says: readonly (RegExp | string)[];
    readonly seconds: readonly [least: number, most: number];
  };
}

const byControlHost = ({ from, path }: Asked): boolean =>
  !NODES.some(({ address }) => address === from) && path.includes('/manifests/');
const byNode = ({ from, path }: Asked, what: 'manifests' | 'blobs'): boolean =>
  from === unlucky && path.includes(`/${what}/`);

const faults: readonly RegistryFault[] = [
  {
    name: 'is down',
    mischief: () => undefined,
    away: true,
    expected: {
      exit: 4,
      says: [
        `the registry ${REGISTRY}: the connection was refused; asked again in 1 s`,
        `error: the registry ${REGISTRY} cannot be used: the connection was refused`,
        /is the registry running\?/,
      ],
      seconds: [1.7, 8],
    },
  },
  {
    name: 'answers 500',
    mischief: (asked) => (byControlHost(asked) ? { status: 500 } : undefined),
    expected: {
      exit: 4,
      says: [
        /: it answers 500; asked again in 1 s/,
        /error: .* cannot be used: it answers 500/,
        /look at the registry’s/,
      ],
      seconds: [1.7, 8],
    },
  },
  {
    name: 'answers 429 with Retry-After and goes on doing so',
    mischief: (asked) => (byControlHost(asked) ? { status: 429, retryAfterSeconds: 2 } : undefined),
    expected: {
      exit: 4,
      says: [
        /it answers 429 \(too many requests\); asked again in 2 s/,
        /error: .* cannot be used: it answers 429 \(too many requests\)\n.*run the same command again later/,
      ],
      seconds: [6, 14],
    },
  },
  {
    name: 'answers 429 with Retry-After twice',
    mischief: (asked, times) =>
      byControlHost(asked) && times() <= 2 ? { status: 429, retryAfterSeconds: 2 } : undefined,
    expected: { exit: 0, says: [/it answers 429 \(too many requests\); asked again in 2 s/], seconds: [4, 30] },
  },
  {
    name: 'answers one node’s requests for what an image is made of with 500 for a while',
    // An engine asks six times by itself.
    mischief: (asked, times) => (byNode(asked, 'blobs') && times() <= 7 ? { status: 500 } : undefined),
    expected: { exit: 0, says: [/node2 {2}pull .*: done \(at the 2\. attempt\)/], seconds: [2, 40] },
  },
  {
    name: 'answers one node’s requests with 429',
    mischief: (asked) => (byNode(asked, 'manifests') ? { status: 429, retryAfterSeconds: 1 } : undefined),
    expected: {
      exit: 1,
      says: [/error: node2: cannot pull .*memcached:spare .* has too many requests \(.*; 4 attempts/],
      seconds: [17, 40],
    },
  },
  {
    name: 'is slow',
    mischief: ({ path }) => (path.includes('/blobs/') ? { bytesPerSecond: 1_000_000 } : undefined),
    expected: { exit: 0, says: [/node2 {2}pull .*: done in [3-9]\.\d s/], seconds: [5, 40] },
  },
];

describe('a registry that', () => {
  let lab: Lab;
  let registry: FaultRegistry | undefined;

  function proxy(): FaultRegistry {
    if (registry === undefined) throw new Error('no registry stands in between');
    return registry;
  }

  beforeAll(async () => {
    lab = await deployedLab(printingReport());
    registry = await startFaultRegistry();
    await makeSpare('memcached');
  });

  afterEach(async () => {
    await proxy().comeBack();
    proxy().behave();
    const back = await deploy(lab, ['upgrade', ...select, '--yes']);
    expect(back.code, back.stdout + back.stderr).toBe(0);
    await forgetSpare();
  });

  afterAll(async () => {
    await registry?.stop();
  });

  function report(name: string, ran: Ran): void {
    const said =
      ran.stderr.trim() ||
      ran.stdout
        .split('\n')
        .filter((line) => /error:|attempt/.test(line))
        .join('\n    ');
    console.log(`${name}: exit ${ran.code} after ${ran.seconds.toFixed(1)} s\n    ${said}`);
  }

  /** The same command, the registry being well: it ends as if nothing had been. */
  async function heals(): Promise<void> {
    const again = await deploy(lab, upgrade);
    expect(again.code, again.stdout + again.stderr).toBe(0);
    const rest = await deploy(lab, ['plan', ...upgrade.slice(0, -1)]);
    expect(rest.code, rest.stdout).toBe(0);
  }

  for (const { name, mischief, away, expected } of faults) {
    it(name, async () => {
      let count = 0;
      proxy().misbehave((asked) =>
        mischief(asked, () => {
          count += 1;
          return count;
        }),
      );
      if (away) await proxy().goAway();
      const before = await allContainers();
      const ran = await deploy(lab, upgrade);
      report(name, ran);
      expect(ran.code, ran.stdout + ran.stderr).toBe(expected.exit);
      for (const words of expected.says) expect(ran.stdout + ran.stderr).toMatch(words);
      expect(ran.seconds).toBeGreaterThan(expected.seconds[0]);
      expect(ran.seconds).toBeLessThan(expected.seconds[1]);
      if (expected.exit !== 0) expect(changedContainers(before, await allContainers())).toEqual([]);
      await proxy().comeBack();
      proxy().behave();
      await heals();
    });
  }

  it('goes away in the middle, until somebody starts it again', async () => {
    let away = false;
    proxy().misbehave(({ from }) => {
      if (!NODES.some(({ address }) => address === from)) return undefined;
      if (!away) void proxy().goAway();
      away = true;
      return 'cut';
    });
    const before = await allContainers();
    const running = deploy(lab, upgrade);
    expect(await waitFor(async () => away, 30_000)).toBe(true);
    const ran = await running;
    report('goes away in the middle', ran);
    expect(ran.code, ran.stdout + ran.stderr).toBe(1);
    expect(ran.stdout).toMatch(/error: node2: cannot pull .*memcached:spare .* does not answer \(.*; 4 attempts/);
    expect(changedContainers(before, await allContainers())).toEqual([]);
    await proxy().comeBack();
    proxy().behave();
    await heals();
  });

  it('has a damaged layer: told as that, asked for once, and no fault of the version', async () => {
    const { layer } = await makeSpare('memcached');
    const undo = damage(layer);
    try {
      proxy().asked();
      const before = await allContainers();
      const ran = await deploy(lab, upgrade);
      report('has a damaged layer', ran);
      expect(ran.code, ran.stdout + ran.stderr).toBe(1);
      for (const { name } of NODES) {
        expect(ran.stdout).toMatch(
          new RegExp(
            `error: ${name}: cannot pull ${REGISTRY}/deploy/memcached:${spare} .* is not what its digest says`,
          ),
        );
      }
      expect(ran.stdout).toContain('the registry’s copy is damaged');
      const asked = proxy().asked();
      for (const { address } of NODES) {
        const times = asked.filter(({ from, path }) => from === address && path.endsWith(layer)).length;
        // An engine asks once for the size and once for the content.
        expect(times).toBeGreaterThan(0);
        expect(times).toBeLessThan(3);
      }
      expect(changedContainers(before, await allContainers())).toEqual([]);
    } finally {
      undo();
    }
    await heals();
  });

  it('has another image under the tag than when the plan was made: the planned one is applied', async () => {
    const planned = await makeSpare('memcached');
    const plan = join(lab.files.folder, 'spare.plan');
    const saved = await deploy(lab, ['plan', ...upgrade.slice(0, -1), '--out', plan]);
    expect(saved.code, saved.stderr).toBe(2);
    const moved = await makeSpare('memcached');
    expect(moved.digest).not.toBe(planned.digest);
    const applied = await deploy(lab, ['apply', plan, '--yes']);
    report('tag moved', applied);
    rmSync(plan);
    expect(applied.code, applied.stdout + applied.stderr).toBe(0);
    expect(await digestsInUse()).toEqual([planned.digest]);
    const next = await deploy(lab, ['plan', ...upgrade.slice(0, -1)]);
    expect(next.code, next.stdout).toBe(2);
    await heals();
    expect(await digestsInUse()).toEqual([moved.digest]);
  });

  it('has lost the image that the plan means: nothing is replaced', async () => {
    const planned = await makeSpare('memcached');
    const plan = join(lab.files.folder, 'spare.plan');
    const saved = await deploy(lab, ['plan', ...upgrade.slice(0, -1), '--out', plan]);
    expect(saved.code, saved.stderr).toBe(2);
    proxy().misbehave(({ path }) => (path.endsWith(planned.digest) ? { status: 404 } : undefined));
    const before = await allContainers();
    const applied = await deploy(lab, ['apply', plan, '--yes']);
    report('image lost', applied);
    expect(applied.code, applied.stdout + applied.stderr).toBe(1);
    expect(applied.stdout).toMatch(
      new RegExp(`cannot pull .*memcached:${spare} \\(${planned.digest}\\).* does not have it`),
    );
    expect(changedContainers(before, await allContainers())).toEqual([]);
    proxy().behave();
    const again = await deploy(lab, ['apply', plan, '--yes']);
    rmSync(plan);
    expect(again.code, again.stdout + again.stderr).toBe(0);
  });

  /** The digests that the nodes' memcached containers run, each once. */
  async function digestsInUse(): Promise<readonly string[]> {
    const ask = `docker image inspect --format '{{join .RepoDigests " "}}' $(docker inspect --format '{{.Image}}' memcached)`;
    const seen = await Promise.all(NODES.map(async ({ name }) => (await nodeExec(name, ask)).stdout.trim()));
    return [...new Set(seen.map((one) => /sha256:\w+/.exec(one)?.[0] ?? ''))];
  }
});

/** Makes a byte of a blob in the registry's storage another one; returns how to undo that. */
function damage(digest: string): () => void {
  const hex = digest.replace('sha256:', '');
  const file = join(paths.registry, 'docker/registry/v2/blobs/sha256', hex.slice(0, 2), hex, 'data');
  const flip = (): void => {
    const content = readFileSync(file);
    const middle = content.length >> 1;
    content[middle] = (content[middle] ?? 0) ^ 0xff;
    writeFileSync(file, content);
  };
  flip();
  return flip;
}
