import { access, readFile } from 'node:fs/promises';
import path from 'node:path';
import type { ParsedKey, utils as SshUtils } from 'ssh2';
import { codeOf, nodeError, reasonText } from './failures.ts';
import type { SshOptions, SshTarget } from './target.ts';

/** A private key ready to sign; `file` is named when it is refused. */
export interface PrivateKey {
  readonly file: string;
  readonly key: ParsedKey;
}

const defaultFiles = ['id_ed25519', 'id_ecdsa', 'id_rsa'];

async function existing(files: readonly string[]): Promise<string[]> {
  const found = await Promise.all(
    files.map((file) =>
      access(file).then(
        () => [file],
        () => [],
      ),
    ),
  );
  return found.flat();
}

/** Key files to try: those named, else the usual ones that exist. */
async function candidates(target: SshTarget, options: SshOptions): Promise<readonly string[]> {
  const named = target.identityFile === undefined ? [] : [target.identityFile].flat();
  if (named.length > 0) return named;
  const home = options.home;
  return home === undefined ? [] : existing(defaultFiles.map((file) => path.join(home, '.ssh', file)));
}

async function load(file: string, target: SshTarget, utils: typeof SshUtils): Promise<PrivateKey> {
  const text = await readFile(file).catch((problem: unknown) => {
    const missing = codeOf(problem) === 'ENOENT';
    throw nodeError(
      target.host,
      'key-file',
      missing
        ? `the private key ${file} does not exist`
        : `the private key ${file} cannot be read: ${reasonText(problem)}`,
      missing ? 'name the right file in ansible_ssh_private_key_file or ~/.ssh/config' : 'check its owner and mode',
    );
  });
  const parsed: ParsedKey | ParsedKey[] | Error = utils.parseKey(text, target.passphrase?.reveal());
  if (parsed instanceof Error) throw keyProblem(file, target, reasonText(parsed));
  const key = Array.isArray(parsed) ? parsed[0] : parsed;
  if (key === undefined || !key.isPrivateKey()) throw keyProblem(file, target, 'it holds no private key');
  return { file, key };
}

function keyProblem(file: string, target: SshTarget, reason: string): Error {
  const encrypted = /passphrase|encrypted|bad decrypt|integrity/i.test(reason);
  if (encrypted && target.passphrase === undefined) {
    return nodeError(
      target.host,
      'key-passphrase',
      `the private key ${file} is protected by a passphrase`,
      'load it into an ssh agent (ssh-add) or give the passphrase',
    );
  }
  if (encrypted) return nodeError(target.host, 'key-passphrase', `the passphrase of the private key ${file} is wrong`);
  return nodeError(target.host, 'key-file', `the private key ${file} cannot be used: ${reason}`);
}

/**
 * The private keys of a target. With several candidates or an agent, a file that cannot be used is passed over
 * and its problem returned for the message in case nothing else is accepted; with nothing else to try it is thrown.
 */
export async function loadKeys(
  target: SshTarget,
  options: SshOptions,
  utils: typeof SshUtils,
): Promise<{ keys: readonly PrivateKey[]; problems: readonly string[] }> {
  const files = await candidates(target, options);
  const results = await Promise.allSettled(files.map((file) => load(file, target, utils)));
  const keys = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  const failed = results.flatMap((result): unknown[] => (result.status === 'rejected' ? [result.reason] : []));
  if (keys.length === 0 && target.agent === undefined) {
    if (failed.length > 0) throw failed[0];
    throw nodeError(
      target.host,
      'no-key',
      `there is no key to log in to ${target.address} with`,
      'name one in ansible_ssh_private_key_file or ~/.ssh/config, or start an ssh agent',
    );
  }
  return { keys, problems: failed.map((problem) => reasonText(problem).replace(/^error: [^:]+: /, '')) };
}
