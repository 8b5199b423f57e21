import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type OwnNode, startNode } from './own-node.ts';

const home = mkdtempSync(path.join(os.tmpdir(), 'deploy-volume-'));
let own: OwnNode;
/** Where the two volumes lie. */
let data = '';
let backups = '';

beforeAll(async () => {
  own = await startNode(home);
});

afterAll(async () => {
  await own.stop();
  rmSync(home, { recursive: true, force: true });
});

beforeEach(async () => {
  await own.node.removeVolumes(['data', 'backups']);
  [data, backups] = [await mountpoint('data'), await mountpoint('backups')];
});

async function mountpoint(volume: string): Promise<string> {
  await own.node.makeVolume(volume);
  return (await own.node.readVolume(volume, []))?.mountpoint ?? '';
}

/** Data of a server: a file, and a database with a table in it. */
function holds(directory: string, generation: string): void {
  mkdirSync(path.join(directory, 'heat'), { recursive: true });
  writeFileSync(path.join(directory, 'ibdata1'), generation);
  writeFileSync(path.join(directory, 'heat', `${generation}.ibd`), generation);
}

function empty(directory = 'before-1', roomMb = 1): Promise<string> {
  return own.node.emptyVolume('data', { volume: 'backups', directory, roomMb });
}

describe('the data that a restore sets aside', () => {
  it('is kept whole, and replaces what an earlier restore kept, of the same backup or of another one', async () => {
    for (const [generation, directory] of [
      ['first', 'before-1'],
      ['second', 'before-1'],
      ['third', 'before-2'],
    ] as const) {
      holds(data, generation);
      expect(await empty(directory)).toBe('kept');
      expect(readdirSync(data)).toEqual([]);
      expect(readdirSync(backups)).toEqual([directory]);
      const kept = path.join(backups, directory);
      expect(readFileSync(path.join(kept, 'ibdata1'), 'utf8')).toBe(generation);
      expect(readdirSync(path.join(kept, 'heat'))).toEqual([`${generation}.ibd`]);
    }
    expect(await empty('before-2')).toBe('was empty');
    expect(readdirSync(backups)).toEqual(['before-2']);
  });

  it.each([
    ['half of it was moved', ['heat']],
    ['all of it was moved', []],
  ])('is kept whole when it was interrupted after %s', async (_, left) => {
    holds(path.join(backups, 'before-1'), 'older');
    holds(path.join(backups, 'before-1.partial'), 'newer');
    for (const name of left) {
      rmSync(path.join(backups, 'before-1.partial', name), { recursive: true });
      mkdirSync(path.join(data, name));
      writeFileSync(path.join(data, name, 'newer.ibd'), 'newer');
    }
    expect(await empty()).toBe('kept');
    expect(readdirSync(data)).toEqual([]);
    expect(readdirSync(backups)).toEqual(['before-1']);
    expect(readFileSync(path.join(backups, 'before-1', 'ibdata1'), 'utf8')).toBe('newer');
    expect(readdirSync(path.join(backups, 'before-1', 'heat'))).toEqual(['newer.ibd']);
  });

  it('is given up where there is no room for both', async () => {
    holds(data, 'first');
    expect(await empty('before-1', 1_000_000_000)).toBe('given up');
    expect(readdirSync(data)).toEqual([]);
    expect(readdirSync(backups)).toEqual([]);
  });
});
