import { describe, expect, it } from 'vitest';
import type { DesiredContainer, DesiredFile } from '../../../src/core/desired/model.ts';
import { sha256 } from '../../../src/core/hash.ts';
import { label, type ObservedContainer, type ObservedFile, type ObservedNode } from '../../../src/core/model/node.ts';
import { compareFiles, configHashOf, judgeContainer, loadedMarkerKey } from '../../../src/core/plan/compare.ts';

const directory = '/etc/kolla/web/';
const image = { repository: 'registry/web', tag: 'v1', digest: 'sha256:one' };

function wanted(name: string, content: string): DesiredFile {
  return { path: `${directory}${name}`, content, mode: '0660', sha256: sha256(content), service: 'web' };
}

function there(name: string, content: string, mode = '0660'): ObservedFile {
  return { path: `${directory}${name}`, sha256: sha256(content), mode };
}

describe('compareFiles', () => {
  const desired = [wanted('a', 'A'), wanted('b', 'B')];

  it.each([
    ['nothing differs', [there('a', 'A'), there('b', 'B')], [], []],
    ['another content', [there('a', 'x'), there('b', 'B')], ['a'], []],
    ['another mode', [there('a', 'A', '0644'), there('b', 'B')], ['a'], []],
    ['a missing file', [there('b', 'B')], ['a'], []],
    ['a stale file', [there('z', 'Z'), there('a', 'A'), there('b', 'B')], [], ['z']],
    [
      'a directory whose name only begins alike',
      [there('a', 'A'), there('b', 'B'), { path: '/etc/kolla/web-two/a', sha256: '', mode: '0660' }],
      [],
      [],
    ],
  ])('%s', (_, observed, write, remove) => {
    const change = compareFiles(directory, desired, observed, new Set());
    expect(change.write.map((f) => f.path.slice(directory.length))).toEqual(write);
    expect(change.remove.map((path) => path.slice(directory.length))).toEqual(remove);
    expect(change.configHash).toBe(configHashOf(directory, desired));
  });

  it('leaves the files of services that are not selected, and counts them into the hash', () => {
    const other = there('services.d/other.cfg', 'other');
    const change = compareFiles(directory, desired, [there('a', 'A'), there('b', 'B'), other], new Set([other.path]));
    expect(change).toMatchObject({ write: [], remove: [] });
    expect(change.configHash).toBe(configHashOf(directory, [...desired, other]));
  });

  it('gives the same hash for any order of the files', () => {
    expect(configHashOf(directory, desired.toReversed())).toBe(configHashOf(directory, desired));
  });
});

describe('judgeContainer', () => {
  const files = compareFiles(directory, [wanted('a', 'A')], [there('a', 'A')], new Set());
  const changed = compareFiles(directory, [wanted('a', 'A2')], [there('a', 'A'), there('old', '')], new Set());
  const container = { name: 'web', directory, specHash: 'spec' } as DesiredContainer;
  const reloading: DesiredContainer = { ...container, reload: { exec: [], signal: 'HUP' } };
  const labels = { [label.imageDigest]: image.digest, [label.specHash]: 'spec', [label.configHash]: files.configHash };
  const running: ObservedContainer = {
    name: 'web',
    id: 'id1',
    image: 'registry/web:v1',
    state: 'running',
    health: 'none',
    labels,
    created: 0,
    status: '',
  };
  const oldImage = { ...running, image: 'registry/web:v0', labels: { ...labels, [label.imageDigest]: 'sha256:zero' } };
  const movedTag = { ...running, labels: { ...labels, [label.imageDigest]: 'sha256:zero' } };
  const oldSpec = { ...running, labels: { ...labels, [label.specHash]: 'other' } };

  function node(seen: ObservedContainer | undefined, markers: Record<string, string> = {}): ObservedNode {
    const containers = seen ? [seen] : [];
    return {
      host: 'h',
      hostname: 'h',
      engineVersion: '',
      containers,
      files: [],
      markers,
      volumes: [],
      addresses: [],
      processors: 1,
      memoryMb: 1,
    };
  }

  it.each([
    ['same', container, running, files, undefined],
    ['missing', container, undefined, files, 'missing'],
    ['replace', container, oldImage, files, 'image v0 → v1'],
    ['replace', container, movedTag, files, 'image v1 → v1 (the tag moved)'],
    ['replace', container, oldSpec, files, 'container settings changed'],
    ['replace', container, running, changed, 'config changed: a; config removed: old'],
    ['replace', container, oldImage, changed, 'image v0 → v1; config changed: a; config removed: old'],
    ['start', container, { ...running, state: 'exited' } as const, files, 'stopped'],
    [
      'replace',
      container,
      { ...running, state: 'exited' } as const,
      changed,
      'config changed: a; config removed: old; stopped',
    ],
    ['replace', container, { ...running, state: 'created' } as const, files, 'not running (created)'],
    ['replace', container, { ...running, state: 'dead' } as const, files, 'not running (dead)'],
    ['reload', reloading, running, changed, 'config changed: a; config removed: old'],
    ['replace', reloading, oldSpec, changed, 'container settings changed; config changed: a; config removed: old'],
    [
      'replace',
      reloading,
      { ...running, state: 'exited' } as const,
      changed,
      'config changed: a; config removed: old; stopped',
    ],
  ])('%s: %#', (kind, desired, seen, change, reason) => {
    const verdict = judgeContainer(desired, image, change, node(seen));
    expect(verdict).toEqual(reason === undefined ? { kind } : { kind, reason });
  });

  it('knows of a process that was started with files that have been replaced since', () => {
    const stale = { ...running, labels: { ...labels, [label.configHash]: 'older' } };
    expect(judgeContainer(container, image, files, node(stale))).toEqual({
      kind: 'replace',
      reason: 'running with an older configuration',
    });
  });

  it('believes the marker of a reload only for the process that was reloaded', () => {
    const stale = { ...running, labels: { ...labels, [label.configHash]: 'older' } };
    const loaded = (id: string) => ({ [loadedMarkerKey('web')]: `${id} ${files.configHash}` });
    expect(judgeContainer(reloading, image, files, node(stale, loaded('id1')))).toEqual({ kind: 'same' });
    expect(judgeContainer(reloading, image, files, node(stale, loaded('id0')))).toMatchObject({ kind: 'reload' });
  });
});
