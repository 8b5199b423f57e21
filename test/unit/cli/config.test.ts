import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type BadSite, openBadSite } from './bad-site.ts';

let site: BadSite;
let globals: string;

beforeAll(async () => {
  site = await openBadSite();
  site.write({});
  globals = readFileSync(join(site.directory, 'globals.yml'), 'utf8');
});

afterAll(() => site.close());

async function get(args: string[], files: Readonly<Record<string, string>> = {}) {
  site.write(files);
  const result = await site.run(['config', 'get', ...args]);
  return { ...result, out: result.out.replaceAll(site.directory, 'DIR') };
}

const layered = {
  'group_vars/all.yml': 'heat_engine_workers: 3\n',
  'host_vars/beta.yml': '---\nheat_engine_workers: "{{ openstack_service_workers }}"\n',
};

describe('deploy config get', () => {
  it('prints the value and nothing else, and asks no node', async () => {
    const { code, out, err } = await get(['kolla_internal_vip_address']);
    expect({ code, out, err }).toEqual({ code: 0, out: '192.0.2.250\n', err: '' });
    expect(site.connections()).toBe(0);
  });

  it('prints what is made from others, and lists as JSON', async () => {
    expect((await get(['rabbitmq_port', '-e', 'rabbitmq_port={{5000+673}}'])).out).toBe('5673\n');
    expect((await get(['group_names', '--host', 'alpha'])).out).toMatch(/^\["control",/);
  });

  it('tells hosts apart when they differ', async () => {
    const { out } = await get(['heat_engine_workers', '-e', 'openstack_service_workers=9'], layered);
    expect(out).toBe('alpha: 3\nbeta: 9\n');
    expect((await get(['heat_engine_workers', '--host', 'alpha'], layered)).out).toBe('3\n');
    expect((await get(['ansible_port'])).out).toMatch(/^\d+\n$/);
  });

  it('says on which hosts it is not set', async () => {
    const files = { 'host_vars/beta.yml': 'only_there: 1\n' };
    expect((await get(['only_there'], files)).out).toBe('alpha: not set\nbeta: 1\n');
    const { code, err } = await get(['only_there', '--host', 'alpha'], files);
    expect(err).toContain('variable only_there is not set for alpha');
    expect(err).toContain('it is for beta');
    expect(code).toBe(3);
  });

  it('explains: every layer, lowest first, as written, with its place', async () => {
    const { out } = await get(
      ['heat_engine_workers', '--host', 'beta', '--explain', '-e', 'openstack_service_workers=9'],
      {
        ...layered,
        'globals.yml': `${globals}heat_engine_workers: 4\n`,
      },
    );
    const lines = out.split('\n');
    expect(lines[0]).toBe('beta: 4');
    expect(lines[1]).toMatch(/^ {4}service heat \(.*services\/heat\/service\.yml:\d+:\d+\): \{\{ /);
    const line = globals.split('\n').length;
    expect(lines.slice(2)).toEqual([
      '    group_vars/all (DIR/group_vars/all.yml:1:22): 3',
      '    host_vars/beta (DIR/host_vars/beta.yml:2:23): {{ openstack_service_workers }}',
      `  → globals.yml (DIR/globals.yml:${line}:22): 4`,
      '',
    ]);
    expect((await get(['inventory_hostname', '--host', 'beta', '--explain'])).out).toBe(
      'beta: beta\n  known by itself; nothing sets it\n',
    );
  });

  it('gives the same as JSON', async () => {
    const { out } = await get(['heat_engine_workers', '--json', '-e', 'openstack_service_workers=9'], layered);
    expect(JSON.parse(out)).toMatchObject({
      name: 'heat_engine_workers',
      values: [
        { hosts: ['alpha'], value: 3, layers: [{ name: 'service heat' }, { name: 'group_vars/all', value: 3 }] },
        { hosts: ['beta'], value: '9', layers: [{}, {}, { name: 'host_vars/beta', at: { line: 2, column: 23 } }] },
      ],
    });
  });

  it('shows no secret, and nothing that is made from one', async () => {
    const secrets = {
      'globals.yml': `${globals}my_password: pw1\nmade: "{{ my_password | upper }}"\nurl: "a:{{ heat_database_password }}@b"\n`,
    };
    for (const how of [[], ['--explain'], ['--json']]) {
      const outputs: string[] = [];
      for (const name of ['my_password', 'made', 'heat_database_password']) {
        outputs.push((await get([name, ...how], secrets)).out);
      }
      for (const out of outputs) expect(out).toContain('‹secret›');
      expect(outputs.join('')).not.toMatch(/pw1/i);
      const password = /heat_database_password: (\S+)/.exec(
        readFileSync(join(site.directory, 'passwords.yml'), 'utf8'),
      );
      expect(outputs.join('')).not.toContain(password?.[1]);
    }
    expect((await get(['url'], secrets)).out).toBe('a:‹secret›@b\n');
  });
});
