import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import type { HookOutcome } from '../../run/ports.ts';

export interface HookProcess {
  readonly path: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Milliseconds it may take; then its process group gets SIGTERM. */
  readonly timeoutMs: number;
  /** Milliseconds from there to SIGKILL; default 10000. */
  readonly graceMs?: number | undefined;
}

/** A process that a hook left behind may hold its output open for ever. */
const outputAfterExitMs = 1000;

/** Runs an executable on this host, in a process group of its own; its output comes line by line. Never throws. */
export function runHookProcess(hook: HookProcess, onLine: (line: string) => void): Promise<HookOutcome> {
  return new Promise((resolve) => {
    const child = spawn(hook.path, [], {
      env: hook.environment,
      stdio: ['ignore', 'pipe', 'pipe'],
      // Ctrl-C in the terminal is for deploy, which lets running steps finish.
      detached: true,
    });
    const limit = limitTime(child, hook);
    const output = [lines(child.stdout, onLine), lines(child.stderr, onLine)];
    const finish = (outcome: HookOutcome) => {
      limit.end();
      resolve(outcome);
    };
    child.once('error', (failure) => finish({ ok: false, said: `could not be started: ${reason(failure)}` }));
    child.once('exit', (code, signal) => {
      const late = setTimeout(() => {
        child.stdout.destroy();
        child.stderr.destroy();
      }, outputAfterExitMs);
      void Promise.all(output).then(() => {
        clearTimeout(late);
        finish(outcomeOf(code, signal, limit.exceeded() ? hook.timeoutMs : undefined));
      });
    });
  });
}

function outcomeOf(code: number | null, signal: string | null, exceededMs: number | undefined): HookOutcome {
  if (exceededMs !== undefined) return { ok: false, said: `took longer than ${exceededMs / 1000} s and was ended` };
  if (code === 0) return { ok: true };
  return { ok: false, said: code === null ? `was ended by ${signal}` : `ended with ${code}` };
}

function lines(stream: Readable, onLine: (line: string) => void): Promise<void> {
  return new Promise((resolve) => {
    const reader = createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY });
    reader.on('line', onLine);
    reader.once('close', () => resolve());
    stream.once('close', () => reader.close());
  });
}

function limitTime(child: ChildProcess, { timeoutMs, graceMs = 10_000 }: HookProcess) {
  let exceeded = false;
  let kill: NodeJS.Timeout | undefined;
  const term = setTimeout(() => {
    exceeded = true;
    signalGroup(child, 'SIGTERM');
    kill = setTimeout(() => signalGroup(child, 'SIGKILL'), graceMs);
  }, timeoutMs);
  // Whoever stops deploy at once does not want to leave its hooks running.
  const onExit = () => signalGroup(child, 'SIGTERM');
  process.once('exit', onExit);
  return {
    exceeded: () => exceeded,
    end: () => {
      clearTimeout(term);
      clearTimeout(kill);
      process.off('exit', onExit);
      // What ignored SIGTERM in that group goes with it.
      if (exceeded) signalGroup(child, 'SIGKILL');
    },
  };
}

function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch {
    // Nobody is left in it.
  }
}

function reason(failure: Error): string {
  const code = 'code' in failure ? failure.code : undefined;
  if (code === 'ENOENT') return 'the file, or the interpreter in its first line, does not exist';
  if (code === 'ENOEXEC') return 'it is neither a program nor a script with an interpreter in its first line';
  return failure.message;
}
