/** Why a pull failed, in the operator's words. */
export interface PullCause {
  readonly code: string;
  readonly cause: string;
  readonly hint?: string | undefined;
  /** The same attempt may succeed in a moment. */
  readonly passing?: boolean | undefined;
}

/** The first that fits what the engine said counts. Numbers stand alone: digests are full of them. */
const causes: readonly (readonly [pattern: RegExp, cause: (registry: string, words: string) => PullCause])[] = [
  [
    /no space left|disk quota/i,
    (_registry, words) => ({
      code: 'no-space',
      cause: `no space left on the engine’s disk (${words})`,
      hint: 'make room there, for example by removing old images',
    }),
  ],
  [
    /verification failed|invalid checksum|digest mismatch|does not match|unexpected EOF in archive|gzip: invalid|archive\/tar: invalid|flate: corrupt/i,
    (registry, words) => ({
      code: 'image-damaged',
      cause: `what the registry ${registry} gives is not what its digest says (${words})`,
      hint: 'the registry’s copy is damaged: remove it there, then build and push the image again',
    }),
  ],
  [
    /toomanyrequests|too many requests|\b429\b/i,
    (registry, words) => ({
      code: 'registry-busy',
      cause: `the registry ${registry} has too many requests (${words})`,
      hint: 'run the same command again later; --forks lets fewer nodes pull at once',
      passing: true,
    }),
  ],
  [
    /unauthorized|authentication required|no basic auth|denied/i,
    (registry, words) => ({
      code: 'registry-auth',
      cause: `the registry ${registry} refuses access (${words})`,
      hint: 'check the registry’s user and password',
    }),
  ],
  [
    /no such host|server misbehaving/i,
    (registry, words) => ({
      code: 'registry-down',
      cause: `the name of the registry ${registry} is not known to the node (${words})`,
      hint: 'check docker_registry and the node’s name servers',
      passing: true,
    }),
  ],
  [
    /manifest unknown|not found|does not exist|\b404\b/i,
    (registry, words) => ({
      code: 'image-missing',
      cause: `the registry ${registry} does not have it (${words})`,
      hint: 'build and push it, or plan again',
    }),
  ],
  [
    /server gave HTTP response to HTTPS client|x509|certificate/i,
    (registry, words) => ({
      code: 'registry-tls',
      cause: `the node does not trust the registry ${registry} (${words})`,
      hint: 'install its certificate authority on the node, or list it under insecure-registries of the engine',
    }),
  ],
  [
    /\b50[0-9]\b|internal server error|bad gateway|service unavailable/i,
    (registry, words) => ({
      code: 'registry-down',
      cause: `the registry ${registry} fails (${words})`,
      hint: 'look at the registry’s own log',
      passing: true,
    }),
  ],
  [
    /refused|timeout|timed out|deadline exceeded|no route|unreachable|EOF|reset by peer|broken pipe|request canceled/i,
    (registry, words) => ({
      code: 'registry-down',
      cause: `the registry ${registry} does not answer (${words})`,
      hint: 'is it running, and can the node reach it?',
      passing: true,
    }),
  ],
];

/** What the engine's words about a failed pull mean; `registry` as it stands in the image's name. */
export function pullCause(words: string, registry: string): PullCause {
  const found = causes.find(([pattern]) => pattern.test(words));
  return found ? found[1](registry, words) : { code: 'pull-failed', cause: words };
}
