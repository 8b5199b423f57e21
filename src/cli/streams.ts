import { type ExitCode, error, exitCode, formatDiagnostic } from '../core/model/diagnostic.ts';

interface Stream {
  on(event: 'error', listener: (cause: NodeJS.ErrnoException) => void): unknown;
  write(text: string): unknown;
}

/**
 * What cannot be printed must not end a run that is changing nodes: a consumer that goes away (`| head`) is no error
 * at all, any other failure of a stream (a full disk) is told on the other one in the end and turns success into
 * exit 1. The function returned gives the exit code.
 */
export function guardStreams(stdout: Stream, stderr: Stream): (code: ExitCode) => ExitCode {
  const lost: string[] = [];
  const watch = (stream: Stream, name: string) =>
    stream.on('error', (cause) => {
      if (cause.code !== 'EPIPE' && lost.length === 0) lost.push(`${name} could not be written to: ${cause.message}`);
    });
  watch(stdout, 'standard output');
  watch(stderr, 'standard error');
  return (code) => {
    const [message] = lost;
    if (message === undefined) return code;
    const other = message.startsWith('standard output') ? stderr : stdout;
    other.write(`${formatDiagnostic(error('output-lost', message))}\n`);
    return code === exitCode.ok ? exitCode.failed : code;
  };
}
