import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { newProgress, startOf } from '../../../src/core/runbook/progress.ts';
import { openProgress } from '../../../src/edge/store/runbook-progress.ts';

const stages = ['build', 'pull', 'upgrade', 'heat'];
const now = newProgress('r', 'text', { a: 1 });
const done = (...finished: string[]) => ({ ...now, finished });

function message(...args: Parameters<typeof startOf>): string {
  const start = startOf(...args);
  return start.ok ? '' : start.diagnostics.map(({ message, hint }) => `${message} | ${hint}`).join();
}

describe('startOf', () => {
  it('begins at the first stage when nothing is known', () => {
    expect(startOf(stages, now, undefined, undefined)).toMatchObject({ value: { index: 0, finished: [] } });
  });

  it('goes on after what was finished, and says so', () => {
    expect(startOf(stages, now, done('build', 'pull'), undefined)).toMatchObject({
      value: {
        index: 2,
        finished: ['build', 'pull'],
        notice: 'stages build, pull were finished by an earlier run (give --from build to do them again)',
      },
    });
  });

  it('begins anew when everything was finished', () => {
    expect(startOf(stages, now, done(...stages), undefined)).toMatchObject({ value: { index: 0, finished: [] } });
  });

  it('wants to be told where to start after an edit, and names both ways', () => {
    const edited = newProgress('r', 'other text', { a: 1 });
    expect(message(stages, edited, done('build'), undefined)).toBe(
      'the runbook was edited since stage build was finished by an earlier run | ' +
        'say where to start: --from build to begin anew, --from pull to go on',
    );
    const others = newProgress('r', 'text', { a: 2 });
    expect(message(stages, others, done('build', 'pull'), undefined)).toContain('the variables are others since');
    // Nothing was finished: there is nothing to lose.
    expect(startOf(stages, edited, done(), undefined)).toMatchObject({ value: { index: 0 } });
  });

  it('starts where it is told to, whatever was finished', () => {
    const edited = newProgress('r', 'other text', {});
    expect(startOf(stages, edited, done('build'), 'upgrade')).toMatchObject({
      value: { index: 2, finished: ['build', 'pull'] },
    });
    expect(message(stages, now, undefined, 'upgrad')).toBe(
      '--from upgrad: the runbook has no such stage | did you mean upgrade?',
    );
  });
});

describe('the record of a run', () => {
  const directory = mkdtempSync(join(tmpdir(), 'runbooks-'));
  afterAll(() => rmSync(directory, { recursive: true }));

  it('is read back as it was written, belongs to its owner, and holds no variable', async () => {
    const store = openProgress(directory, 'r', ['/r.yml', '/etc/kolla']);
    expect(await store.read()).toBeUndefined();
    const progress = { ...newProgress('r', 'text', { password: 'canary' }), finished: ['build'] };
    await store.write(progress);
    expect(await store.read()).toEqual(progress);
    expect(statSync(store.file).mode & 0o777).toBe(0o600);
    expect(readFileSync(store.file, 'utf8')).not.toContain('canary');
    expect(readdirSync(join(directory, 'runbooks'))).toHaveLength(1);
    await store.clear();
    expect(await store.read()).toBeUndefined();
  });

  it('is another one for another site, and a broken one is not taken for none', async () => {
    const store = openProgress(directory, 'r', ['/r.yml', '/etc/kolla']);
    expect(openProgress(directory, 'r', ['/r.yml', '/etc/other']).file).not.toBe(store.file);
    await store.write(now);
    writeFileSync(store.file, '{"format":1,');
    await expect(store.read()).rejects.toThrow(`${store.file}:1:1: error: this is not a record of a runbook`);
  });
});
