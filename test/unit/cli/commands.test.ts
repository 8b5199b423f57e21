import { describe, expect, it } from 'vitest';
import { confirmed } from '../../../src/cli/carry-out.ts';
import { allCommands as commands } from '../../../src/cli/commands/all.ts';
import { changeOptions } from '../../../src/cli/invocation.ts';
import { wantedLook } from '../../../src/cli/survey.ts';
import { verbPolicy } from '../../../src/core/plan/policy.ts';

const mutating = commands.filter((command) => command.mutating);
const ofCluster = ['rabbitmq', 'rabbitmq-reset-state'];

describe('the commands', () => {
  it('are unique, and each can be loaded and run', async () => {
    expect(new Set(commands.map(({ name }) => name)).size).toBe(commands.length);
    for (const { name, load } of commands) expect((await load()).run, name).toBeTypeOf('function');
  });

  it('have a command for every verb of the plan', () => {
    expect(mutating.map(({ name }) => name)).toEqual(expect.arrayContaining(Object.keys(verbPolicy)));
  });

  it('ask before they change anything, and take a selection unless a saved plan has it', () => {
    for (const { name, takes, arguments: taken } of mutating) {
      // A saved plan has its selection, the stages of a runbook have one each.
      const given = { '<file>': ['run'], '<runbook>': ['site', 'runbook'] }[taken?.[0]?.[0] ?? ''];
      // A cluster is recovered and emptied as a whole.
      const galera = name.startsWith('mariadb') ? ['site', name === 'mariadb-backup' ? 'backup' : 'galera'] : undefined;
      const chosen = given ?? galera ?? (ofCluster.includes(name) ? ['site'] : undefined);
      expect(takes, name).toEqual(expect.arrayContaining([...(chosen ?? ['site', 'selection']), 'yes']));
    }
    for (const { name, takes } of commands.filter((c) => !c.mutating)) expect(takes, name).not.toContain('yes');
  });

  it('take a limit of failing hosts when they carry a plan out, and may skip hosts when they choose them', () => {
    for (const { name, takes } of mutating) expect(takes, name).toContain('failures');
    // Of members that do not answer a recovery decides by itself.
    const others = ['apply', 'mariadb', 'mariadb-backup', 'mariadb-recovery', ...ofCluster];
    for (const { name, takes } of mutating) expect(takes.includes('unreachable'), name).toBe(!others.includes(name));
    expect(commands.find(({ name }) => name === 'plan')?.takes).toContain('unreachable');
  });

  it('show examples that begin with the program and use the command', () => {
    for (const { name, examples } of commands) {
      expect(examples.length, name).toBeGreaterThan(0);
      for (const example of examples) expect(example).toMatch(new RegExp(`^deploy ${name}\\b`));
    }
  });
});

describe('wantedLook', () => {
  it('asks a node only for what the verb needs', () => {
    expect(wantedLook('reconfigure')).toEqual({});
    expect(wantedLook('upgrade')).toEqual({ images: true });
    expect(wantedLook('reconcile')).toEqual({ images: true });
    expect(wantedLook('deploy')).toEqual({ images: true, listening: true });
  });
});

describe('confirmed', () => {
  it('leaves the question to what a command is part of, even when told yes', async () => {
    const asked: string[] = [];
    const confirm = async (question: string) => asked.push(question) > 0;
    expect(await confirmed(changeOptions({ confirm, yes: true }), 'Go?')).toBe(true);
    expect(asked).toEqual(['Go?']);
    expect(await confirmed(changeOptions({ yes: true }), 'Go?')).toBe(true);
    await expect(confirmed(changeOptions({}), 'Go?')).rejects.toThrow('there is no terminal to ask on');
  });
});

describe('changeOptions', () => {
  it('takes single values and lists alike, and says no unless told yes', () => {
    const none = { inventory: [], tags: [], limit: undefined, json: false, yes: false };
    expect(changeOptions({})).toMatchObject(none);
    expect(changeOptions({ tags: 'heat', inventory: ['a', 'b'], limit: 'node1', yes: true })).toMatchObject({
      tags: ['heat'],
      inventory: ['a', 'b'],
      limit: 'node1',
      yes: true,
    });
    expect(changeOptions({ yes: 'yes' }).yes).toBe(false);
    expect(changeOptions({ yesIReallyReallyMeanIt: true }).yes).toBe(true);
    expect(changeOptions({ maxFail: '10%' }).maxFail).toEqual({ amount: 10, percent: true });
    // Where skipping is not offered nobody is told to.
    expect([{}, { skipUnreachable: false }].map((given) => changeOptions(given).skipUnreachable)).toEqual([
      undefined,
      false,
    ]);
  });
});
