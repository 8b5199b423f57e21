/** A place in an input file. Lines and columns count from 1. */
export interface SourceSpan {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

export type Severity = 'error' | 'warning';

/**
 * One thing an operator has to know: what is wrong, where, and what to do about it.
 * Diagnostics are values; they are collected and shown together.
 */
export interface Diagnostic {
  readonly severity: Severity;
  /** Stable, kebab-case: `unknown-key`, `undefined-variable`, `unreachable`, … */
  readonly code: string;
  readonly message: string;
  readonly at?: SourceSpan | undefined;
  readonly host?: string | undefined;
  /** What the operator can do, as one sentence. */
  readonly hint?: string | undefined;
}

/** Either a value (perhaps with warnings) or the errors that prevent one. Never both. */
export type Result<T> =
  | { readonly ok: true; readonly value: T; readonly diagnostics: readonly Diagnostic[] }
  | { readonly ok: false; readonly diagnostics: readonly Diagnostic[] };

export function success<T>(value: T, diagnostics: readonly Diagnostic[] = []): Result<T> {
  return { ok: true, value, diagnostics };
}

export function failure<T>(diagnostics: readonly Diagnostic[]): Result<T> {
  return { ok: false, diagnostics };
}

/** A value when no diagnostic is an error, else the failure with all of them. */
export function resultOf<T>(value: T, diagnostics: readonly Diagnostic[]): Result<T> {
  return diagnostics.some((d) => d.severity === 'error') ? failure(diagnostics) : success(value, diagnostics);
}

export function error(
  code: string,
  message: string,
  where: { at?: SourceSpan | undefined; host?: string | undefined; hint?: string | undefined } = {},
): Diagnostic {
  return { severity: 'error', code, message, ...where };
}

export function warning(
  code: string,
  message: string,
  where: { at?: SourceSpan | undefined; host?: string | undefined; hint?: string | undefined } = {},
): Diagnostic {
  return { severity: 'warning', code, message, ...where };
}

export function formatPlace({ file, line, column }: SourceSpan): string {
  return `${file}:${line}:${column}`;
}

/** `file:line:column: error: message (host) — hint`, the form of every diagnostic on a terminal. */
export function formatDiagnostic(d: Diagnostic): string {
  const place = d.at ? `${formatPlace(d.at)}: ` : '';
  const host = d.host ? `${d.host}: ` : '';
  const hint = d.hint ? `\n    ${d.hint}` : '';
  return `${place}${d.severity}: ${host}${d.message}${hint}`;
}

/** Documented and stable; the README lists them. */
export const exitCode = {
  ok: 0,
  failed: 1,
  changesPending: 2,
  badInput: 3,
  nodeNotUsable: 4,
  locked: 5,
  reverted: 6,
  notReverted: 7,
  hungUp: 129,
  interrupted: 130,
  terminated: 143,
} as const;

export type ExitCode = (typeof exitCode)[keyof typeof exitCode];

/** How a diagnostic leaves an edge or a command: carries what to print and how to exit, never a stack for the operator. */
export class DeployError extends Error {
  readonly diagnostics: readonly Diagnostic[];
  readonly exit: ExitCode;

  constructor(diagnostics: readonly Diagnostic[], exit: ExitCode) {
    super(diagnostics.map(formatDiagnostic).join('\n'));
    this.name = 'DeployError';
    this.diagnostics = diagnostics;
    this.exit = exit;
  }
}
