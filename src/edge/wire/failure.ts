import { DeployError, error, exitCode } from '../../core/model/diagnostic.ts';
import type { Secret } from '../../core/model/secret.ts';

/**
 * A conversation with a server that failed. `transient` says that the same attempt may succeed in a moment
 * (refused, lost, not ready yet), so waiting is worth it; `status` is the HTTP status when there was an answer.
 */
export class WireError extends DeployError {
  readonly transient: boolean;
  readonly status: number | undefined;

  constructor(
    code: string,
    message: string,
    options: { readonly hint?: string; readonly transient?: boolean; readonly status?: number } = {},
  ) {
    super([error(code, message, { hint: options.hint })], exitCode.failed);
    this.name = 'WireError';
    this.transient = options.transient ?? false;
    this.status = options.status;
  }
}

export function isTransient(failure: unknown): boolean {
  return failure instanceof WireError && failure.transient;
}

/** The node that the server was to be reached from is lost, and does not come back in this run. */
export function isWayGone(failure: unknown): boolean {
  if (!(failure instanceof DeployError) || failure.exit !== exitCode.nodeNotUsable) return false;
  return failure.diagnostics.some(({ code }) => code === 'connection-lost');
}

/** `10.0.0.1:3306`, `[fd00::1]:3306` */
export function hostAndPort(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

/** The first line of what a lower layer threw, without its class or stack. */
export function reasonOf(failure: unknown): string {
  if (failure instanceof DeployError) return failure.diagnostics[0]?.message ?? failure.message;
  const text = failure instanceof Error ? failure.message : String(failure);
  return text.split('\n')[0] ?? text;
}

/** A text from a server in which it may have quoted what it was sent. */
export function withoutSecrets(text: string, secrets: readonly Secret[]): string {
  return secrets
    .map((secret) => secret.reveal())
    .filter((value) => value !== '')
    .reduce((clean, value) => clean.replaceAll(value, '‹secret›'), text);
}
