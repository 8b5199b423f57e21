import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { LabError, labEnvironment, lastLines, waitFor } from './command.ts';
import { paths } from './settings.ts';

/** A long-running process of the lab, recognised by its program name and one argument that only the lab uses. */
export interface LabProcess {
  readonly program: string;
  /** An argument that names a path of the lab, so that processes of others are never taken for ours. */
  readonly argument: string;
  readonly args: readonly string[];
  /** Absent when the program writes its own pid file. */
  readonly pidFile?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Ids of the running processes of that kind, from /proc: pid files lie after a crash or a reboot. */
export function findProcesses(program: string, argument: string): readonly number[] {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .map(Number)
    .filter((pid) => isProcess(pid, program, argument));
}

function isProcess(pid: number, program: string, argument: string): boolean {
  try {
    const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
    // A zombie has an empty command line, so it is not counted as running.
    return basename(words[0] ?? '') === program && words.includes(argument);
  } catch {
    return false;
  }
}

/** Starts a process in a session of its own so that it outlives this command; its output goes to a log file. */
export function startDetached(process: LabProcess): number {
  mkdirSync(paths.log, { recursive: true });
  const log = openSync(logFile(process.program), 'a');
  try {
    const child = spawn(process.program, process.args, {
      detached: true,
      stdio: ['ignore', log, log],
      env: labEnvironment(process.env),
      cwd: '/',
    });
    child.on('error', () => undefined);
    child.unref();
    if (child.pid === undefined) throw new LabError(`cannot start ${process.program}: no such program`);
    if (process.pidFile !== undefined) writeFileSync(process.pidFile, `${child.pid}\n`);
    return child.pid;
  } finally {
    closeSync(log);
  }
}

export function logFile(program: string): string {
  return join(paths.log, `${program}.log`);
}

/** The last lines of a process's log, for error messages. */
export function logTail(program: string, count = 8): string {
  try {
    return lastLines(readFileSync(logFile(program), 'utf8'), count);
  } catch {
    return '(no log)';
  }
}

/** Ends processes politely, then for good; waits until they are gone. */
export async function stopProcesses(program: string, argument: string, politeMs = 10_000): Promise<number> {
  const pids = findProcesses(program, argument);
  if (pids.length === 0) return 0;
  const gone = async (): Promise<boolean> => findProcesses(program, argument).length === 0;
  signalAll(pids, 'SIGTERM');
  if (await waitFor(gone, politeMs)) return pids.length;
  signalAll(findProcesses(program, argument), 'SIGKILL');
  if (!(await waitFor(gone, 5_000))) throw new LabError(`${program} (process ${pids.join(', ')}) does not end`);
  return pids.length;
}

function signalAll(pids: readonly number[], signal: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, signal);
    } catch {
      // It ended by itself meanwhile.
    }
  }
}

/** A pid file left by a killed process stops a daemon from starting once the number is in use again. */
export function removeStale(...files: readonly string[]): void {
  for (const file of files) rmSync(file, { force: true });
}
