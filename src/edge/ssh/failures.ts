import { DeployError, type Diagnostic, error, exitCode } from '../../core/model/diagnostic.ts';
import type { HostName } from '../../core/model/node.ts';
import { fingerprint, type HostKeyVerdict, type KnownKey, keyTypeOf, lookupName } from './known-hosts.ts';
import type { SshTarget } from './target.ts';

/** An error of one host that makes the node unusable for this run. */
export function nodeError(host: HostName, code: string, message: string, hint?: string): DeployError {
  return new DeployError([error(code, message, { host, hint })], exitCode.nodeNotUsable);
}

/** Everything that went wrong, as one error; anything that is not for an operator is thrown as it is. */
export function mergeErrors(reasons: readonly unknown[]): DeployError {
  const diagnostics: Diagnostic[] = [];
  for (const reason of reasons) {
    if (!(reason instanceof DeployError)) throw reason;
    for (const one of reason.diagnostics) {
      if (!diagnostics.some((other) => other.code === one.code && other.message === one.message)) diagnostics.push(one);
    }
  }
  const first = reasons.find((reason) => reason instanceof DeployError);
  return new DeployError(diagnostics, first?.exit ?? exitCode.failed);
}

/** The text of anything thrown, on one line. */
export function reasonText(problem: unknown): string {
  const text = problem instanceof Error ? problem.message : String(problem);
  return text.replace(/\s+/g, ' ').trim();
}

export function codeOf(problem: unknown): string {
  return typeof problem === 'object' && problem !== null && 'code' in problem ? String(problem.code) : '';
}

const dialFailures: Readonly<Record<string, readonly [string, string]>> = {
  ECONNREFUSED: ['connection refused', 'is sshd running there, and on this port?'],
  ETIMEDOUT: ['no answer', 'is the host up, and does a firewall drop this port?'],
  EHOSTUNREACH: ['no route to the host', 'check the address and the network between here and there'],
  ENETUNREACH: ['no route to its network', 'check the address and the routes of this machine'],
  ECONNRESET: ['connection closed by the host', 'sshd may refuse more connections (MaxStartups) or this address'],
  ENOTFOUND: ['its name cannot be resolved', 'check the name, or set ansible_host to an address'],
  EAI_AGAIN: ['its name cannot be resolved at the moment', 'check this machine’s name servers'],
};

/** A host that could not be reached over TCP (or through the hop before it). */
export function unreachable(target: SshTarget, problem: unknown): DeployError {
  const [cause, hint] = dialFailures[codeOf(problem)] ?? [reasonText(problem), 'check address, port and network'];
  return nodeError(target.host, 'unreachable', `cannot reach ${target.address} port ${target.port}: ${cause}`, hint);
}

function keyLine(known: KnownKey): string {
  return `${known.fingerprint} (${known.keyType}, ${known.file}:${known.line})`;
}

/** What a host key that was not accepted means, and what to do. */
export function hostKeyError(
  target: SshTarget,
  verdict: Exclude<HostKeyVerdict, { readonly kind: 'match' }>,
  key: Uint8Array,
  knownHostsFile: string,
): DeployError {
  const offered = `${fingerprint(key)} (${keyTypeOf(key)})`;
  const name = lookupName(target.address, target.port);
  if (verdict.kind === 'revoked') {
    return nodeError(
      target.host,
      'host-key-revoked',
      `the host key of ${name}, ${offered}, is revoked in ${verdict.known.file}:${verdict.known.line}`,
      'this key must not be used any more: give the host a new key',
    );
  }
  if (verdict.kind === 'changed') {
    return nodeError(
      target.host,
      'host-key-changed',
      `the host key of ${name} has changed: it offers ${offered}, known is ${verdict.known.map(keyLine).join(' and ')}`,
      `somebody may be listening in; if the host was reinstalled, remove the old key: ssh-keygen -R '${name}' -f ${verdict.known[0]?.file ?? knownHostsFile}`,
    );
  }
  const authority = verdict.authority
    ? ` (${verdict.authority.file}:${verdict.authority.line} trusts a certificate authority for it, but host certificates are not supported)`
    : '';
  return nodeError(
    target.host,
    'host-key-unknown',
    `the host key of ${name} is not known: it offers ${offered}${authority}`,
    `compare the fingerprint with the host’s own, then add it: ssh-keyscan -p ${target.port} -t ${scanType(key)} ${target.address} >> ${knownHostsFile}`,
  );
}

function scanType(key: Uint8Array): string {
  const type = keyTypeOf(key);
  return type === 'ssh-ed25519' ? 'ed25519' : type === 'ssh-rsa' ? 'rsa' : type.startsWith('ecdsa-') ? 'ecdsa' : type;
}
