import { sha256 } from '../../src/core/hash.ts';
import {
  type ContainerSpec,
  imageName,
  type ObservedContainer,
  type ObservedImage,
  type ObservedNode,
} from '../../src/core/model/node.ts';
import type { SimulatedContainer, SimulatedNode } from './node.ts';

/** What is to be looked at beside what always is. */
export interface Want {
  readonly images?: boolean;
  readonly listening?: boolean;
}

export function lookAt(node: SimulatedNode, want: Want): ObservedNode {
  const files = [...node.files].map(([path, { sha256, mode }]) => ({ path, sha256, mode }));
  return {
    host: node.host,
    hostname: node.host,
    engineVersion: '28.0',
    containers: [...node.containers].map(([name, container]) => observed(node, name, container)),
    files: files.sort((a, b) => (a.path < b.path ? -1 : 1)),
    markers: Object.fromEntries(node.markers),
    volumes: [...node.volumes.keys()].sort(),
    addresses: ['127.0.0.1', node.address],
    processors: 4,
    memoryMb: 8192,
    images: want.images ? [...node.images].map(([digest, tags]) => observedImage(digest, tags)) : undefined,
    listening: want.listening ? node.listening : undefined,
  };
}

function observed(node: SimulatedNode, name: string, container: SimulatedContainer): ObservedContainer {
  const { id, spec, labels, state } = container;
  const health = state === 'running' && spec.healthcheck ? 'healthy' : 'none';
  const { repository, digest } = spec.image;
  const tagged = node.images.get(`${repository}@${digest}`)?.has(imageName(spec.image));
  const image = tagged ? imageName(spec.image) : `sha256:${sha256(digest)}`;
  return { name, id, image, state, health, labels, created: 0, status: state, volumes: namedVolumes(spec) };
}

export function namedVolumes(spec: ContainerSpec): string[] {
  return spec.volumes.map((bind) => bind.split(':')[0] ?? '').filter((source) => !source.startsWith('/'));
}

function observedImage(digest: string, tags: ReadonlySet<string>): ObservedImage {
  return { id: sha256(digest), tags: [...tags], digests: [digest] };
}
