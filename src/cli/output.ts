import type { Diagnostic, ExitCode } from '../core/model/diagnostic.ts';
import { formatDiagnostic } from '../core/model/diagnostic.ts';
import { condense, diagnosticJson } from '../report/diagnostics.ts';

/**
 * Where everything this process says goes, and the only thing that writes to its two streams: whatever is written
 * after `redactWith` holds no secret of the site. With `json` every line of either stream is one JSON object.
 */
export interface Output {
  readonly json: boolean;
  line(text: string): void;
  /** For people watching: on standard error, so that standard output stays the result. */
  note(text: string): void;
  data(value: unknown): void;
  diagnostics(list: readonly Diagnostic[]): void;
  /**
   * The errors that end a command. With `json` one line on standard error,
   * `{"error": {"exit": 3, "diagnostics": [{severity, code, message, host?, file?, line?, column?, hint?}]}}`.
   */
  failure(list: readonly Diagnostic[], exit: ExitCode): void;
  redactWith(redact: (text: string) => string): void;
}

interface Stream {
  write(text: string): unknown;
}

/** One for the whole process, so that no message misses what another part has learned to be secret. */
export function createOutput(
  json: boolean,
  streams: { readonly stdout: Stream; readonly stderr: Stream } = process,
): Output {
  let redact = (text: string) => text;
  const out = (text: string) => void streams.stdout.write(`${redact(text)}\n`);
  const err = (text: string) => void streams.stderr.write(`${redact(text)}\n`);
  const told = (list: readonly Diagnostic[]) => condense(list).map(formatDiagnostic).join('\n');
  return {
    json,
    line: out,
    note: (text) => err(json ? JSON.stringify({ note: text }) : text),
    data: (value) => out(JSON.stringify(value)),
    diagnostics: (list) => {
      if (list.length === 0) return;
      err(json ? JSON.stringify({ diagnostics: condense(list).map(diagnosticJson) }) : told(list));
    },
    failure: (list, exit) =>
      err(json ? JSON.stringify({ error: { exit, diagnostics: condense(list).map(diagnosticJson) } }) : told(list)),
    redactWith: (next) => {
      redact = next;
    },
  };
}
