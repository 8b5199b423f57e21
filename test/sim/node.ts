import type { Duplex } from 'node:stream';
import { hashOf } from '../../src/core/hash.ts';
import {
  type ContainerSpec,
  type ContainerState,
  imageName,
  label,
  type ObservedNode,
  type PinnedImage,
} from '../../src/core/model/node.ts';
import type { ContainerInspection, ExecResult, NodePort } from '../../src/run/ports.ts';
import { SimulatedDisk } from './disk.ts';
import { lookAt, namedVolumes, type Want } from './look.ts';
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
export class SimulatedNode extends SimulatedDisk implements NodePort {
  readonly address: string;
  readonly containers = new Map<string, SimulatedContainer>();
  /** `repository@digest` → the tags it has. */
  readonly images = new Map<string, Set<string>>();
  readonly listening: { address: string; port: number }[] = [];

  constructor(world: SimulatedWorld, host: string, address: string) {
    super(world, host);
    this.address = address;
    world.nodes.set(host, this);
  }

  async observe(want: Want = {}): Promise<ObservedNode> {
    return this.look(want);
  }

  look(want: Want = {}): ObservedNode {
    return lookAt(this, want);
  }

  #get(name: string): SimulatedContainer {
    const found = this.containers.get(name);
    if (!found) throw new Error(`no such container: ${name} on ${this.host}`);
    return found;
  }

  async pull(image: PinnedImage): Promise<{ pulled: boolean }> {
    const reference = `${image.repository}@${image.digest}`;
    return this.change('pull', imageName(image), () => {
      const here = this.images.has(reference);
      for (const tags of this.images.values()) tags.delete(imageName(image));
      this.images.set(reference, new Set([...(this.images.get(reference) ?? []), imageName(image)]));
      return { pulled: !here };
    });
  }

  async volumeWrittenSince(name: string): Promise<boolean> {
    return this.world.written(this, name);
  }

  async removeVolumes(names: readonly string[]): Promise<void> {
    for (const name of names) {
      const user = [...this.containers].find(([, c]) => c.spec.volumes.some((bind) => bind.startsWith(`${name}:`)));
      if (user) throw new Error(`volume ${name} is in use by ${user[0]}`);
      this.change('remove-volume', name, () => this.volumes.delete(name));
    }
  }

  async create(name: string, spec: ContainerSpec, labels: Readonly<Record<string, string>>): Promise<string> {
    const reference = `${spec.image.repository}@${spec.image.digest}`;
    if (!this.images.has(reference)) throw new Error(`no such image on ${this.host}: ${reference}`);
    const existing = this.containers.get(name);
    const replaceable = existing?.state === 'created' || (existing?.state === 'exited' && label.container in labels);
    if (existing && !replaceable) throw new Error(`container ${name} exists on ${this.host}: ${existing.state}`);
    return this.change('create', name, () => {
      const id = this.world.newId();
      const fresh = { state: 'created', exitCode: 0, restartCount: 0, loaded: undefined } as const;
      this.containers.set(name, { id, spec, labels, ...fresh });
      for (const volume of namedVolumes(spec)) if (!this.volumes.has(volume)) this.volumes.set(volume, new Map());
      return id;
    });
  }

  async start(name: string): Promise<void> {
    const container = this.#get(name);
    if (container.state === 'running') return;
    this.change('start', name, () => {
      if (container.state === 'paused') {
        container.state = 'running';
        return;
      }
      container.loaded = this.directoryHash(container);
      container.cookie = this.files.get(`/etc/kolla/${name}/erlang.cookie`)?.sha256;
      const short = container.spec.restart === 'no';
      if (name === 'upgrade_mariadb') noteUpgrade(this, container);
      const crashed = this.world.crashes(container);
      container.exitCode = short ? this.world.exitCodeOf(name) : crashed ? 1 : 0;
      container.state = short || crashed ? 'exited' : 'running';
    });
  }

  async stop(name: string): Promise<void> {
    const container = this.containers.get(name);
    if (container?.state !== 'running' && container?.state !== 'paused') return;
    this.change('stop', name, () => {
      container.state = 'exited';
    });
  }

  async rename(from: string, to: string): Promise<void> {
    const container = this.#get(from);
    if (this.containers.has(to)) throw new Error(`the name ${to} is taken on ${this.host}`);
    this.change('rename', `${from} → ${to}`, () => {
      this.containers.delete(from);
      this.containers.set(to, container);
    });
  }

  async remove(name: string): Promise<void> {
    if (this.containers.has(name)) this.change('remove', name, () => this.containers.delete(name));
  }

  async signal(name: string, signal: string): Promise<void> {
    const container = this.#get(name);
    if (container.state !== 'running') throw new Error(`${name} is not running`);
    this.change(`signal ${signal}`, name, () => {
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
    return this.world.logs(this, name);
  }

  async exec(name: string, argv: readonly string[]): Promise<ExecResult> {
    if (this.#get(name).state !== 'running') throw new Error(`${name} is not running`);
    return this.world.answer(this, name, argv);
  }

  async putFiles(name: string, directory: string, files: readonly { name: string; content: Uint8Array }[]) {
    const volume = this.#volumeAt(name, directory);
    this.change('put', `${name}:${directory}`, () => {
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
