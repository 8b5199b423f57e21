import type { VolumeSize } from '../../src/core/galera/kept-data.ts';
import { sha256 } from '../../src/core/hash.ts';
import type { Generation, StoredGeneration } from '../../src/core/model/generation.ts';
import type { FileContent, HostName } from '../../src/core/model/node.ts';
import type { VolumeLook } from '../../src/run/ports.ts';
import { type Kept, keep, moveFiles, type StoredFile, stored, volumeLook } from './generations.ts';
import type { SimulatedWorld } from './world.ts';

/** What lies on a node, whatever runs there: files, markers, generations, and what is in volumes. */
export class SimulatedDisk {
  readonly host: HostName;
  readonly files = new Map<string, StoredFile>();
  readonly markers = new Map<string, string>();
  readonly generations = new Map<string, Kept>();
  readonly volumes = new Map<string, Map<string, Uint8Array>>();
  protected readonly world: SimulatedWorld;

  constructor(world: SimulatedWorld, host: HostName) {
    this.world = world;
    this.host = host;
  }

  protected change<T>(call: string, subject: string, work: () => T): T {
    return this.world.change({ host: this.host, call, subject }, work);
  }

  async writeFiles(files: readonly FileContent[], remove: readonly string[]): Promise<void> {
    for (const { path, content, mode } of files) {
      this.change('write', path, () => this.files.set(path, { content, mode, sha256: sha256(content) }));
    }
    for (const path of remove) this.change('delete', path, () => this.files.delete(path));
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
    this.change('mark', key, () => this.markers.set(key, value));
  }

  async removeMarkers(keys: readonly string[]): Promise<void> {
    for (const key of keys) this.change('unmark', key, () => this.markers.delete(key));
  }

  async recordGeneration(directory: string, generation: Generation): Promise<void> {
    const { container } = generation;
    this.change('record', container, () =>
      this.generations.set(container, keep(this.generations.get(container), generation, directory, this.files)),
    );
  }

  async restoreGeneration(container: string, directory: string): Promise<boolean> {
    const files = this.generations.get(container)?.current.files;
    if (files === undefined) return false;
    for (const [path, file] of files) this.change('write', path, () => this.files.set(path, file));
    const stale = [...this.files.keys()].filter((path) => path.startsWith(directory) && !files.has(path));
    for (const path of stale) this.change('delete', path, () => this.files.delete(path));
    return true;
  }

  async readGeneration(name: string, _: string, which: 'current' | 'previous'): Promise<StoredGeneration | undefined> {
    return stored(this.generations.get(name)?.[which]);
  }

  async removeGenerations(containers: readonly string[]): Promise<void> {
    for (const name of containers) this.change('forget', name, () => this.generations.delete(name));
  }

  async markerAge(key: string): Promise<number | undefined> {
    return this.markers.has(key) ? 0 : undefined;
  }

  async readVolume(name: string, files: readonly string[]): Promise<VolumeLook | undefined> {
    return this.volumes.has(name) ? volumeLook(`/volumes/${name}`, this.files, files) : undefined;
  }

  async measureVolume(name: string): Promise<VolumeSize | undefined> {
    return this.volumes.has(name) ? { usedKib: 1, freeKib: 1024 ** 2 } : undefined;
  }

  async emptyVolume(name: string, keep?: { volume: string; directory: string }) {
    const to = keep && `/volumes/${keep.volume}/${keep.directory}`;
    const moved = this.change('empty', name, () => moveFiles(this.files, `/volumes/${name}`, to));
    return moved ? (keep ? 'kept' : 'given up') : 'was empty';
  }

  async fillVolume(name: string, from: { volume: string; directory: string }): Promise<void> {
    const directory = `/volumes/${from.volume}/${from.directory}`;
    this.change('fill', name, () => moveFiles(this.files, directory, `/volumes/${name}`));
  }
}
