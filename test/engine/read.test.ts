import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type OpenNode, openNode } from '../../src/edge/node/node.ts';
import { largestText } from '../../src/edge/node/read.ts';
import { startSshd, type TestSshd, targetOf } from './sshd.ts';

const home = mkdtempSync(path.join(os.tmpdir(), 'deploy-read-'));
const root = path.join(home, 'etc kolla');
let sshd: TestSshd;
let node: OpenNode;

beforeAll(async () => {
  sshd = await startSshd(path.join(home, 'ssh'));
  node = await openNode(targetOf(sshd), { knownHosts: [sshd.knownHosts], configRoot: root });
  mkdirSync(root, { recursive: true });
}, 60_000);

afterAll(async () => {
  await node?.close();
  await sshd?.stop();
  rmSync(home, { recursive: true, force: true });
});

function put(name: string, content: string): string {
  const file = path.join(root, name);
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, content);
  return file;
}

describe('reading texts', () => {
  it('gives back whatever names and contents there are, in one session', async () => {
    const contents = new Map([
      [put('plain.conf', '[DEFAULT]\ndebug = True\n'), '[DEFAULT]\ndebug = True\n'],
      [put('with blank\nand \'$(x)\' "ü".conf', 'no line end'), 'no line end'],
      [put('framed', '\0@done\0 and \0@files\0'), '\0@done\0 and \0@files\0'],
      [put('empty', ''), ''],
      [put('-T', 'a name like an option'), 'a name like an option'],
      [put('umlauts', 'ä€𝄞\r\n'), 'ä€𝄞\r\n'],
      [put(`deep/${'long-'.repeat(40)}`, 'long name'), 'long name'],
    ]);
    const before = node.counters.sessions;
    expect(await node.readDetails([...contents.keys()])).toEqual(contents);
    expect(node.counters.sessions).toBe(before + 1);
  });

  it('leaves out what is missing, too large or no file, and follows a directory that is a link', async () => {
    const kept = put('generation/1/container.json', '{}');
    symlinkSync('1', path.join(root, 'generation/current'));
    const linked = path.join(root, 'generation/current/container.json');
    const largest = put('largest', 'x'.repeat(largestText));
    const larger = put('larger', 'x'.repeat(largestText + 1));
    const texts = await node.readDetails([
      kept,
      linked,
      largest,
      larger,
      `${root}/missing`,
      root,
      'relative',
      `${root}/a\0b`,
    ]);
    expect([...texts.keys()].sort()).toEqual([kept, linked, largest].sort());
    expect(texts.get(linked)).toBe('{}');
    expect(texts.get(largest)).toHaveLength(largestText);
  });

  it('takes thousands of paths, more than fit into one argument list', async () => {
    const files = Array.from({ length: 3000 }, (_, i) => put(`many/${i}-${'n'.repeat(100)}`, `text ${i}`));
    const before = node.counters.sessions;
    const texts = await node.readDetails(files);
    expect(texts.size).toBe(3000);
    expect(texts.get(files[2999] ?? '')).toBe('text 2999');
    expect(node.counters.sessions).toBe(before + 1);
  });

  it('asks nothing for nothing', async () => {
    const before = node.counters.sessions;
    expect(await node.readDetails([])).toEqual(new Map());
    expect(node.counters.sessions).toBe(before);
  });

  it('says so when the node answers something else', async () => {
    const bare = await startSshd(path.join(home, 'bare'), ['ForceCommand /bin/echo hello']);
    try {
      const other = await openNode(targetOf(bare), { knownHosts: [bare.knownHosts], configRoot: root });
      await expect(other.readDetails([`${root}/plain.conf`])).rejects.toMatchObject({
        exit: 4,
        diagnostics: [{ code: 'read-files', host: 'node1' }],
      });
      await other.close();
    } finally {
      await bare.stop();
    }
  });
});
