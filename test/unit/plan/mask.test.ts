import { describe, expect, it } from 'vitest';
import { Masker, show, showAfter } from '../../../src/core/plan/mask.ts';
import { isSecretName } from '../../../src/core/plan/secret-places.ts';
import { changeOfText } from '../../../src/core/plan/text-change.ts';

const old = 'old-Pa55@w/ord';
const now = 'new-Pa55@w/ord';

function masked(path: string, before: string, after: string, secrets: readonly string[] = [now]): string {
  return changeOfText(path, new Masker(secrets, [before]).pair(path, before, after)).text;
}

describe('names', () => {
  it.each([
    'password',
    'admin_password',
    'default_pass',
    'auth_pass',
    'memcache_secret_key',
    'auth_encryption_key',
    'OS_TOKEN',
    'transport_url',
    'connection',
    'wsrep_sst_auth',
    'apiKey',
  ])('%s holds a secret', (name) => {
    expect(isSecretName(name)).toBe(true);
  });

  it.each([
    'debug',
    'auth_url',
    'www_authenticate_uri',
    'auth_type',
    'connection_recycle_time',
    'max_connections',
    'keystone_url',
    'key_file',
    'token_expiration',
    'monkey',
  ])('%s does not', (name) => {
    expect(isSecretName(name)).toBe(false);
  });
});

describe('an old secret that nobody knows any more', () => {
  it.each<[string, string, (secret: string) => string]>([
    ['an option', 'a.conf', (s) => `[x]\npassword = ${s}\n`],
    ['an option that was commented out', 'a.conf', (s) => `# password: ${s}\n`],
    ['a value of several lines', 'a.conf', (s) => `[x]\nsecret = first\n         ${s}\nother = 1\n`],
    [
      'the credentials of a URL',
      'a.conf',
      (s) => `[database]\nconnection = mysql+pymysql://heat:${s}@192.0.2.1/heat\n`,
    ],
    ['those of several servers', 'a.conf', (s) => `transport_url = rabbit://o:${s}@a:5672,o:${s}@b:5672//\n`],
    ['a URL anywhere', 'a.sh', (s) => `curl http://me:${s}@host/ > /dev/null\n`],
    ['JSON', 'a.json', (s) => `{"name": "a", "password": ${JSON.stringify(s)}, "tags": "b"}\n`],
    ['HAProxy', 'haproxy.cfg', (s) => `listen stats\n    stats auth admin:${s}\n`],
    ['keepalived', 'keepalived.conf', (s) => `authentication {\n    auth_pass ${s}\n}\n`],
    ['Erlang terms', 'advanced.config', (s) => `[{rabbit, [{default_pass, <<"${s}">>}]}].\n`],
    ['XML', 'a.xml', (s) => `<a><password>${s}</password></a>\n`],
    ['the shell', 'a.sh', (s) => `export OS_PASSWORD='${s}'\nrun --token=${s} --quiet\n`],
    ['YAML', 'a.yml', (s) => `users:\n  - password: ${s}\n    name: a\n`],
    ['a file that is nothing else', 'erlang.cookie', (s) => `${s}`],
    ['a PEM block', 'a.conf', (s) => `-----BEGIN PRIVATE KEY-----\n${s}\n-----END PRIVATE KEY-----\n`],
    ['what is secret in one line and plain in another', 'a.txt', (s) => `password = ${s}\nsay ${s} aloud\n`],
  ])('is masked in %s, and the line shows that it changes', (_, path, text) => {
    // By its place alone, and with the new one known.
    for (const secrets of [[], [now]]) {
      const shown = masked(path, `first\n${text(old)}`, `first\n${text(now)}`, secrets);
      for (const piece of ['Pa55', 'w/ord', old, now]) expect(shown).not.toContain(piece);
      expect(shown).toContain('‹secret›');
      expect(shown).toContain('‹another secret›');
    }
  });

  it('is masked in a place that only the new text gives away', () => {
    const shown = masked('a.conf', `greeting = x ${old} y\nz = 1\n`, `greeting = x ${now} y\nz = 2\n`);
    expect(shown).toBe('@@ -1,2 +1,2 @@\n-greeting = x ‹secret› y\n-z = 1\n+greeting = x ‹another secret› y\n+z = 2');
  });

  it('is masked in lines that go away and in lines around a change', () => {
    const shown = masked('a.conf', `password = ${old}\na = 1\ntoken = ${old}\n`, `password = ${old}\na = 2\n`);
    expect(shown.split('\n')).toEqual([
      '@@ -1,3 +1,2 @@',
      ' password = ‹secret›',
      '-a = 1',
      '-token = ‹secret›',
      '+a = 2',
    ]);
  });

  it('beside one that changes stays the same', () => {
    const line = (second: string) => `"password": "${old}", "token": "${second}"`;
    const shown = masked('a.json', `{${line('a-third-word')}}`, `{${line(now)}}`);
    expect(shown).toContain('+{"password": "‹secret›", "token": "‹another secret›"}');
  });

  it('that stays is the same secret', () => {
    const masker = new Masker([now], []);
    expect(changeOfText('a.conf', masker.pair('a.conf', `password = ${old}\n`, `password = ${old}\n`)).added).toBe(0);
  });
});

describe('what is no secret', () => {
  it('is shown', () => {
    const before =
      '[keystone_authtoken]\nauth_url = http://192.0.2.1:5000\nallow_password_change = true\nworkers = 2\n';
    const shown = masked('a.conf', before, before.replace('192.0.2.1', '192.0.2.9').replace('true', 'false'));
    expect(shown).toContain('+auth_url = http://192.0.2.9:5000');
    expect(shown).toContain('+allow_password_change = false');
    expect(shown).not.toContain('secret›');
  });

  it('keeps the host of a URL with credentials', () => {
    const url = (host: string) => `connection = mysql://heat:${old}@${host}/heat\n`;
    expect(masked('a.conf', url('db1'), url('db2'))).toContain(
      '-connection = mysql://heat:‹secret›@db1/heat\n+connection = mysql://heat:‹secret›@db2/heat',
    );
  });
});

describe('changeOfText', () => {
  const optionsOf = (before: string, after: string) =>
    changeOfText('a.conf', new Masker([now], []).pair('a.conf', before, after)).options.map((option) => option.exact);

  it('names the options of an INI file that change', () => {
    const before =
      '[DEFAULT]\ndebug = False\nold = 1\nsame = x\n[database]\npassword = a-secret\nservers = a\nservers = b\n';
    const after = '[DEFAULT]\ndebug = True\nsame = x\n[database]\nnew = 2\npassword = b-secret\nservers = a\n';
    expect(optionsOf(before, after)).toEqual([
      '[DEFAULT] debug False → True',
      '[database] new = 2 added',
      '[database] password ‹secret› → ‹another secret›',
      '[database] servers a, b → a',
      '[DEFAULT] old removed (was 1)',
    ]);
  });

  it('has none for a file that is no INI file, nor for comments', () => {
    expect(optionsOf('global {\n  x\n', 'global {\n  y\n')).toEqual([]);
    expect(optionsOf('a = 1\n', '# note\na = 1\n')).toEqual([]);
  });

  it('counts lines of a text that is too different to show', () => {
    const lines = (word: string) => Array.from({ length: 3000 }, (_, i) => `${word} ${i}\n`).join('');
    expect(changeOfText('a.txt', { before: lines('a'), after: lines('b') })).toMatchObject({
      added: 3000,
      removed: 3000,
      text: '',
    });
  });
});

describe('show', () => {
  it('leaves no signs of its own, nor takes any from outside', () => {
    const masker = new Masker([], []);
    const value = masker.value('note', 'a \uE0000\uE001 b');
    expect(show(value)).toBe('a \uFFFD0\uFFFD b');
    expect(showAfter(masker.secret('one'), masker.secret('two'))).toBe('‹another secret›');
    expect(showAfter(masker.secret('one'), masker.secret('one'))).toBe('‹secret›');
  });
});
