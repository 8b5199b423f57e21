import type { Duplex } from 'node:stream';
import type { VolumeSize } from '../../src/core/galera/kept-data.ts';
import { hashOf, sha256 } from '../../src/core/hash.ts';
import type { Generation, StoredGeneration } from '../../src/core/model/generation.ts';
import {
  type ContainerSpec,
  type ContainerState,
  type FileContent,
  imageName,
  label,
  type ObservedContainer,
  type ObservedImage,
  type ObservedNode,
  type PinnedImage,
} from '../../src/core/model/node.ts';
import type { ContainerInspection, ExecResult, NodePort, VolumeLook } from '../../src/run/ports.ts';
import { type Kept, keep, moveFiles, type StoredFile, stored, volumeLook } from './generations.ts';
import { noteUpgrade } from './mariadb.ts';
import type { SimulatedWorld } from './world.ts';

export interface SimulatedContainer {
  readonly id: string;
  readonly spec: ContainerSpec;
  readonly labels: Readonly<Record<string, string>>;
  state: ContainerState;
  exitCode: number;
  restartCount: number;
  /** Hash of the config directory as the process read it when it started or was last reloaded. */
  loaded: string | undefined;
  /** Hash of the Erlang cookie it was started with, if it has one. */
  cookie?: string | undefined;
}

/** A node in memory that refuses what the engine would refuse. */
export class SimulatedNode implements NodePort {
  readonly host: string;
  readonly address: string;
  readonly containers = new Map<string, SimulatedContainer>();
  readonly files = new Map<string, StoredFile>();
  readonly markers = new Map<string, string>();
  readonly volumes = new Map<string, Map<string, Uint8Array>>();
  /** `repository@digest` → the tags it has. */
  readonly images = new Map<string, Set<string>>();
  readonly generations = new Map<string, Kept>();
  readonly listening: { address: string; port: number }[] = [];
  readonly #world: SimulatedWorld;

  constructor(world: SimulatedWorld, host: string, address: string) {
    this.#world = world;
    this.host = host;
    this.address = address;
    world.nodes.set(host, this);
  }

  async observe(want: { images?: boolean; listening?: boolean } = {}): Promise<ObservedNode> {
    return this.look(want);
  }

  look(want: { images?: boolean; listening?: boolean } = {}): ObservedNode {
    const files = [...this.files].map(([path, { sha256, mode }]) => ({ path, sha256, mode }));
    return {
      host: this.host,
      hostname: this.host,
      engineVersion: '28.0',
      containers: [...this.containers].map(([name, container]) => this.#observed(name, container)),
      files: files.sort((a, b) => (a.path < b.path ? -1 : 1)),
      markers: Object.fromEntries(this.markers),
      volumes: [...this.volumes.keys()].sort(),
      addresses: ['127.0.0.1', this.address],
      processors: 4,
      memoryMb: 8192,
      images: want.images ? [...this.images].map(([digest, tags]) => observedImage(digest, tags)) : undefined,
      listening: want.listening ? this.listening : undefined,
    };
  }

  #observed(name: string, { id, spec, labels, state }: SimulatedContainer): ObservedContainer {
    const health = state === 'running' && spec.healthcheck ? 'healthy' : 'none';
    const { repository, digest } = spec.image;
    const tagged = this.images.get(`${repository}@${digest}`)?.has(imageName(spec.image));
    const image = tagged ? imageName(spec.image) : `sha256:${sha256(digest)}`;
    return { name, id, image, state, health, labels, created: 0, status: state, volumes: namedVolumes(spec) };
  }

  #change<T>(call: string, subject: string, work: () => T): T {
    return this.#world.change({ host: this.host, call, subject }, work);
  }

  #get(name: string): SimulatedContainer {
    const found = this.containers.get(name);
    if (!found) throw new Error(`no such container: ${name} on ${this.host}`);
    return found;
  }

  async pull(image: PinnedImage): Promise<{ pulled: boolean }> {
    const reference = `${image.repository}@${image.digest}`;
    return this.#change('pull', imageName(image), () => {
      const here = this.images.has(reference);
      for (const tags of this.images.values()) tags.delete(imageName(image));
      this.images.set(reference, new Set([...(this.images.get(reference) ?? []), imageName(image)]));
      return { pulled: !here };
    });
  }

  async writeFiles(files: readonly FileContent[], remove: readonly string[]): Promise<void> {
    for (const { path, content, mode } of files) {
      this.#change('write', path, () => this.files.set(path, { content, mode, sha256: sha256(content) }));
    }
    for (const path of remove) this.#change('delete', path, () => this.files.delete(path));
  }

  async readDetails(paths: readonly string[]): Promise<ReadonlyMap<string, string>> {
    return this.read(paths);
  }

  read(paths: readonly string[]): ReadonlyMap<string, string> {
    return new Map(
      paths.flatMap((path) => {
        const file = this.files.get(path);
        return file ? [[path, file.content] as const] : [];
      }),
    );
  }

  async writeMarker(key: string, value: string): Promise<void> {
    if (!/^[a-z0-9._-]+$/.test(key)) throw new Error(`not a marker key: ${key}`);
    this.#change('mark', key, () => this.markers.set(key, value));
  }

  async removeMarkers(keys: readonly string[]): Promise<void> {
    for (const key of keys) this.#change('unmark', key, () => this.markers.delete(key));
  }

  async recordGeneration(directory: string, generation: Generation): Promise<void> {
    const { container } = generation;
    this.#change('record', container, () =>
      this.generations.set(container, keep(this.generations.get(container), generation, directory, this.files)),
    );
  }

  async restoreGeneration(container: string, directory: string): Promise<boolean> {
    const files = this.generations.get(container)?.current.files;
    if (files === undefined) return false;
    for (const [path, file] of files) this.#change('write', path, () => this.files.set(path, file));
    const stale = [...this.files.keys()].filter((path) => path.startsWith(directory) && !files.has(path));
    for (const path of stale) this.#change('delete', path, () => this.files.delete(path));
    return true;
  }

  async readGeneration(name: string, _: string, which: 'current' | 'previous'): Promise<StoredGeneration | undefined> {
    return stored(this.generations.get(name)?.[which]);
  }

  async removeGenerations(containers: readonly string[]): Promise<void> {
    for (const name of containers) this.#change('forget', name, () => this.generations.delete(name));
  }

  async readVolume(name: string, files: readonly string[]): Promise<VolumeLook | undefined> {
    return this.volumes.has(name) ? volumeLook(`/volumes/${name}`, this.files, files) : undefined;
  }

  async measureVolume(name: string): Promise<VolumeSize | undefined> {
    return this.volumes.has(name) ? { usedKib: 1, freeKib: 1024 ** 2 } : undefined;
  }

  async volumeWrittenSince(name: string): Promise<boolean> {
    return this.#world.written(this, name);
  }

  async markerAge(key: string): Promise<number | undefined> {
    return this.markers.has(key) ? 0 : undefined;
  }

  async emptyVolume(name: string, keep?: { volume: string; directory: string }) {
    const to = keep && `/volumes/${keep.volume}/${keep.directory}`;
    const moved = this.#change('empty', name, () => moveFiles(this.files, `/volumes/${name}`, to));
    return moved ? (keep ? 'kept' : 'given up') : 'was empty';
  }

  async fillVolume(name: string, from: { volume: string; directory: string }): Promise<void> {
    const directory = `/volumes/${from.volume}/${from.directory}`;
    this.#change('fill', name, () => moveFiles(this.files, directory, `/volumes/${name}`));
  }

  async removeVolumes(names: readonly string[]): Promise<void> {
    for (const name of names) {
      const user = [...this.containers].find(([, c]) => c.spec.volumes.some((bind) => bind.startsWith(`${name}:`)));
      if (user) throw new Error(`volume ${name} is in use by ${user[0]}`);
      this.#change('remove-volume', name, () => this.volumes.delete(name));
    }
  }

  async create(name: string, spec: ContainerSpec, labels: Readonly<Record<string, string>>): Promise<string> {
    const reference = `${spec.image.repository}@${spec.image.digest}`;
    if (!this.images.has(reference)) throw new Error(`no such image on ${this.host}: ${reference}`);
    const existing = this.containers.get(name);
    const replaceable = existing?.state === 'created' || (existing?.state === 'exited' && label.container in labels);
    if (existing && !replaceable) throw new Error(`container ${name} exists on ${this.host}: ${existing.state}`);
    return this.#change('create', name, () => {
      const id = this.#world.newId();
      const fresh = { state: 'created', exitCode: 0, restartCount: 0, loaded: undefined } as const;
      this.containers.set(name, { id, spec, labels, ...fresh });
      for (const volume of namedVolumes(spec)) if (!this.volumes.has(volume)) this.volumes.set(volume, new Map());
      return id;
    });
  }

  async start(name: string): Promise<void> {
    const container = this.#get(name);
    if (container.state === 'running') return;
    this.#change('start', name, () => {
      if (container.state === 'paused') {
        container.state = 'running';
        return;
      }
      container.loaded = this.directoryHash(container);
      container.cookie = this.files.get(`/etc/kolla/${name}/erlang.cookie`)?.sha256;
      const short = container.spec.restart === 'no';
      if (name === 'upgrade_mariadb') noteUpgrade(this, container);
      const crashed = this.#world.crashes(container);
      container.exitCode = short ? this.#world.exitCodeOf(name) : crashed ? 1 : 0;
      container.state = short || crashed ? 'exited' : 'running';
    });
  }

  async stop(name: string): Promise<void> {
    const container = this.containers.get(name);
    if (container?.state !== 'running' && container?.state !== 'paused') return;
    this.#change('stop', name, () => {
      container.state = 'exited';
    });
  }

  async rename(from: string, to: string): Promise<void> {
    const container = this.#get(from);
    if (this.containers.has(to)) throw new Error(`the name ${to} is taken on ${this.host}`);
    this.#change('rename', `${from} → ${to}`, () => {
      this.containers.delete(from);
      this.containers.set(to, container);
    });
  }

  async remove(name: string): Promise<void> {
    if (this.containers.has(name)) this.#change('remove', name, () => this.containers.delete(name));
  }

  async signal(name: string, signal: string): Promise<void> {
    const container = this.#get(name);
    if (container.state !== 'running') throw new Error(`${name} is not running`);
    this.#change(`signal ${signal}`, name, () => {
      container.loaded = this.directoryHash(container);
    });
  }

  async inspect(name: string): Promise<ContainerInspection | undefined> {
    const found = this.containers.get(name);
    if (!found) return undefined;
    const { id, exitCode, restartCount, spec } = found;
    const running = found.state === 'running';
    const check = spec.healthcheck?.test;
    return {
      id,
      running,
      exitCode,
      restartCount,
      startedAt: '2026-01-01T00:00:00Z',
      finishedAt: '2026-01-01T00:00:01Z',
      check,
    };
  }

  async settingsDiffering(name: string, spec: ContainerSpec): Promise<readonly string[]> {
    const seen = Object.keys(this.containers.get(name)?.spec.environment ?? {});
    return seen.filter((key) => !(key in spec.environment)).map((key) => `environment + ${key}`);
  }

  async wait(name: string): Promise<number> {
    return this.#get(name).exitCode;
  }

  async logs(name: string): Promise<string> {
    return this.#world.logs(this, name);
  }

  async exec(name: string, argv: readonly string[]): Promise<ExecResult> {
    if (this.#get(name).state !== 'running') throw new Error(`${name} is not running`);
    return this.#world.answer(this, name, argv);
  }

  async putFiles(name: string, directory: string, files: readonly { name: string; content: Uint8Array }[]) {
    const volume = this.#volumeAt(name, directory);
    this.#change('put', `${name}:${directory}`, () => {
      for (const file of files) volume.set(file.name, file.content);
    });
  }

  async getFiles(name: string, directory: string): Promise<ReadonlyMap<string, Uint8Array>> {
    return new Map(this.#volumeAt(name, directory));
  }

  #volumeAt(name: string, directory: string): Map<string, Uint8Array> {
    const bind = this.#get(name).spec.volumes.find((v) => v.split(':')[1]?.replace(/\/$/, '') === directory);
    const volume = bind === undefined ? undefined : this.volumes.get(bind.split(':')[0] ?? '');
    if (!volume) throw new Error(`${name} has no volume at ${directory}`);
    return volume;
  }

  /** What a process of this container would read if it started now. */
  directoryHash(container: SimulatedContainer): string {
    const bind = container.spec.volumes.find((v) => v.split(':')[1] === '/var/lib/kolla/config_files/') ?? ':';
    const directory = bind.split(':')[0] ?? '';
    const files = [...this.files].filter(([path]) => path.startsWith(directory));
    return hashOf(files.map(([path, file]) => `${path} ${file.mode} ${file.sha256}`).sort());
  }

  async openSocket(): Promise<undefined> {
    return undefined;
  }

  async connect(): Promise<Duplex> {
    throw new Error('a simulated node takes no connections');
  }

  async close(): Promise<void> {}
}

function namedVolumes(spec: ContainerSpec): string[] {
  return spec.volumes.map((bind) => bind.split(':')[0] ?? '').filter((source) => !source.startsWith('/'));
}

function observedImage(digest: string, tags: ReadonlySet<string>): ObservedImage {
  return { id: sha256(digest), tags: [...tags], digests: [digest] };
}
