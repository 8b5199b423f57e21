import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Secret } from '../../../src/core/model/secret.ts';
import { account, grantPattern, identifier, nativeHash } from '../../../src/edge/mariadb/sql.ts';

test('identifiers stay between their backticks', () => {
  expect(identifier('magnum')).toBe('`magnum`');
  expect(identifier('a`b')).toBe('`a``b`');
  fc.assert(
    fc.property(fc.string({ minLength: 1, maxLength: 64 }), (name) => {
      fc.pre(!name.includes('\0'));
      const inside = identifier(name).slice(1, -1);
      return inside.replaceAll('``', '').includes('`') === false && inside.replaceAll('``', '`') === name;
    }),
  );
});

test('the pattern of a GRANT names one database only', () => {
  expect(grantPattern('nova_api')).toBe('`nova\\_api`');
  expect(grantPattern('a%b')).toBe('`a\\%b`');
});

test('names that cannot be quoted everywhere are refused', () => {
  expect(account('heat')).toBe("'heat'@'%'");
  expect(() => account("x'; DROP")).toThrow('cannot be the name of a database user');
  expect(() => account('x\\')).toThrow('cannot be the name of a database user');
  expect(() => identifier('')).toThrow('cannot be the name of a database');
});

test('the hash is the one the server stores', () => {
  // SELECT PASSWORD('secret')
  expect(nativeHash(new Secret('secret'))).toBe('*14E65567ABDB5135D0CFD9A70B3032C179A49EE7');
});
