import { describe, expect, it } from 'vitest';
import {
  fingerprint,
  hostFieldMatches,
  keyTypeOf,
  knownKeyTypes,
  parseKnownHosts,
  verifyHostKey,
} from '../../../src/edge/ssh/known-hosts.ts';

const ed = 'AAAAC3NzaC1lZDI1NTE5AAAAIJr+oQEUwjKzU2TFe1q5KeZSyD0qGHbpWA7hFjguseGS';
const other = 'AAAAC3NzaC1lZDI1NTE5AAAAIH+NLRTCMMfpYYhmkRFTZ0hgZ6rDrMdTSARmzbuu9Ryr';
const ecdsa =
  'AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBISH45maSdRrdvWYD3MyUw9q5K3CAbNtwgSI05WafHi8RXgc5K7hCsPPKQZdlGzsl/5aYwhupHKkaWLkGW8J0bc=';
const key = Buffer.from(ed, 'base64');

/** Written by ssh-keygen -H. */
const hashed = `|1|drzAOjYnNcYsUw44UFjy08MmwXU=|LgiAu7oLLtkIBnceMZvjE/ohy/o= ssh-ed25519 ${ed}
|1|IgdsMmZb9poKBdnBUbvB9cul9r4=|Xf6Nuc8N1NvYQnPnYt0RPnN0Cb4= ssh-ed25519 ${ed}
|1|Rc8YDDirtLIMiM0s5HXVWr5W8sc=|X421DWfUybUqWR12pGPFJ1fGRSk= ssh-ed25519 ${other}
`;

describe('parseKnownHosts', () => {
  it('keeps markers and line numbers, and skips what is no entry', () => {
    const text = `# comment\n\n@revoked * ssh-ed25519 ${ed}\n@cert-authority *.x ssh-ed25519 ${ed} ca\n@new a b c\nhost\nhost ssh-ed25519 ${ed} me@there\r\n`;
    const entries = parseKnownHosts(text, 'kh');
    expect(entries.map((e) => [e.line, e.marker, e.hosts])).toEqual([
      [3, 'revoked', '*'],
      [4, 'cert-authority', '*.x'],
      [7, undefined, 'host'],
    ]);
    expect(entries[2]?.key.equals(key)).toBe(true);
  });
});

describe('names', () => {
  it.each([
    ['node1', 'node1', true],
    ['node1,192.0.2.1', '192.0.2.1', true],
    ['node?', 'node1', true],
    ['*.example', 'a.b.example', true],
    ['*.example,!bad.example', 'bad.example', false],
    ['!bad.example,*.example', 'good.example', true],
    ['!bad.example', 'good.example', false],
    ['[node1]:2222', '[node1]:2222', true],
    ['[node1]:2222', 'node1', false],
    ['NODE1', 'node1', true],
    ['node.1', 'nodex1', false],
  ])('%s for %s: %s', (field, name, expected) => {
    expect(hostFieldMatches(field, name)).toBe(expected);
  });
});

describe('verifyHostKey', () => {
  const verdict = (text: string, address: string, port = 22, offered = key) =>
    verifyHostKey(parseKnownHosts(text, 'kh'), address, port, offered).kind;

  it('finds hashed names, with addresses and ports', () => {
    expect(verdict(hashed, 'node1.example')).toBe('match');
    expect(verdict(hashed, 'Node1.Example')).toBe('match');
    expect(verdict(hashed, '192.0.2.1')).toBe('match');
    expect(verdict(hashed, 'node2.example')).toBe('unknown');
    expect(verdict(hashed, 'node1.example', 2222, Buffer.from(other, 'base64'))).toBe('match');
    expect(verdict(hashed, 'node1.example', 2222)).toBe('changed');
  });

  it('tells where the known key is when another is offered', () => {
    const entries = [...parseKnownHosts('', 'first'), ...parseKnownHosts(`# x\nnode1 ssh-ed25519 ${other}`, 'second')];
    expect(verifyHostKey(entries, 'node1', 22, key)).toEqual({
      kind: 'changed',
      known: [
        { file: 'second', line: 2, keyType: 'ssh-ed25519', fingerprint: fingerprint(Buffer.from(other, 'base64')) },
      ],
    });
  });

  it('takes one of several keys, refuses a revoked one first', () => {
    expect(verdict(`node1 ssh-ed25519 ${other}\nnode1 ssh-ed25519 ${ed}`, 'node1')).toBe('match');
    expect(verdict(`node1 ssh-ed25519 ${ed}\n@revoked * ssh-ed25519 ${ed}`, 'node1')).toBe('revoked');
    expect(verdict(`@revoked * ssh-ed25519 ${other}`, 'node1')).toBe('unknown');
  });

  it('accepts an entry without port for another port, and does not call a difference there a change', () => {
    expect(verdict(`node1 ssh-ed25519 ${ed}`, 'node1', 2222)).toBe('match');
    expect(verdict(`node1 ssh-ed25519 ${other}`, 'node1', 2222)).toBe('unknown');
  });

  it('reports a certificate authority instead of using it as a key', () => {
    const entries = parseKnownHosts(`@cert-authority * ssh-ed25519 ${ed}`, 'kh');
    expect(verifyHostKey(entries, 'node1', 22, key)).toMatchObject({ kind: 'unknown', authority: { line: 1 } });
  });

  it('calls it a change when a host known by one type of key offers another type only', () => {
    expect(verdict(`node1 ecdsa-sha2-nistp256 ${ecdsa}`, 'node1')).toBe('changed');
  });
});

describe('keys', () => {
  it('prints fingerprints as ssh-keygen does', () => {
    expect(fingerprint(key)).toBe('SHA256:hyhwncr3IbjHL/Z/ADAvpJa+gcwrQEZZ0RlZiAdUP3M');
    expect(fingerprint(Buffer.from(ecdsa, 'base64'))).toBe('SHA256:VjMkeuSy8zRIiaMm/s9Blc8yfSM7rKIwbmaHVKComOY');
  });

  it('knows the type of a key and which types a host is known by', () => {
    expect(keyTypeOf(Buffer.from(ecdsa, 'base64'))).toBe('ecdsa-sha2-nistp256');
    expect(keyTypeOf(Buffer.from([1, 2]))).toBe('unknown');
    const entries = parseKnownHosts(`n ssh-rsa ${ed}\n[n]:22 x ${ed}\nm ssh-ed25519 ${ed}`, 'kh');
    expect(knownKeyTypes(entries, 'n', 22)).toEqual(['ssh-rsa']);
  });
});
