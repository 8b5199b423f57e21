import type { HostName } from '../../core/model/node.ts';
import type { Secret } from '../../core/model/secret.ts';

/** Where and as whom to connect. `host` is the inventory's name and appears in messages; `address` is dialled. */
export interface SshTarget {
  readonly host: HostName;
  readonly address: string;
  readonly port: number;
  readonly user: string;
  /** Private keys to try, in order. Without any, the usual files in `~/.ssh` that exist are tried. */
  readonly identityFile?: string | readonly string[] | undefined;
  readonly passphrase?: Secret | undefined;
  /** Path of an agent's socket; its keys are tried after the files. */
  readonly agent?: string | undefined;
  /** Hops in the order they are passed through; each is checked against its own host key. */
  readonly proxyJump?: readonly SshTarget[] | undefined;
  /** Replaces the option of the same name for this host. */
  readonly knownHosts?: readonly string[] | undefined;
}

export interface SshOptions {
  /** known_hosts files; the first is named in hints. Missing files are empty. */
  readonly knownHosts: readonly string[];
  /** `strict` (default) refuses unknown host keys; a changed key is refused in both modes. */
  readonly hostKeys?: 'strict' | 'accept-unknown' | undefined;
  /** Home directory for the default key files; none are tried without it. */
  readonly home?: string | undefined;
  /** From dialling to the end of authentication, per hop. Default 15 000. */
  readonly connectTimeoutMs?: number | undefined;
  /** A peer that leaves three of these unanswered counts as lost. Default 5 000. */
  readonly keepaliveIntervalMs?: number | undefined;
}

/** What a connection has cost so far. */
export interface SshCounters {
  /** TCP connections and hops. */
  readonly connections: number;
  /** Commands and shells. */
  readonly sessions: number;
  /** Forwarded sockets and TCP connections. */
  readonly forwards: number;
  /** Both directions on the wire, of the first hop's socket. */
  readonly bytes: number;
  /**
   * How often the peer was waited for on that socket: its answers that came after something had been sent, the TCP
   * handshake included. Never too few: a long answer that is acknowledged on its way counts more than once.
   */
  readonly roundTrips: number;
}
