import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { askingWell } from '../../../src/run/health.ts';

describe('asking a container from inside', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'deploy-health-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  /** Runs it with a check that writes one line into `asked` each time. */
  function ask(check: string): { readonly code: number | null; readonly stdout: string; readonly times: number } {
    const asked = join(folder, 'asked');
    const test = `echo asked >> ${asked}; n=$(wc -l < ${asked}); ${check}`;
    const { status, stdout } = spawnSync('/bin/sh', ['-c', askingWell, 'health', test], { encoding: 'utf8' });
    return { code: status, stdout, times: readFileSync(asked, 'utf8').split('\n').length - 1 };
  }

  it('ends well with the second pass in a row', () => {
    expect(ask('true')).toEqual({ code: 0, stdout: '', times: 2 });
    expect(ask('[ $n -ge 5 ]')).toMatchObject({ code: 0, times: 6 });
  });

  it('does not count a pass between two failures', () => {
    expect(ask('[ $n -eq 2 ] || [ $n -ge 4 ]')).toMatchObject({ code: 0, times: 5 });
  });

  it('ends as the last check did, with what that said', () => {
    const { code, stdout, times } = ask('echo refused >&2; exit 7');
    expect({ code, stdout }).toEqual({ code: 7, stdout: 'refused\n' });
    expect(times).toBeGreaterThan(2);
  });

  it('does not break at quotes in the check', () => {
    expect(ask(`[ "it's" = 'it'"'"'s' ]`)).toMatchObject({ code: 0, times: 2 });
  });
});
