import { once } from 'node:events';
import net from 'node:net';
import type { Duplex } from 'node:stream';
import type { AuthHandlerMiddleware, Client, ConnectConfig, ServerHostKeyAlgorithm } from 'ssh2';
import type { DeployError } from '../../core/model/diagnostic.ts';
import { hostKeyError, nodeError, reasonText, unreachable } from './failures.ts';
import { loadKeys, type PrivateKey } from './keys.ts';
import { type KnownHostEntry, knownKeyTypes, readKnownHosts, verifyHostKey } from './known-hosts.ts';
import type { SshOptions, SshTarget } from './target.ts';

/** Loading ssh2 takes 39 ms, which `--help` and the checks of files need not pay. */
export async function loadSsh2(): Promise<typeof import('ssh2')> {
  const loaded = await import('ssh2');
  return 'default' in loaded ? (loaded.default as typeof import('ssh2')) : loaded;
}

/** A TCP connection without Nagle's algorithm: ssh2 by itself leaves it on, which costs 40 ms per handshake. */
export async function dial(target: SshTarget, timeoutMs: number): Promise<net.Socket> {
  const socket = net.connect({ host: target.address, port: target.port, noDelay: true });
  const signal = AbortSignal.timeout(timeoutMs);
  try {
    await once(socket, 'connect', { signal });
    return socket;
  } catch (problem) {
    socket.on('error', () => undefined).destroy();
    throw unreachable(target, signal.aborted ? { code: 'ETIMEDOUT' } : dialReason(problem));
  }
}

/** With several addresses node reports all failures together; the first one speaks for them. */
function dialReason(problem: unknown): unknown {
  return problem instanceof AggregateError ? (problem.errors[0] ?? problem) : problem;
}

/** Host key algorithms with those of known keys first, so that the key that comes is one that can be checked. */
function hostKeyOrder(types: readonly string[]): ServerHostKeyAlgorithm[] {
  const all: ServerHostKeyAlgorithm[] = [
    'ssh-ed25519',
    'ecdsa-sha2-nistp256',
    'ecdsa-sha2-nistp384',
    'ecdsa-sha2-nistp521',
    'rsa-sha2-512',
    'rsa-sha2-256',
  ];
  const known = (algorithm: string): boolean => types.includes(algorithm.startsWith('rsa-') ? 'ssh-rsa' : algorithm);
  return [...all.filter(known), ...all.filter((algorithm) => !known(algorithm))];
}

interface Attempt {
  /** Keys and agents offered, in words. */
  readonly tried: string[];
  /** What the server would accept instead. */
  accepted: readonly string[];
  hostKeyProblem: DeployError | undefined;
}

/** Key files first, then the agent; never `none`, which would cost a round trip. */
function authenticator(target: SshTarget, keys: readonly PrivateKey[], attempt: Attempt): AuthHandlerMiddleware {
  const queue: { what: string; method: Parameters<Parameters<AuthHandlerMiddleware>[2]>[0] }[] = keys.map((one) => ({
    what: one.file,
    method: { type: 'publickey', username: target.user, key: one.key },
  }));
  if (target.agent !== undefined) {
    queue.push({
      what: `the keys of the agent at ${target.agent}`,
      method: { type: 'agent', username: target.user, agent: target.agent },
    });
  }
  return (methodsLeft, _partial, next) => {
    if (methodsLeft) attempt.accepted = methodsLeft;
    const following = queue.shift();
    // A server that takes no public keys at all ends the attempt: the remaining keys cannot help.
    if (following === undefined || (methodsLeft && !methodsLeft.includes('publickey'))) return next(false as never);
    attempt.tried.push(following.what);
    next(following.method);
  };
}

function refused(target: SshTarget, attempt: Attempt, problems: readonly string[]): DeployError {
  const tried = attempt.tried.length > 0 ? `tried ${attempt.tried.join(', ')}` : 'no key could be offered';
  const others = attempt.accepted.includes('publickey') ? '' : `; it accepts only ${attempt.accepted.join(', ')}`;
  const unusable = problems.length > 0 ? `; ${problems.join('; ')}` : '';
  return nodeError(
    target.host,
    'authentication-refused',
    `${target.user}@${target.address} port ${target.port} refused to log in: ${tried}${attempt.accepted.length > 0 ? others : ''}${unusable}`,
    `add the public key to the authorized_keys of ${target.user} there, or name another user or key`,
  );
}

function configure(
  target: SshTarget,
  options: SshOptions,
  entries: readonly KnownHostEntry[],
  files: readonly string[],
  attempt: Attempt,
): ConnectConfig {
  return {
    username: target.user,
    readyTimeout: options.connectTimeoutMs ?? 15_000,
    keepaliveInterval: options.keepaliveIntervalMs ?? 5_000,
    keepaliveCountMax: 3,
    algorithms: { serverHostKey: hostKeyOrder(knownKeyTypes(entries, target.address, target.port)) },
    hostVerifier: (key: Buffer): boolean => {
      const verdict = verifyHostKey(entries, target.address, target.port, key);
      if (verdict.kind === 'match') return true;
      if (verdict.kind === 'unknown' && options.hostKeys === 'accept-unknown') return true;
      attempt.hostKeyProblem = hostKeyError(target, verdict, key, files[0] ?? '~/.ssh/known_hosts');
      return false;
    },
  };
}

function explain(
  problem: Error & { level?: string },
  target: SshTarget,
  attempt: Attempt,
  problems: readonly string[],
): DeployError {
  if (attempt.hostKeyProblem) return attempt.hostKeyProblem;
  if (problem.level === 'client-authentication' || /too many auth/i.test(problem.message)) {
    return refused(target, attempt, problems);
  }
  if (problem.level === 'client-socket' && 'code' in problem) return unreachable(target, problem);
  return nodeError(
    target.host,
    'ssh-handshake',
    `no SSH connection to ${target.address} port ${target.port}: ${reasonText(problem)}`,
    'is this port really sshd’s? Its log on the host tells why it gave up',
  );
}

/**
 * Runs the handshake and the authentication over `sock`; host key first, then keys. Throws DeployErrors only.
 * `begun` is called as soon as `sock` is being read.
 */
export async function handshake(
  target: SshTarget,
  options: SshOptions,
  sock: Duplex,
  begun: () => void = () => {},
): Promise<Client> {
  const { Client, utils } = await loadSsh2();
  const files = target.knownHosts ?? options.knownHosts;
  const [{ keys, problems }, entries] = await Promise.all([
    loadKeys(target, options, utils),
    readKnownHosts(files).catch((problem: unknown) => {
      throw nodeError(target.host, 'known-hosts', `known hosts cannot be read: ${reasonText(problem)}`);
    }),
  ]);
  const attempt: Attempt = { tried: [], accepted: [], hostKeyProblem: undefined };
  const client = new Client();
  return new Promise<Client>((resolve, reject) => {
    const fail = (problem: Error & { level?: string }): void => {
      // An agent that does not answer is one method less, not the end of the handshake.
      if (problem.level === 'agent') {
        attempt.tried.push(`the agent did not answer (${reasonText(problem)})`);
        return;
      }
      reject(explain(problem, target, attempt, problems));
      client.end();
      sock.destroy();
    };
    client.on('error', fail);
    client.once('close', () => fail(new Error('the host closed the connection during the handshake')));
    client.once('ready', () => {
      client.removeAllListeners('close');
      client.removeListener('error', fail);
      resolve(client);
    });
    client.connect({
      ...configure(target, options, entries, files, attempt),
      sock: sock as net.Socket,
      authHandler: authenticator(target, keys, attempt),
    });
    begun();
  });
}
