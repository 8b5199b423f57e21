import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Duplex, PassThrough } from 'node:stream';
import { pack } from 'tar-stream';
import { afterAll, describe, expect, it } from 'vitest';
import { listBackups } from '../../../src/cli/backup.ts';
import type { Output } from '../../../src/cli/output.ts';
import type { Survey } from '../../../src/cli/survey.ts';
import { DeployError } from '../../../src/core/model/diagnostic.ts';
import type { OpenNode } from '../../../src/edge/node/node.ts';
import { SimulatedSite } from '../../sim/site.ts';
import { idAt } from '../mariadb-backup/backups.ts';

const site = new SimulatedSite();
const { desired } = site.desired({ tags: ['mariadb'] });
const home = mkdtempSync(join(tmpdir(), 'backups-'));
afterAll(() => rmSync(home, { recursive: true }));

type Kept = Readonly<Record<string, string>>;

/** A node whose volume of backups holds these, each with its facts and, if it is whole, its data. */
function nodeWith(host: string, kept: Kept | undefined): OpenNode {
  const texts = (files: readonly string[]) =>
    files.flatMap((file) => {
      const facts = kept?.[file.replace('/facts', '')];
      return facts === undefined ? [] : [[file, facts] as const];
    });
  const readVolume = async (_: string, files: readonly string[]) =>
    kept && { mountpoint: '/backup', entries: Object.keys(kept), now: 9000, texts: new Map(texts(files)) };
  const stream = async (argv: readonly string[]) => {
    const tar = pack();
    for (const id of argv.slice(argv.indexOf('--') + 1)) {
      const data = `data of ${id}`;
      const digest = createHash('sha256').update(data).digest('hex');
      tar.entry({ name: `${id}/data.mbs.gz` }, data);
      tar.entry({ name: `${id}/data.mbs.gz.sha256` }, `${digest}  data.mbs.gz\n`);
    }
    tar.finalize();
    const duplex = Duplex.from({ readable: tar.pipe(new PassThrough()), writable: new PassThrough() });
    return { stream: duplex, stderr: new PassThrough(), exit: Promise.resolve(0) };
  };
  return { host, readVolume, stream } as unknown as OpenNode;
}

function facts(kind: string, base = ''): string {
  return `kind=${kind}\nbase=${base}\nsize=1\ndata_size=1\nfinished=1800\n`;
}

async function listed(kept: Kept | undefined, fetchTo?: string) {
  const said: string[] = [];
  const say = (text: string) => void said.push(text);
  const output = { json: false, line: say, note: say, diagnostics: () => undefined } as unknown as Output;
  const nodes = new Map(site.hosts.map((host) => [host, nodeWith(host, host === 'node3' ? kept : undefined)]));
  const survey = { loaded: site.loaded, desired, nodes } as unknown as Survey;
  const exit = await listBackups(survey, output, fetchTo).catch((cause: unknown) => cause);
  return { exit, said };
}

describe('deploy mariadb backup --list --fetch', () => {
  it.each<[string, Kept | undefined]>([
    ['there is no backup', undefined],
    ['the only one is not whole', { [idAt(2)]: facts('incremental', idAt(1)) }],
  ])('is an error when %s, and listing is none', async (_, kept) => {
    const directory = join(home, 'none');
    const { exit, said } = await listed(kept, directory);
    if (!(exit instanceof DeployError)) throw new Error(`it ended with ${String(exit)}`);
    expect(exit.exit).toBe(1);
    expect(exit.diagnostics).toMatchObject([{ code: 'no-backup', message: 'there is no good backup to fetch' }]);
    expect(existsSync(directory)).toBe(false);
    const alone = await listed(kept);
    expect(alone.exit).toBe(0);
    expect(alone.said).toEqual(said);
  });

  it('brings the newest that can be restored, with what it is based on, for its owner alone', async () => {
    const directory = join(home, 'some');
    const kept = { [idAt(1)]: facts('full'), [idAt(2)]: facts('full'), [idAt(3)]: facts('incremental', idAt(2)) };
    const { exit, said } = await listed(kept, directory);
    expect(exit).toBe(0);
    expect(said[1]).toBe(`${idAt(2)}, ${idAt(3)} of node3 are in ${directory}, checksums right`);
    expect(readdirSync(directory).sort()).toEqual([idAt(2), idAt(3)]);
    const file = join(directory, idAt(3), 'data.mbs.gz');
    expect(readFileSync(file, 'utf8')).toBe(`data of ${idAt(3)}`);
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });
});
