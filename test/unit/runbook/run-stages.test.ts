import { describe, expect, it } from 'vitest';
import { DeployError, type ExitCode, error, exitCode } from '../../../src/core/model/diagnostic.ts';
import { commandText, type Stage, type StageGate } from '../../../src/core/runbook/stage.ts';
import { type RunbookPorts, runStages } from '../../../src/run/runbook.ts';

const at = { file: 'r.yml', line: 1, column: 1 };

function stage(name: string, more: Partial<Stage> = {}): Stage {
  return {
    name,
    number: 1,
    at,
    skipped: false,
    pull: false,
    tags: [],
    skipTags: [],
    mustBeEmpty: false,
    gates: [],
    ...more,
  };
}

const upgrade = { command: 'upgrade', verb: 'upgrade' };
const gate = {
  name: 'g',
  host: 'a',
  within: 5,
  passes: 1,
  check: { kind: 'tcp', address: 'a', port: 1 },
  at,
} as StageGate;

/** Ports that write down what they are asked. Commands ask for confirmation when their name is in `changing`. */
function recorder(codes: Record<string, ExitCode | Error> = {}, more: Partial<RunbookPorts> = {}) {
  const log: string[] = [];
  const saved: (readonly string[])[] = [];
  const ports: RunbookPorts = {
    command: async (command, confirm) => {
      const text = commandText(command);
      log.push(text);
      if (['upgrade', 'pull'].includes(command.name)) await confirm();
      const code = codes[command.name] ?? exitCode.ok;
      if (code instanceof Error) throw code;
      return code;
    },
    confirm: async () => void log.push('confirmed'),
    approve: async () => {
      log.push('approved');
      return 'asked';
    },
    gate: async () => {
      log.push('gate');
      return { ok: true };
    },
    remember: async (finished) => void saved.push([...finished]),
    interrupted: () => undefined,
    now: () => 0,
    onEvent: (event) => {
      if (event.event === 'stage-failed') log.push(`failed: ${event.diagnostics.map((d) => d.message).join()}`);
    },
    ...more,
  };
  return { log, saved, ports };
}

describe('runStages', () => {
  it('does the parts of a stage in their order and remembers each stage once it is finished', async () => {
    const { log, saved, ports } = recorder();
    const all = stage('all', {
      build: { images: ['magnum'], push: true },
      pull: true,
      verb: upgrade,
      tags: ['magnum'],
      skipTags: ['common'],
      gates: [gate],
    });
    const result = await runStages(
      [all, stage('then', { verb: upgrade }), stage('last', { gates: [gate] })],
      0,
      [],
      ports,
    );
    expect(result).toEqual({ code: 0 });
    expect(log).toEqual([
      'deploy build magnum --push',
      'deploy pull --tags magnum --skip-tags common',
      'confirmed',
      'deploy upgrade --tags magnum --skip-tags common',
      'confirmed',
      'gate',
      'deploy upgrade',
      'confirmed',
      'gate',
    ]);
    // After the last stage there is nothing to go on with.
    expect(saved).toEqual([['all'], ['all', 'then']]);
  });

  it('ends at a stage that fails, with its exit code, and the next run begins there', async () => {
    const { log, saved, ports } = recorder({ upgrade: exitCode.reverted });
    const stages = [
      stage('a', { pull: true }),
      stage('b', { verb: upgrade, gates: [gate] }),
      stage('c', { pull: true }),
    ];
    const result = await runStages(stages, 0, [], ports);
    expect(result).toMatchObject({ code: exitCode.reverted, stoppedAt: { name: 'b' } });
    expect(log).toEqual(['deploy pull', 'confirmed', 'deploy upgrade', 'confirmed', 'failed: ']);
    expect(saved).toEqual([['a']]);
    const again = recorder();
    expect(await runStages(stages, 1, ['a'], again.ports)).toEqual({ code: 0 });
    expect(again.saved).toEqual([['a', 'b']]);
  });

  it('tells what a command refuses to do, and passes a bug on', async () => {
    const refused = recorder({ upgrade: new DeployError([error('x', 'no such node')], exitCode.nodeNotUsable) });
    const stages = [stage('a', { verb: upgrade })];
    expect(await runStages(stages, 0, [], refused.ports)).toMatchObject({ code: exitCode.nodeNotUsable });
    expect(refused.log).toContain('failed: no such node');
    await expect(runStages(stages, 0, [], recorder({ upgrade: new TypeError('bug') }).ports)).rejects.toThrow('bug');
  });

  it('a gate that does not pass fails its stage', async () => {
    const { log, saved, ports } = recorder({}, { gate: async () => ({ ok: false, said: 'HTTP 503' }) });
    const result = await runStages(
      [stage('a', { verb: upgrade, gates: [gate] }), stage('b', { pull: true })],
      0,
      [],
      ports,
    );
    expect(result).toMatchObject({ code: exitCode.failed, stoppedAt: { name: 'a' } });
    expect(log).toContain("failed: gate 'g' of stage a did not pass within 5 s: HTTP 503");
    expect(saved).toEqual([]);
  });

  describe('a pause', () => {
    const paused = (more: Partial<Stage>) => [stage('a', { pause: 'sure?', ...more })];

    it('is asked for once the plan was shown, and stands for its confirmation', async () => {
      const { log, ports } = recorder();
      await runStages(paused({ verb: upgrade }), 0, [], ports);
      expect(log).toEqual(['deploy upgrade', 'approved']);
    });

    it('given beforehand does not stand for the confirmation of a plan nobody has seen', async () => {
      const { log, ports } = recorder({}, { approve: async () => 'given' });
      await runStages(paused({ verb: upgrade }), 0, [], ports);
      expect(log).toEqual(['deploy upgrade', 'confirmed']);
    });

    it('is asked for after a command that shows, before the gates, and with nothing else', async () => {
      const { log, ports } = recorder();
      await runStages(paused({ verb: { command: 'status', verb: 'status' }, gates: [gate] }), 0, [], ports);
      await runStages(paused({}), 0, [], ports);
      expect(log).toEqual(['deploy status', 'approved', 'gate', 'approved']);
    });

    it('that is refused ends the run before anything is carried out', async () => {
      const no = async () => {
        throw new DeployError([error('declined', 'no')], exitCode.failed);
      };
      const { saved, ports } = recorder({}, { approve: no });
      const result = await runStages([...paused({ verb: upgrade }), stage('b')], 0, [], ports);
      expect(result).toMatchObject({ code: exitCode.failed, stoppedAt: { name: 'a' } });
      expect(saved).toEqual([]);
    });
  });

  it('a plan with something in it is no failure, unless it must be empty', async () => {
    const plan = { command: 'plan', verb: 'upgrade' };
    const codes = { plan: exitCode.changesPending };
    expect(await runStages([stage('a', { verb: plan })], 0, [], recorder(codes).ports)).toEqual({ code: 0 });
    const strict = recorder(codes);
    const result = await runStages([stage('a', { verb: plan, mustBeEmpty: true })], 0, [], strict.ports);
    expect(result.code).toBe(exitCode.failed);
    expect(strict.log.at(-1)).toContain('the plan must be empty');
  });

  it('skips a stage whose condition is false, and counts it as finished', async () => {
    const { log, saved, ports } = recorder();
    await runStages(
      [stage('a', { skipped: true, verb: upgrade, pause: 'x' }), stage('b', { pull: true })],
      0,
      [],
      ports,
    );
    expect(log).toEqual(['deploy pull', 'confirmed']);
    expect(saved).toEqual([['a']]);
  });

  it('an interruption ends the run at the stage that was running, even when its command ended well', async () => {
    let interrupted: ExitCode | undefined;
    const { saved, ports } = recorder({}, { interrupted: () => interrupted });
    const stopping: RunbookPorts = {
      ...ports,
      command: async (command) => {
        if (command.name === 'upgrade') interrupted = exitCode.interrupted;
        return exitCode.ok;
      },
    };
    const stages = [stage('a', { pull: true }), stage('b', { verb: upgrade }), stage('c', { pull: true })];
    expect(await runStages(stages, 0, [], stopping)).toMatchObject({ code: 130, stoppedAt: { name: 'b' } });
    expect(saved).toEqual([['a']]);
  });
});
