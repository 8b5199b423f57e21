import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Case, commandLine, files, plan, services } from './bad-input-cases.ts';
import { type BadSite, openBadSite } from './bad-site.ts';

let site: BadSite;

beforeAll(async () => {
  site = await openBadSite();
});

afterAll(() => site.close());

describe.each([
  ['the command line', commandLine],
  ['files', files],
  ['services of the operator', services],
])('bad input: %s', (_, cases) => {
  it.each(cases)('$of', async ({ args = plan, files: changed = {}, add = {}, says, errors = 1 }) => {
    prepare(changed, add);
    const { code, err, out } = await site.run(args.map((arg) => arg.replace('DIR', site.directory)));
    for (const line of says) expect(err).toContain(line.replaceAll('DIR', site.directory));
    expect(err).not.toMatch(/^\s+at |bug in deploy/m);
    expect(err.match(/error: /g)).toHaveLength(errors);
    expect(code).toBe(3);
    expect(out).toBe('');
    expect(site.connections()).toBe(0);
  });
});

function prepare(changed: NonNullable<Case['files']>, add: NonNullable<Case['add']>): void {
  site.write(changed);
  const longer = Object.entries(add).map(([path, text]) => [path, `${present(path)}${text}`] as const);
  if (longer.length > 0) site.write({ ...changed, ...Object.fromEntries(longer) });
}

function present(path: string): string {
  try {
    return readFileSync(join(site.directory, path), 'utf8');
  } catch {
    return '';
  }
}

describe('input that is only odd', () => {
  /** Nodes that cannot be talked to: reached at all, the input was accepted. */
  const accepted = 4;

  it.each([
    ['a variable nearly spelled like a known one', 'globals.yml', 'enable_magnm: "yes"\n', 'mean enable_magnum?'],
    ['variables of a host that is not there', 'host_vars/gamma.yml', 'a: 1\n', 'host gamma is not in the inventory'],
    ['variables of a group that is not there', 'group_vars/contrl.yml', 'a: 1\n', 'group contrl is not in'],
  ])('%s', async (_, path, text, says) => {
    prepare({}, { [path]: text });
    const { code, err } = await site.run(plan);
    expect(err).toContain(says);
    expect(code).toBe(accepted);
  });

  it('a byte order mark and the line ends of Windows are no matter', async () => {
    site.write({});
    site.write({ 'globals.yml': `\uFEFF${present('globals.yml').replaceAll('\n', '\r\n')}` });
    expect((await site.run(plan)).code).toBe(accepted);
  });

  it('a service that needs one that is switched off is pointed out', async () => {
    site.write({});
    const { code, err } = await site.run(['status', '--tags', 'glance', '-e', 'enable_keystone=no']);
    expect(err).toContain('warning: service glance requires keystone, which is not enabled');
    expect(code).toBe(accepted);
  });

  it('an override file that nothing reads is named, with its place', async () => {
    site.write({ 'config/memcachd.conf': 'x' });
    const { err } = await site.run(['plan', 'reconfigure']);
    expect(err).toContain(
      `${site.directory}/config/memcachd.conf:1:1: warning: the override file memcachd.conf is not used`,
    );
  });

  it('the tag of a disabled service says so; skipping it is fine', async () => {
    site.write({});
    const off = ['-e', 'enable_heat=no'];
    const wanted = await site.run(['status', '--tags', 'heat', ...off]);
    expect(wanted.err).toContain('--tags heat: that service is not enabled');
    expect(wanted.code).toBe(3);
    expect((await site.run([...plan, '--skip-tags', 'heat', ...off])).code).toBe(accepted);
  });

  it.each(['', '{}', '---\n{}\n', '# mine\n{ } # empty\n'])('genpwd fills %j', async (text) => {
    site.write({ 'passwords.yml': text });
    const { code, out } = await site.run(['genpwd']);
    expect(out).toContain('filled ');
    expect(code).toBe(0);
    expect(present('passwords.yml')).toMatch(/^keystone_admin_password: "?\w{40}"?$/m);
    expect(statSync(join(site.directory, 'passwords.yml')).mode & 0o777).toBe(0o600);
    expect((await site.run(['genpwd'])).out).toContain('nothing to fill');
  });

  it('no command at all shows the help and is not a success', async () => {
    const { code, err } = await site.run([]);
    expect(err).toContain('Usage: deploy');
    expect(code).toBe(3);
  });
});
