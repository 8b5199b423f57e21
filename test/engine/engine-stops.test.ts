import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { exitCode } from '../../src/core/model/diagnostic.ts';
import { type ContainerSpec, label, type PinnedImage } from '../../src/core/model/node.ts';
import type { OpenNode } from '../../src/edge/node/node.ts';
import { type OwnNode, startNode } from './own-node.ts';

const home = mkdtempSync(path.join(os.tmpdir(), 'deploy-engine-stops-'));
let own: OwnNode;
let node: OpenNode;
let image: PinnedImage;

beforeAll(async () => {
  own = await startNode(home);
  ({ node, image } = own);
}, 120_000);

afterAll(async () => {
  await own?.stop();
  rmSync(home, { recursive: true, force: true });
});

async function run(name: string, onTerm: string): Promise<void> {
  const spec: ContainerSpec = {
    name,
    image,
    environment: {},
    volumes: [],
    privileged: false,
    capAdd: [],
    dimensions: {},
    command: ['sh', '-c', `trap "${onTerm}" TERM; while :; do sleep 0.1; done`],
    restart: 'unless-stopped',
  };
  await node.create(name, spec, { [label.container]: name });
  await node.start(name);
}

it('never takes what an engine does to its containers while it is stopped for their own doing', async () => {
  // The engine waits for this one, and answers on connections it has while it does.
  await run('slow', '');
  await run('quick', 'exit 3');
  await sleep(300);
  // Three connections: one for the wait, two that are idle then.
  const looks = await Promise.all(['quick', 'quick', 'slow'].map((name) => node.inspect(name)));
  expect(looks.map((look) => look?.running)).toEqual([true, true, true]);
  const waiting = node.wait('quick', 60_000);
  waiting.catch(() => undefined);
  process.kill(Number(readFileSync(path.join(home, 'engine', 'pid'), 'utf8')), 'SIGTERM');

  const seen = async (): Promise<unknown> => {
    for (;;) {
      const state = await node.inspect('quick');
      if (state?.running !== true) return state;
      await sleep(20);
    }
  };
  await expect(seen()).rejects.toMatchObject({
    exit: exitCode.nodeNotUsable,
    diagnostics: [{ code: 'no-engine', host: 'node1' }],
  });
  await expect(waiting).rejects.toMatchObject({ exit: exitCode.nodeNotUsable });
  // What is refused because the container is not running any more is the engine's doing, too.
  await expect(node.exec('quick', ['true'])).rejects.toMatchObject({ exit: exitCode.nodeNotUsable });
});
