import { spawn } from 'node:child_process';
import { EventEmitter } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createOutput } from '../../../src/cli/output.ts';
import { programDirectory } from '../../../src/cli/site.ts';
import { guardStreams } from '../../../src/cli/streams.ts';
import { error, exitCode, warning } from '../../../src/core/model/diagnostic.ts';
import { plan } from './bad-input-cases.ts';
import { type BadSite, openBadSite } from './bad-site.ts';

const canary = 'Canary-7f3a/&1';

let site: BadSite;
let passwords: string;

beforeAll(async () => {
  site = await openBadSite();
  site.write({});
  const filled = readFileSync(join(site.directory, 'passwords.yml'), 'utf8');
  passwords = filled.replace(/^keystone_admin_password: .*$/m, `keystone_admin_password: "${canary}"`);
});

afterAll(() => site.close());

function globalsWith(line: string): string {
  site.write({});
  return `${readFileSync(join(site.directory, 'globals.yml'), 'utf8')}${line}\n`;
}

/** Each leads to an error whose text would show the password. */
const leaks: readonly [string, () => Readonly<Record<string, string>>][] = [
  ['when it is rendered', () => ({ 'globals.yml': globalsWith('memcached_port: "{{ keystone_admin_password }}"') })],
  [
    'before the files are understood',
    () => ({ inventory: `[${canary}\n`, 'globals.yml': globalsWith(`nova_password: ${canary}`) }),
  ],
];

describe('an error that ends a command', () => {
  it.each(leaks)('shows no password %s', async (_, files) => {
    for (const json of [[], ['--json']]) {
      site.write({ 'passwords.yml': passwords, ...files() });
      const { code, err } = await site.run([...plan, ...json]);
      expect(code).toBe(3);
      expect(err).toContain('‹secret›');
      expect(err).not.toContain(canary);
    }
  });

  it('is one JSON object on standard error under --json', async () => {
    site.write({ 'globals.yml': globalsWith('memcached_port: abc\nmemcached_tag: "{{ no_such }}"') });
    const { code, err, out } = await site.run([...plan, '--json']);
    expect(out).toBe('');
    const { error: told } = JSON.parse(err);
    expect(told.exit).toBe(code);
    expect(told.diagnostics).toHaveLength(2);
    expect(told.diagnostics).toContainEqual({
      severity: 'error',
      code: 'undefined-variable',
      message: 'variable no_such is not defined',
      host: 'alpha, beta',
      file: `${site.directory}/globals.yml`,
      line: 9,
      column: 20,
      hint: expect.stringContaining('set no_such in globals.yml'),
    });
  });

  it('is JSON also when the command line itself is at fault', async () => {
    const { err } = await site.run(['status', '--forkz', '--json']);
    expect(JSON.parse(err)).toEqual({
      error: {
        exit: 3,
        diagnostics: [
          {
            severity: 'error',
            code: 'unknown-option',
            message: 'status: there is no option --forkz',
            hint: 'did you mean --forks?',
          },
        ],
      },
    });
  });
});

describe('the output', () => {
  it('masks on both streams from the moment the secrets are known, in every form of output', () => {
    const written: string[] = [];
    const stream = { write: (text: string) => written.push(text) };
    for (const json of [false, true]) {
      const output = createOutput(json, { stdout: stream, stderr: stream });
      output.redactWith((text) => text.replaceAll(canary, '***'));
      output.line(canary);
      output.note(canary);
      output.data({ canary });
      output.diagnostics([warning('x', canary, { hint: canary })]);
      output.failure([error('x', canary, { host: canary })], exitCode.failed);
      output.diagnostics([]);
    }
    expect(written).toHaveLength(10);
    expect(written.join('')).not.toContain(canary);
    expect(written.slice(6).map((line) => Object.keys(JSON.parse(line))[0])).toEqual([
      'note',
      'canary',
      'diagnostics',
      'error',
    ]);
  });
});

describe('the sources', () => {
  it('write to the streams of the process in one place only, past which nothing is redacted', () => {
    const writers = readdirSync(join(programDirectory, 'src'), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .flatMap((name) => {
        const text = readFileSync(join(programDirectory, 'src', name), 'utf8');
        return [
          ...text.matchAll(/createOutput\(|process\.(?:stdout|stderr)\.write|console\.(?:log|info|warn|error)\(/g),
        ].map(([found]) => `${name}: ${found}`);
      });
    // Commander's own help, and the one output of the process.
    expect(writers.sort()).toEqual([
      'cli/output.ts: createOutput(',
      'cli/program.ts: createOutput(',
      'cli/program.ts: process.stderr.write',
    ]);
  });
});

describe('a stream that fails', () => {
  class Broken extends EventEmitter {
    readonly written: string[] = [];
    write(text: string): boolean {
      return this.written.push(text) > 0;
    }
  }

  it('is no matter when its consumer went away, and is told in the end when it is anything else', () => {
    const [out, err] = [new Broken(), new Broken()];
    const finish = guardStreams(out, err);
    out.emit('error', Object.assign(new Error('gone'), { code: 'EPIPE' }));
    expect(finish(0)).toBe(0);
    out.emit('error', Object.assign(new Error('no space left on device'), { code: 'ENOSPC' }));
    expect(err.written).toEqual([]);
    expect([finish(0), finish(4)]).toEqual([1, 4]);
    expect(err.written[0]).toBe('error: standard output could not be written to: no space left on device\n');
  });
});

describe('the program', () => {
  const main = join(programDirectory, 'src/cli/main.ts');

  /** In a process of its own, whose output nobody reads. */
  async function unread(args: readonly string[]): Promise<number | null> {
    const child = spawn(process.execPath, ['--import', 'tsx', main, ...args], {
      cwd: programDirectory,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, KOLLA_CONFIG_PATH: site.directory, NODE_OPTIONS: '' },
    });
    child.stdout.destroy();
    child.stderr.destroy();
    return new Promise((resolve) => child.on('exit', resolve));
  }

  it('ends as it would have when nobody reads what it says', async () => {
    site.write({});
    const codes = await Promise.all([unread(['--help']), unread(['status', '--tags', 'nosuch'])]);
    expect(codes).toEqual([0, 3]);
  }, 30_000);
});
