import { expect, test } from 'vitest';
import { Secret } from '../../../src/core/model/secret.ts';
import { matchesHash } from '../../../src/edge/rabbitmq/password.ts';

// The example of RabbitMQ's own documentation: password test12, salt 908DC60A.
const stored = 'kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR';

test('recognises the password behind a stored hash', () => {
  expect(matchesHash(new Secret('test12'), stored, 'rabbit_password_hashing_sha256')).toBe(true);
  expect(matchesHash(new Secret('test13'), stored, 'rabbit_password_hashing_sha256')).toBe(false);
});

test('without a hash or with an unknown algorithm nothing matches', () => {
  expect(matchesHash(new Secret('test12'), '', 'rabbit_password_hashing_sha256')).toBe(false);
  expect(matchesHash(new Secret('test12'), stored, 'another')).toBe(false);
});
