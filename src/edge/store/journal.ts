import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { DeployError, error, exitCode } from '../../core/model/diagnostic.ts';
import { type Journal, type JournalEntry, parseJournal } from '../../core/model/journal.ts';
import { fileProblem, isErrno } from './file-problem.ts';

/** Where this user's runs are remembered (XDG base directories). */
export function stateDirectory(environment: Readonly<Record<string, string | undefined>> = process.env): string {
  const base = environment.XDG_STATE_HOME;
  return join(base?.startsWith('/') ? base : join(homedir(), '.local', 'state'), 'deploy');
}

export interface JournalWriter {
  readonly file: string;
  /**
   * On the disk when this returns, except for what a step says. Throws DeployError when it cannot be: nothing
   * unjournaled may happen. The journal is then what it was before.
   */
  write(entry: JournalEntry): void;
  close(): void;
}

/** Begins the journal of a run, 0600. Every line passes `redact`. */
export function openJournal(directory: string, run: string, redact: (text: string) => string): JournalWriter {
  const runs = join(directory, 'runs');
  const file = join(runs, `${run}.ndjson`);
  const descriptor = attempt(file, () => {
    makeDirectory(runs);
    return openSync(file, 'ax', 0o600);
  });
  return {
    file,
    write(entry) {
      attempt(file, () => {
        const line = Buffer.from(`${redact(JSON.stringify(entry))}\n`);
        const { size } = fstatSync(descriptor);
        try {
          writeAll(descriptor, line);
          if (entry.event !== 'progress') fsyncSync(descriptor);
        } catch (cause) {
          // Half a line would make all that follows unreadable, should there be room again.
          ftruncateSync(descriptor, size);
          if (size === 0) rmSync(file, { force: true });
          throw cause;
        }
      });
    },
    close: () => closeSync(descriptor),
  };
}

/** Of a directory that cannot be made on a read-only disk Node says that it does not exist. */
function makeDirectory(directory: string): void {
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
  } catch (cause) {
    if (!isErrno(cause, 'ENOENT')) throw cause;
    let there = directory;
    while (!existsSync(there)) there = dirname(there);
    accessSync(there, constants.W_OK);
    throw cause;
  }
}

function writeAll(descriptor: number, line: Buffer): void {
  if (writeSync(descriptor, line) < line.length) throw Object.assign(new Error('disk full'), { code: 'ENOSPC' });
}

function attempt<T>(file: string, work: () => T): T {
  try {
    return work();
  } catch (cause) {
    const message = `the journal ${file} cannot be written: ${fileProblem(cause)}`;
    const hint = 'nothing is done that is not journaled: make room there, or set XDG_STATE_HOME to another place';
    // Like a node that is lost: whatever step it stops, the new version is not to blame.
    throw new DeployError([error('journal', message, { hint })], exitCode.nodeNotUsable);
  }
}

/** Names of all runs, the latest first. */
export async function listRuns(directory: string): Promise<string[]> {
  const names = await readdir(join(directory, 'runs')).catch((cause: unknown) => {
    if (isErrno(cause, 'ENOENT')) return [];
    throw cause;
  });
  return names
    .filter((name) => name.endsWith('.ndjson'))
    .map((name) => name.slice(0, -'.ndjson'.length))
    .sort()
    .reverse();
}

/** The journal of a run; undefined when there is none, or it cannot be understood. */
export async function readRun(directory: string, run: string): Promise<Journal | undefined> {
  if (!/^[A-Za-z0-9-]+$/.test(run)) return undefined;
  const text = await readFile(join(directory, 'runs', `${run}.ndjson`), 'utf8').catch((cause: unknown) => {
    if (isErrno(cause, 'ENOENT')) return undefined;
    throw cause;
  });
  return text === undefined ? undefined : parseJournal(text);
}
