import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { amidHooks, type Finished, hooksPort } from '../../../src/cli/run-hooks.ts';
import { DeployError, type ExitCode, exitCode, formatDiagnostic } from '../../../src/core/model/diagnostic.ts';
import type { Plan } from '../../../src/core/plan/steps.ts';
import { runHookProcess } from '../../../src/edge/hooks/run-hook.ts';
import { readHooks } from '../../../src/edge/store/read-hooks.ts';

let root = '';

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'hooks-'));
});

afterEach(async () => {
  await rm(root, { recursive: true });
});

async function put(name: string, script: string, mode = 0o755): Promise<string> {
  const path = join(root, 'hooks', name);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, `#!/bin/sh\n${script}\n`);
  await chmod(path, mode);
  return path;
}

describe('reading hooks', () => {
  it('finds none where there is no directory', async () => {
    expect(await readHooks(root)).toEqual({ ok: true, value: new Map(), diagnostics: [] });
  });

  it('takes the executable first, then those of its directory by name', async () => {
    for (const name of [
      'pre-run.d/20-b',
      'pre-run.d/10-a',
      'pre-run',
      'on-failure.d/x',
      '.hidden',
      'pre-run.d/10-a~',
    ]) {
      await put(name, 'true', name.endsWith('~') ? 0o644 : 0o755);
    }
    const read = await readHooks(root);
    const names = read.ok && [...read.value].map(([when, hooks]) => [when, hooks.map(({ name }) => name)]);
    expect(names).toEqual([
      ['pre-run', ['pre-run', 'pre-run.d/10-a', 'pre-run.d/20-b']],
      ['on-failure', ['on-failure.d/x']],
    ]);
    expect(read.diagnostics).toEqual([]);
  });

  it('warns of strangers and refuses what cannot be run, all at once', async () => {
    await put('pre-rn', 'true');
    await put('notes', 'true');
    await put('post-run', 'true', 0o644);
    await put('pre-service.d/10', 'true', 0o600);
    await mkdir(join(root, 'hooks', 'on-failure'));
    const read = await readHooks(root);
    expect(read.ok).toBe(false);
    const text = read.diagnostics.map((d) => formatDiagnostic(d).replaceAll(root, ''));
    expect(text).toEqual([
      '/hooks/post-run:1:1: error: hook post-run is not executable\n    chmod +x /hooks/post-run, or take it away',
      '/hooks/pre-service.d/10:1:1: error: hook pre-service.d/10 is not executable\n' +
        '    chmod +x /hooks/pre-service.d/10, or take it away',
      '/hooks/on-failure:1:1: error: hook on-failure is not a file\n    executables of one hook lie in on-failure.d/',
      '/hooks/notes:1:1: warning: notes is no hook and is never run\n' +
        '    hooks are pre-run, post-run, pre-service, post-service, on-failure, each also as a directory <name>.d/',
      '/hooks/pre-rn:1:1: warning: pre-rn is no hook and is never run\n    did you mean pre-run?',
    ]);
  });
});

describe('a hook that runs', () => {
  async function run(script: string, timeoutMs = 20_000) {
    const path = await put('pre-run', script);
    const lines: string[] = [];
    const environment = { ...process.env, DEPLOY_VERB: 'upgrade', DEPLOY_SERVICE: undefined };
    const outcome = await runHookProcess({ path, environment, timeoutMs, graceMs: 200 }, (line) => lines.push(line));
    return { outcome, lines };
  }

  it('says what it says line by line and has the environment', async () => {
    const { outcome, lines } = await run(`echo "$DEPLOY_VERB \${DEPLOY_SERVICE-unset}"; echo oops >&2; printf tail`);
    expect(outcome).toEqual({ ok: true });
    expect(lines.sort()).toEqual(['oops', 'tail', 'upgrade unset']);
  });

  it('fails with its exit code or signal', async () => {
    expect((await run('exit 7')).outcome).toEqual({ ok: false, said: 'ended with 7' });
    expect((await run('kill -9 $$')).outcome).toEqual({ ok: false, said: 'was ended by SIGKILL' });
  });

  it('is ended with all its children when it takes too long, also if it does not listen', async () => {
    const { outcome, lines } = await run("trap '' TERM; sleep 300 & echo $!; wait; sleep 300", 300);
    expect(outcome).toEqual({ ok: false, said: 'took longer than 0.3 s and was ended' });
    const child = Number(lines[0]);
    await expect.poll(() => stateOf(child)).toMatch(/^(gone|Z)$/);
  });

  it('is over when it ends, whatever it leaves behind', async () => {
    const { outcome, lines } = await run('sleep 60 & echo $!');
    expect(outcome).toEqual({ ok: true });
    process.kill(Number(lines[0]));
  });

  it('is told apart from one that cannot be started', async () => {
    const path = join(root, 'nothing');
    const outcome = await runHookProcess({ path, environment: {}, timeoutMs: 1000 }, () => {});
    expect(outcome).toMatchObject({ ok: false, said: expect.stringContaining('could not be started') });
  });
});

/** An orphan stays a zombie where nobody collects it. */
async function stateOf(pid: number): Promise<string> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  return text === '' ? 'gone' : (text.slice(text.lastIndexOf(')') + 2).split(' ')[0] ?? '');
}

describe('hooks around a run', () => {
  const plan: Plan = {
    verb: 'upgrade',
    site: 'here',
    causes: [],
    drift: [],
    diffs: [],
    waysBack: [],
    steps: ['localhost', 'ctl1', 'ctl2'].map((host) => ({
      id: host,
      service: 'magnum',
      host,
      needs: [],
      reason: '',
      impact: 'none',
      kind: 'start',
      container: 'c',
    })),
    notices: [],
  };
  const variables = 'HOOK RUN VERB SITE CONFIGDIR SERVICE TAGS HOSTS OUTCOME EXIT FAILED_STEPS'.split(' ');

  async function around(finished: Finished | DeployError) {
    const read = await readHooks(root);
    if (!read.ok) throw new Error('hooks');
    const notes: string[] = [];
    const silent = { json: false, line() {}, data() {}, redactWith() {} };
    const output = {
      ...silent,
      note: (text: string) => notes.push(text),
      diagnostics: (list: Parameters<typeof formatDiagnostic>[0][]) =>
        notes.push(...list.map((d) => formatDiagnostic(d).replaceAll(root, ''))),
    };
    const settings = { hooks: read.value, timeout: 20, runId: 'r1', configdir: '/etc/k', tags: ['magnum', 'heat'] };
    const work = async () => {
      notes.push('WORK');
      if (finished instanceof DeployError) throw finished;
      return finished;
    };
    const exit = await amidHooks(plan, settings, output as never, work).catch((cause: unknown) => cause);
    return { exit, notes };
  }

  async function all(when: Partial<Record<string, string>> = {}) {
    const say = variables.map((name) => `\${DEPLOY_${name}-unset}`).join(' ');
    for (const name of ['pre-run', 'post-run', 'on-failure']) await put(name, `echo ${say}\n${when[name] ?? ''}`);
  }

  const ended = (exit: ExitCode, ...failedSteps: string[]): Finished => ({ exit, failedSteps });
  const facts = 'r1 upgrade here /etc/k unset magnum,heat ctl1,ctl2';

  it('tell each what it needs to know', async () => {
    await all();
    expect(await around(ended(exitCode.ok))).toEqual({
      exit: 0,
      notes: [
        'hook pre-run',
        `pre-run: pre-run ${facts} unset unset unset`,
        'WORK',
        'hook post-run',
        `post-run: post-run ${facts} ok 0`,
      ],
    });
  });

  it('are told of their service when they are steps', async () => {
    const path = await put('pre-service', 'env | grep ^DEPLOY_ | sort');
    const settings = { hooks: new Map(), timeout: 20, runId: 'r1', configdir: '/etc/k', tags: [] };
    const lines: string[] = [];
    await hooksPort(plan, settings).run({ path, when: 'pre-service', service: 'heat' }, (line) => lines.push(line));
    const told = ['CONFIGDIR=/etc/k', 'HOOK=pre-service', 'HOSTS=ctl1,ctl2', 'RUN=r1', 'SERVICE=heat', 'SITE=here'];
    expect(lines).toEqual([...told, 'TAGS=', 'VERB=upgrade'].map((fact) => `DEPLOY_${fact}`));
  });

  it.each([
    [exitCode.failed, 'failed 1'],
    [exitCode.reverted, 'reverted 6'],
    [exitCode.interrupted, 'interrupted 130'],
  ])('exit %i is a failure: %s', async (exit, said) => {
    await all();
    const { notes, exit: end } = await around(ended(exit, 'a', 'b'));
    expect(end).toBe(exit);
    expect(notes.slice(3)).toEqual([
      'hook on-failure',
      `on-failure: on-failure ${facts} ${said} a,b`,
      'hook post-run',
      `post-run: post-run ${facts} ${said} a,b`,
    ]);
  });

  it('let nothing begin when pre-run fails', async () => {
    await all({ 'pre-run': 'exit 4' });
    const { exit, notes } = await around(ended(exitCode.ok));
    expect(exit).toMatchObject({ exit: 1, message: 'error: hook pre-run ended with 4\n    nothing was changed' });
    expect(notes).not.toContain('WORK');
    expect(notes.at(-1)).toBe(`on-failure: on-failure ${facts} failed 1`);
  });

  it('make the exit code 1 when post-run fails, but not when on-failure does', async () => {
    await all({ 'post-run': 'exit 4' });
    const { exit, notes } = await around(ended(exitCode.ok));
    expect(exit).toBe(1);
    expect(notes.at(-1)).toBe('warning: hook post-run ended with 4\n    see /hooks/post-run');
    await all({ 'on-failure': 'exit 4' });
    expect((await around(ended(exitCode.reverted))).exit).toBe(6);
  });

  it('hand on what the work threw, after they have run', async () => {
    await all();
    const failure = new DeployError([], exitCode.failed);
    const { exit, notes } = await around(failure);
    expect(exit).toBe(failure);
    expect(notes.at(-1)).toBe(`post-run: post-run ${facts} failed 1`);
  });
});
