import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseServiceFile } from '../../../src/core/schema/service-file.ts';
import { assembleSite } from '../../../src/core/site/load.ts';
import { writeAtomically } from '../../../src/edge/store/atomic.ts';
import { generatePasswords, randomPassword } from '../../../src/edge/store/genpwd.ts';
import { readServiceFiles, readSiteInputs } from '../../../src/edge/store/read-site.ts';

let root = '';

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'store-'));
});

afterEach(async () => {
  await rm(root, { recursive: true });
});

async function put(path: string, text: string | Uint8Array, mode = 0o600): Promise<void> {
  await mkdir(dirname(join(root, path)), { recursive: true });
  await writeFile(join(root, path), text);
  await chmod(join(root, path), mode);
}

const service =
  'service: demo\nsummary: s\npasswords: {a_password: password, b_id: uuid, c_hex: hex32, d_key: fernet}\n';

function read(extraVars: readonly string[] = []) {
  return readSiteInputs({
    configDir: join(root, 'etc'),
    inventoryPaths: [join(root, 'inventory/hosts')],
    servicesDir: join(root, 'services'),
    extraVars,
  });
}

async function putSite(): Promise<void> {
  await put('etc/globals.yml', 'a: 1\n');
  await put('etc/passwords.yml', 'a_password: secret\n');
  await put('etc/globals.d/20.yml', 'order: later\n');
  await put('etc/globals.d/10.yaml', 'order: first\n');
  await put('etc/globals.d/README', 'no\n');
  await put('etc/config/demo.conf', '[DEFAULT]\n');
  await put('etc/config/demo/node1/demo.conf', 'x\n');
  await put('etc/config/binary', new Uint8Array([1, 0, 2]));
  await put('etc/services/own/service.yml', 'service: own\nsummary: s\n');
  await put('inventory/hosts', '[g]\nnode1\n');
  await put('inventory/group_vars/g.yml', 'x: 1\n');
  await put('inventory/group_vars/all/a.yml', 'y: 1\n');
  await put('inventory/host_vars/node1', 'z: 1\n');
  await put('services/demo/service.yml', service);
  await put('services/defaults.yml', 'w: 1\n');
  await put('extra.yml', 'v: 1\n');
}

describe('reading a site', () => {
  it('reads every file', async () => {
    await putSite();
    const inputs = await read([`@${join(root, 'extra.yml')}`, 'u=1']);
    if (!inputs.ok) throw new Error(JSON.stringify(inputs.diagnostics));
    expect(inputs.diagnostics.map(({ code, at }) => [code, at?.file])).toEqual([
      ['override-left-out', join(root, 'etc/config/binary')],
    ]);
    expect([...inputs.value.overrides.keys()]).toEqual(['demo.conf', 'demo/node1/demo.conf']);
    const site = assembleSite(inputs.value);
    if (!site.ok) throw new Error(JSON.stringify(site.diagnostics));
    expect([...site.value.services.keys()]).toEqual(['demo', 'own']);
    const scope = site.value.scope('node1');
    expect(['a', 'order', 'x', 'y', 'z', 'w', 'v', 'u'].map((name) => scope.get(name))).toEqual([
      1,
      'later',
      1,
      1,
      1,
      1,
      1,
      '1',
    ]);
  });

  it('says everything that is missing at once', async () => {
    const inputs = await read(['@nowhere.yml']);
    expect(inputs.ok).toBe(false);
    const found = inputs.diagnostics.map(({ at, message }) => `${at?.file.replace(root, '')} ${message}`).sort();
    expect(found).toEqual([
      '/etc/globals.yml the file does not exist',
      '/etc/passwords.yml the file does not exist',
      '/inventory/hosts the file does not exist',
      '/services no service definitions here',
      'nowhere.yml the file does not exist',
    ]);
  });

  it('warns about a passwords file others can read', async () => {
    await putSite();
    for (const [mode, codes] of [
      [0o644, ['file-mode']],
      [0o640, []],
      [0o660, ['file-mode']],
    ] as const) {
      await chmod(join(root, 'etc/passwords.yml'), mode);
      const found = (await read()).diagnostics.map(({ code }) => code).filter((code) => code === 'file-mode');
      expect(found).toEqual(codes);
    }
  });

  it('a link to a parent does not read forever', async () => {
    await putSite();
    await symlink(join(root, 'etc/config'), join(root, 'etc/config/loop'));
    expect((await read()).diagnostics.some(({ message }) => message.includes('nested'))).toBe(true);
  });
});

describe('writing', () => {
  it('replaces a file whole, with its mode, and leaves nothing behind', async () => {
    await put('f', 'old', 0o644);
    await symlink(join(root, 'f'), join(root, 'link'));
    await writeAtomically(join(root, 'link'), 'new', 0o600);
    expect(await readFile(join(root, 'f'), 'utf8')).toBe('new');
    expect((await stat(join(root, 'f'))).mode & 0o777).toBe(0o600);
    expect(await readdir(root)).toEqual(['f', 'link']);
    await expect(writeAtomically(join(root, 'none/f'), 'x', 0o600)).rejects.toThrow();
  });

  it('genpwd fills what is missing, never twice', async () => {
    const loaded = parseServiceFile(service, 'services/demo/service.yml');
    if (!loaded.ok) throw new Error('service');
    const file = join(root, 'passwords.yml');
    expect(await generatePasswords(file, [loaded.value])).toMatchObject({
      ok: true,
      value: ['a_password', 'b_id', 'c_hex', 'd_key'],
    });
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    const text = await readFile(file, 'utf8');
    expect(text).toMatch(/^a_password: "?[A-Za-z0-9]{40}"?$/m);
    expect(text).toMatch(/^b_id: "[0-9a-f-]{36}"$/m);
    expect(text).toMatch(/^c_hex: "?[0-9a-f]{32}"?$/m);
    expect(text).toMatch(/^d_key: "[A-Za-z0-9_-]{43}="$/m);
    expect(await generatePasswords(file, [loaded.value])).toMatchObject({ ok: true, value: [] });
    expect(await readFile(file, 'utf8')).toBe(text);
  });

  it('genpwd keeps a file it cannot read, and says why', async () => {
    await put('passwords.yml', 'a: [\n');
    const result = await generatePasswords(join(root, 'passwords.yml'), []);
    expect(result.ok).toBe(false);
    expect(await readFile(join(root, 'passwords.yml'), 'utf8')).toBe('a: [\n');
    const nowhere = await generatePasswords(join(root, 'none/passwords.yml'), []);
    expect(nowhere.diagnostics[0]?.message).toBe(`the directory ${join(root, 'none')} does not exist`);
  });

  it('random values differ', () => {
    expect(new Set(Array.from({ length: 50 }, () => randomPassword('password'))).size).toBe(50);
  });
});

describe('service files', () => {
  it('are read without a site', async () => {
    await putSite();
    const files = await readServiceFiles(join(root, 'services'), join(root, 'etc'));
    expect(files.ok && files.value.map(({ file }) => file.replace(root, ''))).toEqual([
      '/services/demo/service.yml',
      '/etc/services/own/service.yml',
    ]);
  });
});
