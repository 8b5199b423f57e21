import { createHash } from 'node:crypto';
import type { Secret } from '../../core/model/secret.ts';

const digests: Readonly<Record<string, string>> = {
  rabbit_password_hashing_sha256: 'sha256',
  rabbit_password_hashing_sha512: 'sha512',
  rabbit_password_hashing_md5: 'md5',
};

/**
 * Whether a password gives the stored hash: base64 of four bytes of salt and the digest of salt and password.
 * A login could not tell: users without tags may not log in to the management API. False for unknown algorithms.
 */
export function matchesHash(password: Secret, storedHash: string, algorithm: string): boolean {
  const digest = digests[algorithm];
  const stored = Buffer.from(storedHash, 'base64');
  if (digest === undefined || stored.length <= 4) return false;
  const salt = stored.subarray(0, 4);
  return createHash(digest).update(salt).update(password.reveal(), 'utf8').digest().equals(stored.subarray(4));
}
