import { randomBytes, randomInt, randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { error, failure, type Result, success } from '../../core/model/diagnostic.ts';
import type { PasswordKind } from '../../core/schema/service.ts';
import type { LoadedService } from '../../core/schema/service-file.ts';
import { parseYaml } from '../../core/schema/yaml.ts';
import { fillPasswords, missingPasswords } from '../../core/site/passwords.ts';
import { writeAtomically } from './atomic.ts';
import { fileProblem, isErrno } from './file-problem.ts';

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
const passwordLength = 40;

/** A new random value. `password` is 40 letters and digits, `fernet` the urlsafe base64 of 32 bytes. */
export function randomPassword(kind: PasswordKind): string {
  switch (kind) {
    case 'password':
      return Array.from({ length: passwordLength }, () => alphabet[randomInt(alphabet.length)]).join('');
    case 'uuid':
      return randomUUID();
    case 'hex32':
      return randomBytes(16).toString('hex');
    case 'fernet':
      return randomBytes(32).toString('base64').replaceAll('+', '-').replaceAll('/', '_');
  }
}

/**
 * Gives every password the services declare a value in the file, creating the file if need be (mode 0600).
 * Values that are there are never touched; with nothing missing the file is not written. Yields the names filled.
 */
export async function generatePasswords(
  file: string,
  services: readonly Pick<LoadedService, 'definition'>[],
): Promise<Result<readonly string[]>> {
  try {
    const text = await readFile(file, 'utf8').catch((cause: unknown) => {
      if (isErrno(cause, 'ENOENT')) return undefined;
      throw cause;
    });
    const document = parseYaml(text ?? '', file);
    if (!document.ok) return document;
    const missing = missingPasswords(document.value, services);
    if (missing.length === 0 && text !== undefined) return success([]);
    const filled = fillPasswords(
      text ?? '---\n',
      new Map(missing.map(({ name, kind }) => [name, randomPassword(kind)])),
      file,
    );
    if (!filled.ok) return filled;
    await writeAtomically(file, filled.value, 0o600);
    return success(missing.map(({ name }) => name));
  } catch (cause) {
    // A missing file is made, so what is missing here is its directory.
    const directory = isErrno(cause, 'ENOENT') ? `the directory ${dirname(file)} does not exist` : undefined;
    const hint = directory === undefined ? undefined : 'name the right one with --configdir, or make it';
    return failure([error('file', directory ?? fileProblem(cause), { at: { file, line: 1, column: 1 }, hint })]);
  }
}
