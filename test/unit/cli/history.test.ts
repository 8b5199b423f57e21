import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createOutput } from '../../../src/cli/output.ts';
import { main } from '../../../src/cli/program.ts';
import type { JournalEntry } from '../../../src/core/model/journal.ts';
import { openJournal } from '../../../src/edge/store/journal.ts';

const before = process.env.XDG_STATE_HOME;
let home: string;

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'deploy-history-'));
  process.env.XDG_STATE_HOME = home;
});

afterEach(() => {
  if (before === undefined) delete process.env.XDG_STATE_HOME;
  else process.env.XDG_STATE_HOME = before;
  rmSync(home, { recursive: true, force: true });
});

async function deploy(...argv: readonly string[]): Promise<{ code: number; said: string }> {
  const lines: string[] = [];
  const stream = { write: (text: string) => lines.push(text) };
  const code = await main(argv, createOutput(argv.includes('--json'), { stdout: stream, stderr: stream }));
  return { code, said: lines.join('') };
}

function journal(run: string, more: object, entries: readonly JournalEntry[]): void {
  const writer = openJournal(join(home, 'deploy'), run, (text) => text);
  const who = { user: 'op', from: 'control', pid: 4711 };
  const head = { event: 'run', format: 1, run, verb: 'upgrade', repeatable: true, ...who, site: 'lab' } as const;
  const argv = ['upgrade', '--tags', 'magnum'];
  writer.write({ ...head, argv, startedAt: '2026-01-01T00:00:00Z', hosts: ['node1'], steps: 3, ...more });
  for (const entry of entries) writer.write(entry);
  writer.close();
}

const step = { host: 'node1', service: 'magnum' };

function killed(): void {
  journal('20260101T000000-aa', {}, [
    { event: 'started', id: 'gate', ...step, kind: 'gate', text: 'gate api answers', at: 10, reason: 'must pass' },
    { event: 'progress', id: 'gate', at: 500, line: 'connection refused' },
    { event: 'done', id: 'gate', at: 1510, ms: 1500, note: 'after 3 attempts' },
    {
      event: 'started',
      id: 'start',
      ...step,
      kind: 'healthy',
      text: 'wait until magnum_api is healthy',
      at: 1600,
      reason: 'serves',
    },
    {
      event: 'failed',
      id: 'start',
      at: 9000,
      problems: [
        {
          message: 'magnum_api does not stay up; it logged last:\n      Traceback',
          host: 'node1',
          hint: 'see docker logs',
        },
      ],
    },
    { event: 'note', at: 9100, text: 'told to stop: nothing new is begun' },
  ]);
}

function broken(): void {
  const argv = ['lock', 'break', '--run', '20260101T000000-aa'];
  const head = { verb: 'lock break', argv, repeatable: false, user: 'boss', steps: 0, hosts: ['node1', 'node2'] };
  journal('20260102T000000-bb', { ...head, broke: '20260101T000000-aa' }, [
    { event: 'note', at: 5, text: 'the lock of run 20260101T000000-aa was broken on node1, node2' },
    { event: 'end', at: 6, exit: 0, done: 0, failed: 0, left: 0 },
  ]);
}

describe('deploy show', () => {
  it('gives steps, times, reasons, what they said, failures with their logs and hints', async () => {
    killed();
    const { code, said } = await deploy('show');
    expect(code).toBe(0);
    expect(said).toBe(`run 20260101T000000-aa: deploy upgrade --tags magnum
op@control (pid 4711), started 2026-01-01T00:00:00Z, 3 steps on 1 hosts

    0.5s  node1    connection refused
    1.5s  node1  gate api answers (must pass): done in 1.5 s, after 3 attempts
    9.0s  node1  wait until magnum_api is healthy (serves): FAILED
          magnum_api does not stay up; it logged last:
      Traceback
            see docker logs
    9.1s  told to stop: nothing new is begun

1 step failed on node1:
  node1
    magnum: wait until magnum_api is healthy
      magnum_api does not stay up
      see docker logs

the run did not end by itself
`);
  });

  it('says who broke the lock of a run, and what a breaking did', async () => {
    killed();
    broken();
    expect((await deploy('show', '20260101T000000-aa')).said).toMatch(
      /itself\nits lock was broken on node1, node2 by boss@control at 2026-01-01T00:00:00Z \(deploy show 20260102T000000-bb\)\n$/,
    );
    expect((await deploy('show')).said).toContain('was broken on node1, node2\n');
  });
});

describe('deploy history', () => {
  it('has the breaking of a lock as an entry of its own', async () => {
    killed();
    broken();
    expect((await deploy('history')).said).toMatch(
      /^20260102T000000-bb {2}done {7}\s+boss@control {2}deploy lock break --run 20260101T000000-aa\n20260101T000000-aa {2}not ended {2}of 3 steps {2}op@control /,
    );
    expect((await deploy('history', '--json')).said).toContain('"broke":"20260101T000000-aa"');
  });

  it('has nothing to tell when the journals are lost, which is no error', async () => {
    expect(await deploy('history')).toEqual({ code: 0, said: 'no run has been journaled here\n' });
    expect((await deploy('show')).code).toBe(3);
  });
});

describe('deploy resume', () => {
  it('goes on with the last run, not with the breaking of its lock', async () => {
    killed();
    broken();
    // There is no site here: that it asks for one says that the command is run again.
    const again = await deploy('resume');
    expect(again.said).toContain('run 20260101T000000-aa (not ended): deploy upgrade --tags magnum\n');
    const named = await deploy('resume', '20260102T000000-bb');
    expect(named.code).toBe(3);
    expect(named.said).toContain('is no run, but the breaking of the lock of run 20260101T000000-aa');
  });
});
