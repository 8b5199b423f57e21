import { type Diagnostic, formatDiagnostic } from '../model/diagnostic.ts';

/** A variable or expression without a value; `diagnostic` says which, where and why. */
export class VariableError extends Error {
  readonly diagnostic: Diagnostic;

  constructor(diagnostic: Diagnostic) {
    super(formatDiagnostic(diagnostic));
    this.name = 'VariableError';
    this.diagnostic = diagnostic;
  }
}
