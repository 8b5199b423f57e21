import { type ChildProcess, spawn } from 'node:child_process';

/** A problem a person can act on; printed without a stack trace. */
export class LabError extends Error {
  readonly hint: string | undefined;

  constructor(message: string, hint?: string) {
    super(message);
    this.name = 'LabError';
    this.hint = hint;
  }
}

export interface CommandResult {
  /** Exit code; 128 + signal number does not occur: a killed command has code -1. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Text given to the command's standard input, which is closed otherwise. */
  readonly input?: string;
  /** After this many milliseconds the command is killed and counts as failed. */
  readonly timeoutMs?: number;
  readonly cwd?: string;
}

/** The administrator's folders are missing from PATH in some shells and CI runs. */
export function labEnvironment(extra: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  const path = `${process.env.PATH ?? ''}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`;
  return { ...process.env, LC_ALL: 'C.UTF-8', ...extra, PATH: path };
}

/** Runs a command without a shell and waits for it. Does not throw on a non-zero exit. */
export function run(command: string, args: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
  const child = spawn(command, args, {
    env: labEnvironment(options.env),
    stdio: ['pipe', 'pipe', 'pipe'],
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.timeoutMs === undefined ? {} : { timeout: options.timeoutMs, killSignal: 'SIGKILL' as const }),
  });
  child.stdin.on('error', () => undefined);
  child.stdin.end(options.input ?? '');
  return collect(child);
}

function collect(child: ChildProcess): Promise<CommandResult> {
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout?.on('data', (chunk: Buffer) => stdout.push(chunk));
  child.stderr?.on('data', (chunk: Buffer) => stderr.push(chunk));
  return new Promise((resolve) => {
    const finish = (code: number, note: string): void =>
      resolve({ code, stdout: Buffer.concat(stdout).toString(), stderr: Buffer.concat(stderr).toString() + note });
    child.once('error', (error) => finish(127, error.message));
    child.once('close', (code, signal) => finish(code ?? -1, signal === null ? '' : `killed by ${signal}`));
  });
}

/** Like `run`, but throws a LabError with the last lines of output when the command fails. Returns its output. */
export async function must(command: string, args: readonly string[], options: CommandOptions = {}): Promise<string> {
  const result = await run(command, args, options);
  if (result.code !== 0) {
    const said = lastLines(`${result.stdout}\n${result.stderr}`, 12);
    throw new LabError(`${command} ${args.slice(0, 3).join(' ')} failed (exit ${result.code}):\n${said}`);
  }
  return result.stdout;
}

export function lastLines(text: string, count: number): string {
  return text.trimEnd().split('\n').slice(-count).join('\n');
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Asks `probe` every `everyMs` until it says yes. Returns false when `timeoutMs` have passed. */
export async function waitFor(probe: () => Promise<boolean>, timeoutMs: number, everyMs = 200): Promise<boolean> {
  const end = Date.now() + timeoutMs;
  for (;;) {
    if (await probe()) return true;
    if (Date.now() >= end) return false;
    await sleep(everyMs);
  }
}
