import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Suite } from './settings.ts';

/** One package archive with one suite, as apt knows it. */
export interface AptSource {
  readonly uri: string;
  readonly suite: string;
  readonly components: readonly string[];
  /** Value of signed-by, empty when the source names no key. */
  readonly signedBy: string;
}

const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';

/** Reads the machine's own apt sources, both formats, skipping disabled ones. */
export function readMachineSources(folder = '/etc/apt'): readonly AptSource[] {
  const parts = join(folder, 'sources.list.d');
  const files = [
    join(folder, 'sources.list'),
    ...(existsSync(parts)
      ? readdirSync(parts)
          .sort()
          .map((name) => join(parts, name))
      : []),
  ];
  return files
    .filter((file) => existsSync(file))
    .flatMap((file) => {
      const text = readFileSync(file, 'utf8');
      if (file.endsWith('.sources')) return parseDeb822(text);
      return file.endsWith('.list') ? parseOneLine(text) : [];
    });
}

/** Parses the one-line format: `deb [options] uri suite component...`. */
export function parseOneLine(text: string): readonly AptSource[] {
  return text.split('\n').flatMap((line) => {
    const match = /^\s*deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)\s*([^#]*)/.exec(line);
    if (match === null) return [];
    const [, options = '', uri = '', suite = '', components = ''] = match;
    const signedBy = /(?:^|\s)signed-by=(\S+)/i.exec(options)?.[1] ?? '';
    return [{ uri, suite, components: words(components), signedBy }];
  });
}

/** Parses the stanza format (deb822); every URI is combined with every suite. */
export function parseDeb822(text: string): readonly AptSource[] {
  return text.split(/\n[ \t]*\n/).flatMap((stanza) => {
    const fields = stanzaFields(stanza);
    if (fields.get('enabled')?.toLowerCase() === 'no') return [];
    if (!words(fields.get('types') ?? '').includes('deb')) return [];
    const components = words(fields.get('components') ?? '');
    const signedBy = fields.get('signed-by') ?? '';
    return words(fields.get('uris') ?? '').flatMap((uri) =>
      words(fields.get('suites') ?? '').map((suite) => ({ uri, suite, components, signedBy })),
    );
  });
}

function stanzaFields(stanza: string): ReadonlyMap<string, string> {
  const fields = new Map<string, string>();
  let last = '';
  for (const line of stanza.split('\n')) {
    if (line.startsWith('#')) continue;
    const field = /^([A-Za-z-]+):\s*(.*)$/.exec(line);
    if (field !== null) {
      last = (field[1] ?? '').toLowerCase();
      fields.set(last, field[2] ?? '');
    } else if (/^\s/.test(line) && last !== '') {
      fields.set(last, `${fields.get(last) ?? ''} ${line.trim()}`);
    }
  }
  return fields;
}

function words(text: string): readonly string[] {
  return text.split(/\s+/).filter((word) => word !== '');
}

/**
 * Keeps Debian's own archives among a machine's sources and rewrites them for another suite: main, updates and
 * security. Archives of others are dropped, as are ones apt reads from disks or files of this machine.
 * @param codename suite of the machine the sources were read on, for example "bookworm"
 */
export function translateSources(sources: readonly AptSource[], codename: string, suite: Suite): readonly AptSource[] {
  const kept = sources.filter((source) => isDebianArchive(source, codename));
  const translated = kept.map((source) => ({
    uri: source.uri,
    suite: source.suite.replace(codename, suite),
    components: ['main'],
    signedBy: KEYRING,
  }));
  const key = (source: AptSource): string => `${source.uri.replace(/\/$/, '')} ${source.suite}`;
  return [...new Map(translated.map((source) => [key(source), source])).values()];
}

function isDebianArchive(source: AptSource, codename: string): boolean {
  if (!/^https?:\/\//.test(source.uri) || !source.components.includes('main')) return false;
  if (![codename, `${codename}-updates`, `${codename}-security`].includes(source.suite)) return false;
  if (source.signedBy !== '' && !source.signedBy.includes('debian-archive')) return false;
  return /\/debian(-security)?(\/|$)/.test(new URL(source.uri).pathname);
}

/** The sources as a sources.list file; empty when there are none. */
export function formatSources(sources: readonly AptSource[]): string {
  return sources
    .map(
      (source) => `deb [signed-by=${source.signedBy}] ${source.uri} ${source.suite} ${source.components.join(' ')}\n`,
    )
    .join('');
}

/** Codename of the machine's Debian release, for example "bookworm". */
export function machineCodename(release: string = readFileSync('/etc/os-release', 'utf8')): string {
  return /^VERSION_CODENAME="?([a-z]+)"?$/m.exec(release)?.[1] ?? 'bookworm';
}
