import path from 'node:path';
import type { PinnedImage } from '../../src/core/model/node.ts';
import { type OpenNode, openNode } from '../../src/edge/node/node.ts';
import { busyboxTar, startDockerd, type TestDockerd } from './dockerd.ts';
import { startRegistry } from './registry.ts';
import { startSshd, targetOf } from './sshd.ts';

/** A node for one test file: an sshd, an engine, and a registry with one image, which the engine has. */
export interface OwnNode {
  readonly node: OpenNode;
  readonly image: PinnedImage;
  readonly dockerd: TestDockerd;
  stop(): Promise<void>;
}

/** Starts it with all of its state in `home`; containers are configured in `etc` there. */
export async function startNode(home: string): Promise<OwnNode> {
  const started: { stop(): Promise<void> }[] = [];
  const stop = async (): Promise<void> => {
    for (const one of started.reverse()) await one.stop();
  };
  function noted<T extends { stop(): Promise<void> }>(one: T): T {
    started.push(one);
    return one;
  }
  try {
    const sshd = noted(await startSshd(path.join(home, 'ssh')));
    const dockerd = noted(await startDockerd(path.join(home, 'engine')));
    const { repository, digest } = noted(await startRegistry(busyboxTar(home)));
    const image = { repository, tag: 'zed', digest };
    const options = { knownHosts: [sshd.knownHosts], dockerSocket: dockerd.socket, configRoot: path.join(home, 'etc') };
    const node = await openNode(targetOf(sshd), options);
    started.push({ stop: () => node.close() });
    await node.pull(image);
    return { node, image, dockerd, stop };
  } catch (problem) {
    await stop();
    throw problem;
  }
}
