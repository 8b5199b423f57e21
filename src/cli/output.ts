import { type Diagnostic, formatDiagnostic } from '../core/model/diagnostic.ts';
import { condense } from '../report/diagnostics.ts';

/** Where a command writes. `redact` learns the site's secrets as soon as they are known. */
export interface Output {
  readonly json: boolean;
  line(text: string): void;
  /** For people watching: on standard error, so that standard output stays the result. */
  note(text: string): void;
  data(value: unknown): void;
  diagnostics(list: readonly Diagnostic[]): void;
  redactWith(redact: (text: string) => string): void;
}

export function createOutput(json: boolean): Output {
  let redact = (text: string) => text;
  return {
    json,
    line: (text) => void process.stdout.write(`${redact(text)}\n`),
    note: (text) => void process.stderr.write(`${redact(text)}\n`),
    data: (value) => void process.stdout.write(`${redact(JSON.stringify(value))}\n`),
    diagnostics: (list) => {
      for (const d of condense(list)) process.stderr.write(`${redact(formatDiagnostic(d))}\n`);
    },
    redactWith: (next) => {
      redact = next;
    },
  };
}
