import { describe, expect, it } from 'vitest';
import { formatSources, machineCodename, parseDeb822, parseOneLine, translateSources } from '../../lab/apt-sources.ts';
import { lacksSysResource } from '../../lab/runtime.ts';

const KEY = '/usr/share/keyrings/debian-archive-keyring.gpg';

describe('reading apt sources', () => {
  it('reads the one-line format with options, comments and several components', () => {
    const text = [
      '# deb http://archive.test/debian sid main',
      'deb [arch=amd64 signed-by=/k.gpg] http://archive.test/debian bookworm main contrib # ours',
      'deb-src http://archive.test/debian bookworm main',
    ].join('\n');
    expect(parseOneLine(text)).toEqual([
      { uri: 'http://archive.test/debian', suite: 'bookworm', components: ['main', 'contrib'], signedBy: '/k.gpg' },
    ]);
  });

  it('reads the stanza format, combines suites, skips disabled stanzas and comments inside one', () => {
    const text = `Types: deb deb-src
# a snapshot
URIs: http://archive.test/debian
Suites: bookworm
 bookworm-updates
Components: main
Signed-By: ${KEY}

Types: deb
Enabled: no
URIs: http://off.test/debian
Suites: bookworm
Components: main
`;
    expect(parseDeb822(text).map((source) => `${source.uri} ${source.suite}`)).toEqual([
      'http://archive.test/debian bookworm',
      'http://archive.test/debian bookworm-updates',
    ]);
  });
});

describe('translating apt sources to another suite', () => {
  const source = (uri: string, suite: string, signedBy = ''): ReturnType<typeof parseOneLine>[number] => ({
    uri,
    suite,
    components: ['main', 'non-free'],
    signedBy,
  });

  it('keeps main, updates and security of Debian and renames the suites', () => {
    const sources = [
      source('http://archive.test/debian', 'bookworm', KEY),
      source('http://archive.test/debian/', 'bookworm'),
      source('http://archive.test/debian', 'bookworm-updates'),
      source('http://security.test/debian-security', 'bookworm-security'),
    ];
    expect(formatSources(translateSources(sources, 'bookworm', 'trixie')).split('\n')).toEqual([
      `deb [signed-by=${KEY}] http://archive.test/debian/ trixie main`,
      `deb [signed-by=${KEY}] http://archive.test/debian trixie-updates main`,
      `deb [signed-by=${KEY}] http://security.test/debian-security trixie-security main`,
      '',
    ]);
  });

  it('drops archives of others, other suites, and what lies on this machine only', () => {
    const sources = [
      source('http://vendor.test/apt', 'bookworm'),
      source('http://vendor.test/linux/debian', 'bookworm', '/usr/share/keyrings/vendor.gpg'),
      source('http://archive.test/debian', 'bookworm-backports'),
      source('file:/mnt/debian', 'bookworm'),
      source('cdrom:[Debian]/debian', 'bookworm'),
    ];
    expect(translateSources(sources, 'bookworm', 'bookworm')).toEqual([]);
    expect(formatSources([])).toBe('');
  });
});

describe('facts about the machine', () => {
  it('reads the codename with and without quotes', () => {
    expect(machineCodename('ID=debian\nVERSION_CODENAME=bookworm\n')).toBe('bookworm');
    expect(machineCodename('VERSION_CODENAME="trixie"\n')).toBe('trixie');
  });

  it('sees a missing CAP_SYS_RESOURCE in the bounding set', () => {
    expect(lacksSysResource('CapBnd:\t000001fffeffffff\n')).toBe(true);
    expect(lacksSysResource('CapBnd:\t000001ffffffffff\n')).toBe(false);
    expect(lacksSysResource('nothing of the kind')).toBe(false);
  });
});
