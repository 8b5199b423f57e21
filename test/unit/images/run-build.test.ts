import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { type BuildPlan, contentHashLabel, type PlannedImage } from '../../../src/core/images/definition.ts';
import { runBuild } from '../../../src/run/build.ts';
import type { BuildOptions, BuildPorts } from '../../../src/run/build-ports.ts';

function image(name: string, parents: readonly string[] = [], selected = true): PlannedImage {
  return {
    key: `${name}:t`,
    service: 's',
    name,
    tag: 't',
    repository: `r/${name}`,
    reference: `r/${name}:t`,
    selected,
    dockerfile: 'FROM x\n',
    file: `${name}.hbs`,
    context: [],
    parents: parents.map((parent) => `${parent}:t`),
    contentHash: `hash-${name}`,
  };
}

interface World {
  readonly local?: readonly string[];
  readonly registry?: readonly string[];
  /** Messages of failing builds, consumed one per attempt. */
  readonly failing?: Record<string, string[]>;
  readonly pushMs?: number;
}

async function go(images: readonly PlannedImage[], world: World, options: BuildOptions = {}) {
  const log: string[] = [];
  let busy = 0;
  let most = 0;
  const ports: BuildPorts = {
    engine: {
      contentHashes: async () => new Map(world.local?.map((name) => [`r/${name}:t`, `hash-${name}`])),
      build: async ({ reference, nocache }) => {
        most = Math.max(most, ++busy);
        await delay(2);
        busy--;
        const message = world.failing?.[reference]?.shift();
        log.push(`${message ? 'fail' : 'build'} ${reference}${nocache ? ' nocache' : ''}`);
        return message === undefined
          ? { ok: true, id: 'sha256:x', size: 7 }
          : { ok: false, message, lines: ['Step 1/1 : FROM x'] };
      },
      push: async ({ repository, tag }) => {
        await delay(world.pushMs ?? 0);
        log.push(`push ${repository}:${tag}`);
        return { ok: true, digest: 'sha256:d' };
      },
      pull: async (reference) => {
        log.push(`pull ${reference}`);
        return { ok: true };
      },
    },
    registry: {
      inspect: async ({ repository }) => {
        const name = repository.slice(2);
        const known = world.registry?.includes(name);
        return known ? { digest: 'sha256:r', labels: { [contentHashLabel]: `hash-${name}` } } : undefined;
      },
    },
    now: () => 0,
    sleep: async (ms) => {
      log.push(`wait ${ms}`);
    },
  };
  const plan: BuildPlan = { images };
  const rows = await runBuild(plan, ports, () => {}, options);
  return { log, rows, most, statuses: Object.fromEntries(rows.map((row) => [row.image, row.status])) };
}

const chain = [image('base'), image('mid', ['base']), image('leaf', ['mid'])];

describe('runBuild', () => {
  it('builds parents first', async () => {
    const { log, statuses } = await go(chain, {});
    expect(log).toEqual(['build r/base:t', 'build r/mid:t', 'build r/leaf:t']);
    expect(statuses).toEqual({ base: 'built', mid: 'built', leaf: 'built' });
  });

  it('builds independent images in parallel, within the limit', async () => {
    const many = [image('base'), ...['a', 'b', 'c', 'd'].map((name) => image(name, ['base']))];
    expect((await go(many, {})).most).toBe(2);
    expect((await go(many, {}, { concurrency: 4 })).most).toBe(4);
  });

  it('does not let a push keep children waiting', async () => {
    const { log, rows } = await go(chain, { pushMs: 30 }, { push: true });
    expect(log.slice(0, 3)).toEqual(['build r/base:t', 'build r/mid:t', 'build r/leaf:t']);
    expect(rows.map(({ status, digest, size }) => [status, digest, size])).toEqual(
      Array(3).fill(['pushed', 'sha256:d', 7]),
    );
  });

  it('skips what the engine has, and with push what the registry has', async () => {
    const names = ['base', 'mid', 'leaf'];
    expect(await go(chain, { local: names })).toMatchObject({ log: [], statuses: { leaf: 'skipped' } });
    expect(await go(chain, { registry: names }, { push: true })).toMatchObject({
      log: [],
      statuses: { leaf: 'skipped' },
    });
    expect((await go(chain, { local: names, registry: ['base', 'mid'] }, { push: true })).log).toEqual([
      'push r/leaf:t',
    ]);
  });

  it('pulls a parent that only the registry has, once', async () => {
    const images = [image('base', [], false), image('a', ['base']), image('b', ['base'])];
    const { log } = await go(images, { registry: ['base'] }, { push: true });
    expect(log.filter((line) => !line.startsWith('push')).sort()).toEqual([
      'build r/a:t',
      'build r/b:t',
      'pull r/base:t',
    ]);
  });

  it('does not build parents nobody needs', async () => {
    const images = [image('base', [], false), image('leaf', ['base'])];
    expect(await go(images, { local: ['leaf'] })).toMatchObject({
      log: [],
      statuses: { base: 'skipped', leaf: 'skipped' },
    });
  });

  it('builds the selected again when forced, not their parents', async () => {
    const images = [image('base', [], false), image('leaf', ['base'])];
    const local = ['base', 'leaf'];
    expect((await go(images, { local }, { force: true })).log).toEqual(['build r/leaf:t']);
    expect((await go(images, { local }, { nocache: true })).log).toEqual(['build r/leaf:t nocache']);
  });

  it('reports a failure once and its descendants as blocked by it', async () => {
    const images = [...chain, image('other', ['base'])];
    const { rows, statuses, log } = await go(images, { failing: { 'r/mid:t': ['returned a non-zero code: 1'] } });
    expect(statuses).toEqual({ base: 'built', mid: 'failed', leaf: 'blocked', other: 'built' });
    expect(rows.find((row) => row.image === 'leaf')?.blockedBy).toBe('mid:t');
    expect(rows.find((row) => row.image === 'mid')).toMatchObject({
      problem: {
        message: 'mid:t: step 1 of 1 failed: FROM x: returned a non-zero code: 1',
        at: { file: 'mid.hbs', line: 1 },
      },
      log: ['Step 1/1 : FROM x'],
    });
    expect(log.filter((line) => line.startsWith('fail'))).toHaveLength(1);
  });

  it('tries again what may pass, at most twice', async () => {
    const once = await go([image('a')], { failing: { 'r/a:t': ['Hash Sum mismatch'] } });
    expect(once.log).toEqual(['fail r/a:t', 'wait 2000', 'build r/a:t']);
    const always = await go([image('a')], { failing: { 'r/a:t': Array(9).fill('connection reset by peer') } });
    expect(always.log).toEqual(['fail r/a:t', 'wait 2000', 'fail r/a:t', 'wait 8000', 'fail r/a:t']);
    expect(always.statuses).toEqual({ a: 'failed' });
  });

  it('starts nothing after an interrupt', async () => {
    const { rows, log } = await go(chain, {}, { signal: AbortSignal.abort() });
    expect(log).toEqual([]);
    expect(rows.map((row) => row.blockedBy)).toEqual(['interrupt', 'interrupt', 'interrupt']);
  });
});
