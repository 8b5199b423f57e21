import { createHash, createHmac } from 'node:crypto';
import { readFile } from 'node:fs/promises';

/** One line of a known_hosts file that carries a key. */
export interface KnownHostEntry {
  readonly file: string;
  readonly line: number;
  readonly marker?: 'revoked' | 'cert-authority' | undefined;
  /** The host field as written: patterns separated by commas, or one hashed name. */
  readonly hosts: string;
  readonly keyType: string;
  readonly key: Buffer;
}

/** A key found where another one was offered. */
export interface KnownKey {
  readonly file: string;
  readonly line: number;
  readonly keyType: string;
  readonly fingerprint: string;
}

export type HostKeyVerdict =
  | { readonly kind: 'match' }
  /** No key of this host is known; `authority` is the line of a certificate authority, which cannot be used. */
  | { readonly kind: 'unknown'; readonly authority?: KnownKey | undefined }
  | { readonly kind: 'changed'; readonly known: readonly KnownKey[] }
  | { readonly kind: 'revoked'; readonly known: KnownKey };

/** `SHA256:` and the unpadded base64 form that ssh and ssh-keygen print. */
export function fingerprint(key: Uint8Array): string {
  return `SHA256:${createHash('sha256').update(key).digest('base64').replace(/=+$/, '')}`;
}

/** The algorithm name at the head of a public key blob, or `unknown`. */
export function keyTypeOf(key: Uint8Array): string {
  const blob = Buffer.from(key);
  if (blob.length < 4) return 'unknown';
  const length = blob.readUInt32BE(0);
  return length > 0 && length <= 64 && blob.length >= 4 + length ? blob.toString('ascii', 4, 4 + length) : 'unknown';
}

/** Lines that are comments, empty or not understood are skipped, as ssh does. */
export function parseKnownHosts(text: string, file: string): KnownHostEntry[] {
  return text.split('\n').flatMap((raw, index) => {
    const words = raw.trim().split(/\s+/);
    if (words[0] === undefined || words[0] === '' || words[0].startsWith('#')) return [];
    const marker = words[0].startsWith('@') ? words.shift() : undefined;
    if (marker !== undefined && marker !== '@revoked' && marker !== '@cert-authority') return [];
    const [hosts, keyType, encoded] = words;
    if (hosts === undefined || keyType === undefined || encoded === undefined) return [];
    const key = Buffer.from(encoded, 'base64');
    if (key.length === 0) return [];
    const kind = marker === '@revoked' ? 'revoked' : marker === '@cert-authority' ? 'cert-authority' : undefined;
    return [{ file, line: index + 1, marker: kind, hosts, keyType, key }];
  });
}

function wildcard(pattern: string): RegExp {
  const source = pattern
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  return new RegExp(`^${source}$`, 'i');
}

function hashedMatches(field: string, name: string): boolean {
  const [, , salt, digest] = field.split('|');
  if (salt === undefined || digest === undefined) return false;
  return createHmac('sha1', Buffer.from(salt, 'base64')).update(name).digest('base64') === digest;
}

/** Whether a host field names `name`; a negated pattern that matches wins over all others. */
export function hostFieldMatches(field: string, name: string): boolean {
  if (field.startsWith('|1|')) return hashedMatches(field, name.toLowerCase());
  let matched = false;
  for (const pattern of field.split(',')) {
    if (pattern.startsWith('!')) {
      if (wildcard(pattern.slice(1)).test(name)) return false;
    } else if (pattern !== '' && wildcard(pattern).test(name)) matched = true;
  }
  return matched;
}

/** The name ssh looks up: plain on port 22, `[address]:port` elsewhere. */
export function lookupName(address: string, port: number): string {
  return port === 22 ? address.toLowerCase() : `[${address.toLowerCase()}]:${port}`;
}

function known(entry: KnownHostEntry): KnownKey {
  return { file: entry.file, line: entry.line, keyType: entry.keyType, fingerprint: fingerprint(entry.key) };
}

/**
 * Compares an offered key with what the files say about `address:port`. A host that is known by other keys only
 * is `changed`, whatever their types: connecting asks for the known types first, so another type means that the
 * host no longer has any key it had.
 */
export function verifyHostKey(
  entries: readonly KnownHostEntry[],
  address: string,
  port: number,
  key: Uint8Array,
): HostKeyVerdict {
  const offered = Buffer.from(key);
  const name = lookupName(address, port);
  const mine = entries.filter((entry) => hostFieldMatches(entry.hosts, name));
  const plain = port === 22 ? [] : entries.filter((entry) => hostFieldMatches(entry.hosts, address.toLowerCase()));
  const revoked = [...mine, ...plain].find((entry) => entry.marker === 'revoked' && entry.key.equals(offered));
  if (revoked) return { kind: 'revoked', known: known(revoked) };
  const keys = mine.filter((entry) => entry.marker === undefined);
  if (keys.some((entry) => entry.key.equals(offered))) return { kind: 'match' };
  if (keys.length > 0) return { kind: 'changed', known: keys.map(known) };
  // Like ssh: an entry without port vouches for a key on another port, but never says that one changed.
  if (plain.some((entry) => entry.marker === undefined && entry.key.equals(offered))) return { kind: 'match' };
  const authority = mine.find((entry) => entry.marker === 'cert-authority');
  return { kind: 'unknown', authority: authority && known(authority) };
}

/** Types of the keys known for a host, so that the handshake can ask for one that can be checked. */
export function knownKeyTypes(entries: readonly KnownHostEntry[], address: string, port: number): string[] {
  const names = [lookupName(address, port), address.toLowerCase()];
  const mine = entries.filter((e) => e.marker === undefined && names.some((name) => hostFieldMatches(e.hosts, name)));
  return [...new Set(mine.map((entry) => entry.keyType))];
}

/** Entries of all files in order; files that do not exist are empty. */
export async function readKnownHosts(files: readonly string[]): Promise<KnownHostEntry[]> {
  const texts = await Promise.all(
    files.map(async (file) => {
      const text = await readFile(file, 'utf8').catch((problem: NodeJS.ErrnoException) => {
        if (problem.code === 'ENOENT' || problem.code === 'ENOTDIR') return '';
        throw problem;
      });
      return parseKnownHosts(text, file);
    }),
  );
  return texts.flat();
}
