import { appendFileSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DeployError } from '../../../src/core/model/diagnostic.ts';
import type { JournalHead } from '../../../src/core/model/journal.ts';
import { listRuns, openJournal, readRun, stateDirectory } from '../../../src/edge/store/journal.ts';
import { historyText, outcomeOf, runText } from '../../../src/report/history-text.ts';

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'deploy-journal-'));
});

afterEach(() => rmSync(directory, { recursive: true, force: true }));

function head(run: string): JournalHead {
  return {
    event: 'run',
    format: 1,
    run,
    verb: 'upgrade',
    argv: ['upgrade', '--tags', 'magnum'],
    repeatable: true,
    user: 'op',
    from: 'control',
    pid: 4711,
    site: 'lab',
    startedAt: '2026-01-01T00:00:00Z',
    hosts: ['node1'],
    steps: 2,
  };
}

const step = {
  id: 'magnum/node1/stop/magnum_api',
  host: 'node1',
  service: 'magnum',
  kind: 'stop',
  text: 'stop magnum_api',
};

/** A run that did one step and was killed in the second. */
function killedRun(run: string, redact: (text: string) => string = (text) => text): string {
  const journal = openJournal(directory, run, redact);
  journal.write(head(run));
  journal.write({ event: 'started', ...step, at: 10, reason: 'password s3cret' });
  journal.write({ event: 'done', id: step.id, at: 1510, ms: 1500 });
  journal.write({ event: 'started', ...step, id: 'second', text: 'start magnum_api', at: 1600, reason: 'image a → b' });
  journal.close();
  return journal.file;
}

describe('a journal', () => {
  it('is read back, and says which step was begun and never ended', async () => {
    killedRun('20260101T000000-aa');
    const journal = await readRun(directory, '20260101T000000-aa');
    if (!journal) throw new Error('no journal');
    expect(outcomeOf(journal)).toBe('not ended');
    expect(runText(journal)).toMatch(/stop magnum_api \(password s3cret\): done in 1\.5 s/);
    expect(runText(journal)).toMatch(/1\.6s {2}node1 {2}start magnum_api: begun, and not ended/);
    expect(runText(journal)).toMatch(/the run did not end by itself/);
  });

  it('is for its owner alone, and passes through the redactor', () => {
    const file = killedRun('20260101T000000-bb', (text) => text.replaceAll('s3cret', '‹secret›'));
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(readFileSync(file, 'utf8')).not.toContain('s3cret');
  });

  it('is understood when its last line was cut off, and not when another was', async () => {
    const file = killedRun('20260101T000000-cc');
    appendFileSync(file, '{"event":"done","id":"sec');
    expect((await readRun(directory, '20260101T000000-cc'))?.entries).toHaveLength(3);
    appendFileSync(file, '\n{"event":"note","at":1,"text":"x"}\n');
    expect(await readRun(directory, '20260101T000000-cc')).toBeUndefined();
  });

  it('lists the latest run first and nothing that is no journal', async () => {
    expect(await listRuns(directory)).toEqual([]);
    killedRun('20260101T000000-aa');
    killedRun('20260301T000000-aa');
    writeFileSync(join(directory, 'runs', 'other.txt'), '');
    expect(await listRuns(directory)).toEqual(['20260301T000000-aa', '20260101T000000-aa']);
    const journals = await Promise.all((await listRuns(directory)).map((run) => readRun(directory, run)));
    expect(historyText(journals.flatMap((one) => one ?? []))).toMatch(
      /^20260301T000000-aa {2}not ended {2}of 2 steps {2}op@control {2}deploy upgrade --tags magnum\n20260101/,
    );
  });

  it('never leaves its folder', async () => {
    expect(await readRun(directory, '../../etc/passwd')).toBeUndefined();
  });

  it('says what is in its way, and that nothing is done without it', () => {
    writeFileSync(join(directory, 'runs'), 'a file');
    const attempt = () => openJournal(directory, 'one', (text) => text);
    expect(attempt).toThrow(DeployError);
    expect(attempt).toThrow(/nothing is done that is not journaled/);
  });
});

describe('the state directory', () => {
  it('follows XDG_STATE_HOME when that is absolute', () => {
    expect(stateDirectory({ XDG_STATE_HOME: '/var/state' })).toBe('/var/state/deploy');
    expect(stateDirectory({ XDG_STATE_HOME: 'relative' })).toMatch(/\/\.local\/state\/deploy$/);
  });
});
